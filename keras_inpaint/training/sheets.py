"""Contact sheets and animations of fixed photos, for judging a GAN's training by eye."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_inpaint.files import replacing

_GAP = 4
_INK, _PAPER = (40, 40, 44), (250, 250, 248)


def contact_sheet(
    columns: Sequence[np.ndarray], titles: Sequence[str], caption: str
) -> Image.Image:
    """Arrange photos in rows, with one version of the photo per column.

    Args:
        columns: Float arrays `(count, height, width, 3)` in [0, 1], all of the same shape.
        titles: Strings, one title per column.
        caption: String, the text above the sheet.

    Returns:
        A `PIL.Image.Image`.
    """
    count, height, width = columns[0].shape[:3]
    zoom = max(1, round(128 / width))
    height, width = height * zoom, width * zoom
    sets = 1 if count <= 4 else 2
    rows = -(-count // sets)
    font = ImageFont.load_default(13)
    head = 2 * 20 + _GAP
    block = len(columns) * (width + _GAP) + 3 * _GAP
    size = (sets * block, head + rows * (height + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((2 * _GAP, 3), caption, fill=_INK, font=font)
    for part in range(sets):
        for number, (pixels, title) in enumerate(zip(columns, titles, strict=True)):
            left = part * block + 2 * _GAP + number * (width + _GAP)
            draw.text((left, 23), title, fill=_INK, font=font)
            for row, index in enumerate(range(part * rows, min(count, (part + 1) * rows))):
                sheet.paste(to_image(pixels[index], zoom), (left, head + row * (height + _GAP)))
    return sheet


def grid(pixels: np.ndarray, caption: str) -> Image.Image:
    """Arrange photos `(count, height, width, 3)` in [0, 1] in a grid, as an animation frame."""
    count, height, width = pixels.shape[:3]
    zoom = max(1, round(96 / width))
    across = min(4, count)
    down = -(-count // across)
    font = ImageFont.load_default(12)
    frame = Image.new("RGB", (across * width * zoom, 18 + down * height * zoom), _PAPER)
    ImageDraw.Draw(frame).text((4, 2), caption, fill=_INK, font=font)
    for index in range(count):
        row, column = divmod(index, across)
        place = (column * width * zoom, 18 + row * height * zoom)
        frame.paste(to_image(pixels[index], zoom), place)
    return frame


def to_image(pixels: np.ndarray, zoom: int = 1) -> Image.Image:
    """Return a float array `(height, width, 3)` in [0, 1] as an image, enlarged `zoom` times."""
    image = Image.fromarray(np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * 255).astype("uint8"))
    size = (image.width * zoom, image.height * zoom)
    return image if zoom == 1 else image.resize(size, Image.Resampling.NEAREST)


def save_image(image: Image.Image, path: Path) -> None:
    """Write an image atomically."""
    with replacing(path) as temporary:
        image.save(temporary)


def save_animation(frames: Sequence[Path], path: Path, seconds: float = 0.35) -> None:
    """Write image files as an infinitely looping GIF, atomically; the last frame is shown longer.

    Args:
        frames: Paths of images of the same size.
        path: Path of the `.gif`.
        seconds: Float, duration of each frame but the last.
    """
    if not frames:
        return
    images = []
    for frame in frames:
        with Image.open(frame) as file:
            images.append(file.convert("RGB").quantize(192, dither=Image.Dither.FLOYDSTEINBERG))
    durations = [round(1000 * seconds)] * (len(images) - 1) + [2500]
    with replacing(path) as temporary:
        images[0].save(
            temporary, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0
        )
