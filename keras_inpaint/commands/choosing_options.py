"""Common options of the commands that complete photos: the model, its settings, the mask."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from keras_inpaint.commands.quiet import suppress_native_logs
from keras_inpaint.inference import AUTO, METHODS, TEXTURE, USUAL

if TYPE_CHECKING:
    from keras_inpaint.batch.completing import Completer


class _Scale(click.ParamType):
    name = "scale"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        if value == AUTO or isinstance(value, int):
            return value
        if not (value.isascii() and value.isdecimal()) or not 1 <= int(value[:9]) <= 64:
            self.fail(f"expected auto or an integer from 1 to 64, got {value!r}", param, ctx)
        return int(value)


_MODEL = (
    click.option(
        "--model",
        metavar="NAME|PATH",
        default=AUTO,
        help="A preset, a .keras or .tflite file, a SavedModel or a run's folder; auto chooses a "
        "preset for each hole, on known places around it.",
    ),
)
_NETWORK = (
    click.option(
        "--runtime",
        type=click.Choice(["auto", "keras", "saved-model", "litert"]),
        default="auto",
        help="The runtime; auto is litert if the model has a TFLite file for any size.",
    ),
    click.option(
        "--blend",
        type=click.Choice(METHODS),
        default=USUAL,
        help="How the hole's rim is matched to the photo; none keeps the network's pixels.",
    ),
    click.option(
        "--coarse",
        type=click.Choice(["auto", "off"]),
        default="auto",
        help="Holes wider than the network sees: auto completes a reduced photo first, off fails.",
    ),
    click.option(
        "--scale",
        type=_Scale(),
        default=AUTO,
        metavar="auto|N",
        help="Factor by which the photo is reduced before it is completed; auto chooses it for "
        "each hole.",
    ),
    click.option(
        "--texture",
        type=click.Choice(TEXTURE),
        default=AUTO,
        help="Fill holes with texture from the photo; auto does so if they are completed by a "
        "network for photos in general.",
    ),
)
_MASK = (
    click.option(
        "--mask-polarity",
        type=click.Choice(["white", "black"]),
        default="white",
        help="The colour of the hole in a mask file.",
    ),
    click.option(
        "--grow",
        type=click.IntRange(min=0),
        default=0,
        metavar="PIXELS",
        help="Widen the hole on all sides.",
    ),
    click.option(
        "--resize-mask", is_flag=True, help="Resize a mask of another size to the photo's."
    ),
)


def network_options(command: Callable) -> Callable:
    """Add the settings of `Inpainter` to a command: runtime, blend, coarse, scale, texture."""
    return _with(_NETWORK, command)


def completing_options(command: Callable) -> Callable:
    """Add the options of the model, of `network_options` and of the mask to a command."""
    return _with(_MODEL + _NETWORK + _MASK, command)


def _with(options: tuple[Callable, ...], command: Callable) -> Callable:
    for option in reversed(options):
        command = option(command)
    return command


def loader(
    model: str, network: dict[str, Any], threads: int | None = None
) -> "Callable[[], Completer]":
    """Return a picklable function that loads the model.

    Args:
        model: The value of `--model`.
        network: The values of `network_options`.
        threads: As for `Inpainter`.

    Raises:
        ValueError: If the model does not exist.
    """
    from keras_inpaint import presets
    from keras_inpaint.inference.inpainter import Inpainter

    names = None if model == AUTO else model
    presets.resolve(names, prefer=".tflite" if network["runtime"] == "litert" else ".keras")
    return partial(_quietly, partial(Inpainter, model, threads=threads, **network))


def _quietly(load: "Callable[[], Completer]") -> "Completer":
    with suppress_native_logs():
        return load()
