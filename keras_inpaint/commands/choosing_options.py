"""The options of the commands that complete: the network, what chooses among several, the mask."""

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
        help="A preset, a .keras or .tflite file, a SavedModel or a run's folder; auto chooses "
        "among the presets, hole by hole, by what is known around it.",
    ),
)
_NETWORK = (
    click.option(
        "--runtime",
        type=click.Choice(["auto", "keras", "saved-model", "litert"]),
        default="auto",
        help="What computes it; auto is litert where the model has a TFLite file for any size.",
    ),
    click.option(
        "--blend",
        type=click.Choice(METHODS),
        default=USUAL,
        help="How the hole's rim is matched to the photo; none leaves what the network gives.",
    ),
    click.option(
        "--coarse",
        type=click.Choice(["auto", "off"]),
        default="auto",
        help="Holes wider than the network can see: complete a reduced photo first, or refuse.",
    ),
    click.option(
        "--scale",
        type=_Scale(),
        default=AUTO,
        metavar="auto|N",
        help="Complete on the photo reduced to one part in N; auto chooses what fits the hole.",
    ),
    click.option(
        "--texture",
        type=click.Choice(TEXTURE),
        default=AUTO,
        help="Compose holes of texture from the photo; auto does where a network for photos in "
        "general completes them.",
    ),
)
_MASK = (
    click.option(
        "--mask-polarity",
        type=click.Choice(["white", "black"]),
        default="white",
        help="What marks the hole in a mask file.",
    ),
    click.option(
        "--grow",
        type=click.IntRange(min=0),
        default=0,
        metavar="PIXELS",
        help="Widen the hole all around.",
    ),
    click.option(
        "--resize-mask", is_flag=True, help="Resize a mask of another size to the photo's."
    ),
)


def network_options(command: Callable) -> Callable:
    """Give a command what `Inpainter` takes: runtime, blend, coarse, scale, texture."""
    return _with(_NETWORK, command)


def completing_options(command: Callable) -> Callable:
    """Give a command the options of one model, of `network_options`, and of reading masks."""
    return _with(_MODEL + _NETWORK + _MASK, command)


def _with(options: tuple[Callable, ...], command: Callable) -> Callable:
    for option in reversed(options):
        command = option(command)
    return command


def loader(
    model: str, network: dict[str, Any], threads: int | None = None
) -> "Callable[[], Completer]":
    """Return what loads the model, which can be pickled.

    Args:
        model: What `--model` says.
        network: The values of `network_options`.
        threads: As for `Inpainter`.

    Raises:
        ValueError: At once, if there is no such model.
    """
    from keras_inpaint import presets
    from keras_inpaint.inference.inpainter import Inpainter

    names = None if model == AUTO else model
    presets.resolve(names, prefer=".tflite" if network["runtime"] == "litert" else ".keras")
    return partial(_quietly, partial(Inpainter, model, threads=threads, **network))


def _quietly(load: "Callable[[], Completer]") -> "Completer":
    with suppress_native_logs():
        return load()
