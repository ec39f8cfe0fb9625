"""The protocol's square: the shortest side to the size, then the centre."""

from PIL import Image


def square(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    """Resize the shortest side to `size`, keep the aspect, and cut out the centre.

    Args:
        image: The picture.
        size: Int, side of the result in px.
        resampling: Pillow's filter; it smooths where it reduces, but for `NEAREST`.

    Returns:
        A picture of `size` by `size` px.
    """
    width, height = image.size
    shortest = min(width, height)
    width = (width * size * 2 + shortest) // (2 * shortest)
    height = (height * size * 2 + shortest) // (2 * shortest)
    if (width, height) != image.size:
        image = image.resize((width, height), resampling)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))
