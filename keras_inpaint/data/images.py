"""Decoding of photos in a TensorFlow graph, and sets of images that a graph can index."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from keras_inpaint.data.files import portable_bytes, split_names
from keras_inpaint.files import printable


def exif_orientation(data: bytes) -> int:
    """Return the EXIF orientation of an encoded photo, 1 to 8; 1 if it has none.

    Raises:
        OSError: If the bytes are not an image.
        ValueError: If they are a truncated JPEG, for each of which TensorFlow would log a line of
            its own.
    """
    from PIL import Image

    if data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < 0:
        raise ValueError("the JPEG is truncated")
    with Image.open(io.BytesIO(data)) as photo:
        orientation = photo.getexif().get(0x0112, 1)
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def decode_photo(data: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Decode a JPEG, PNG, WebP, BMP or GIF (its first frame) upright.

    Args:
        data: String scalar tensor.
        orientation: Int32 scalar tensor, the EXIF orientation, 1 to 8.

    Returns:
        Uint8 tensor `(height, width, 3)`.
    """
    return upright(decode_stored(data), orientation)


def decode_stored(data: tf.Tensor) -> tf.Tensor:
    """Decode a photo as `decode_photo` does, but without applying its orientation."""
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    return tf.ensure_shape(pixels, (None, None, 3))


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Rotate and flip an image `(height, width, channels)` according to its EXIF orientation."""
    cases = [
        lambda: image,
        lambda: tf.reverse(image, [1]),
        lambda: tf.reverse(image, [0, 1]),
        lambda: tf.reverse(image, [0]),
        lambda: tf.transpose(image, [1, 0, 2]),
        lambda: tf.reverse(tf.transpose(image, [1, 0, 2]), [1]),
        lambda: tf.reverse(tf.transpose(image, [1, 0, 2]), [0, 1]),
        lambda: tf.reverse(tf.transpose(image, [1, 0, 2]), [0]),
    ]
    return tf.switch_case(orientation - 1, cases)


@dataclass(frozen=True)
class Images:
    """A set of images that a graph can look up by index.

    Attributes:
        fetch: Function from an int64 scalar tensor, the index of an image, to a uint8 tensor
            `(height, width, 3)`.
        names: The images' names; the part before `__` is the group (a person, a scene).
        sides: Int array `(count, 2)`, height and width in pixels.
        sums: Float64 array `(count, 3)`, red, green and blue in [0, 1], summed over each image;
            for a downscaled image, the mean of the original times its number of pixels.
        digests: The images' SHA-256 digests in hexadecimal.
        source: String, the source of the images.
        skipped: Dict from the printable names of unreadable files to the reasons.
        cached: Whether all images stay in memory once decoded.
    """

    fetch: Callable[[tf.Tensor], tf.Tensor]
    names: tuple[str, ...]
    sides: np.ndarray
    sums: np.ndarray
    digests: tuple[str, ...]
    source: str
    skipped: dict[str, str] = field(default_factory=dict)
    cached: bool = True

    def __len__(self) -> int:
        return len(self.names)

    @property
    def mean_pixel(self) -> tuple[float, float, float]:
        """The mean red, green and blue over all pixels, in [0, 1]."""
        red, green, blue = self.sums.sum(0) / self.sides.prod(1, dtype="float64").sum()
        return float(red), float(green), float(blue)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 hex digest of all names and contents, independent of their order."""
        lines = sorted(f"{n}\0{d}" for n, d in zip(self.names, self.digests, strict=True))
        return hashlib.sha256(portable_bytes("\n".join(lines))).hexdigest()

    def subset(self, numbers: Sequence[int]) -> "Images":
        """Return the images with these indices, in this order."""
        chosen = np.asarray(numbers, "int64")
        table = tf.constant(chosen)
        return Images(
            fetch=lambda index: self.fetch(tf.gather(table, index)),
            names=tuple(self.names[i] for i in chosen),
            sides=self.sides[chosen],
            sums=self.sums[chosen],
            digests=tuple(self.digests[i] for i in chosen),
            source=self.source,
            skipped=self.skipped,
            cached=self.cached,
        )

    def split(self, held_out: float, seed: int = 0) -> tuple["Images", "Images"]:
        """Split by group, so that no person or scene is in both parts.

        Args:
            held_out: Float in [0, 1), the fraction of the groups to hold out.
            seed: Int.

        Returns:
            The training images and the held-out images. With `held_out` above 0, both have at
            least one group.

        Raises:
            ValueError: If `held_out` is out of its range, or there is only one group to split.
        """
        try:
            kept, out = split_names(self.names, held_out, seed)
        except ValueError as error:
            raise ValueError(f"{self.source}: {error}") from None
        return (self if not out else self.subset(kept)), self.subset(out)

    def require_side(self, size: int) -> None:
        """Check that no side is below `size` pixels.

        Raises:
            ValueError: If one is; the message names the images.
        """
        small = np.flatnonzero(self.sides.min(axis=1) < size)
        if len(small):
            shown = ", ".join(
                f"{printable(self.names[i])} ({self.sides[i][1]}x{self.sides[i][0]})"
                for i in small[:3]
            )
            more = f" and {len(small) - 3} more" if len(small) > 3 else ""
            raise ValueError(
                f"smaller than the crop of {size} px: {shown}{more}; choose a smaller size or "
                "remove these images"
            )
