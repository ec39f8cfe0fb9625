"""The options of the commands that choose a working scale and texture."""

from collections.abc import Callable
from typing import Any

import click

from keras_inpaint.inference.blend_methods import AUTO, TEXTURE


class _Scale(click.ParamType):
    name = "scale"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        if value == AUTO or isinstance(value, int):
            return value
        if not (value.isascii() and value.isdecimal()) or not 1 <= int(value[:9]) <= 64:
            self.fail(f"expected auto or an integer from 1 to 64, got {value!r}", param, ctx)
        return int(value)


def scale_and_texture(command: Callable) -> Callable:
    """Give a command the options `--scale` and `--texture`, as `Inpainter` takes them."""
    scale = click.option(
        "--scale",
        type=_Scale(),
        default=AUTO,
        show_default=True,
        metavar="auto|N",
        help="Complete on the photo reduced to one part in N; auto chooses what fits the hole.",
    )
    texture = click.option(
        "--texture",
        type=click.Choice(TEXTURE),
        default=AUTO,
        show_default=True,
        help="Compose holes of texture from the photo; auto does where a network for photos in "
        "general completes them.",
    )
    return scale(texture(command))
