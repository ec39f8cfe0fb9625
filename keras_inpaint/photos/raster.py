"""Stored pixels of any mode, and their conversion to 8-bit RGB for the completion network.

A mode is one of Pillow's, or one of three that Pillow reduces to 8 bits: `LA;16`, `RGB;16` and
`RGBA;16`. Only the pixels of a hole are converted back, so that all other pixels keep their
stored values even if the conversion is lossy.
"""

import io
import logging
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from PIL import Image, ImageCms

logger = logging.getLogger(__name__)

Transparency = int | tuple[int, ...] | bytes | None

GREY = ("1", "L", "LA", "I;16", "I;16B", "LA;16")
MODES = (*GREY, "P", "PA", "RGB", "RGBA", "CMYK", "RGB;16", "RGBA;16")
"""The modes of photos that can be completed."""

WITH_ALPHA = {"LA", "PA", "RGBA", "LA;16", "RGBA;16"}
HIGH_BIT_DEPTH = {"I;16", "I;16B", "LA;16", "RGB;16", "RGBA;16"}

_TO_8_BIT = ((np.arange(65536, dtype=np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
_BAYER = np.zeros((1, 1))
for _ in range(3):
    _BAYER = np.block([[4 * _BAYER, 4 * _BAYER + 2], [4 * _BAYER + 3, 4 * _BAYER + 1]])
_BAYER = (_BAYER + 0.5) * 255 / 64  # thresholds strictly between black and white
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's convert("L")


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels as stored in a file. Returned arrays may be views; do not modify them.

    Attributes:
        pixels: `(height, width)` or `(height, width, channels)`; bool for mode `1`, uint16 for
            the 16-bit modes, otherwise uint8.
        mode: One of `MODES`.
        palette: uint8 `(colours, 4)` RGBA, for `P` and `PA`; it covers every index in use.
        transparency: The transparent value or values: PNG's tRNS or GIF's index.
        icc: The ICC profile.
    """

    pixels: np.ndarray
    mode: str
    palette: np.ndarray | None = None
    transparency: Transparency = None
    icc: bytes | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {self.mode!r}")
        if self.mode in ("P", "PA") and self.palette is None:
            raise ValueError(f"mode {self.mode} needs a palette, got None")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.pixels.shape[:2]
        return width, height

    @cached_property
    def rgb(self) -> np.ndarray:
        """The 8-bit RGB input of the network, uint8 `(height, width, 3)`."""
        if self.mode == "RGB":
            return self.pixels
        if self.mode in ("P", "PA"):
            return self.palette[self.pixels if self.mode == "P" else self.pixels[..., 0], :3]
        if self.mode == "CMYK":
            return cmyk_to_rgb(self.pixels, self.icc)
        if self.mode in GREY:
            return np.repeat(self.luma[..., None], 3, axis=-1)
        return self._in_8_bits(self.pixels[..., :3])

    @cached_property
    def luma(self) -> np.ndarray:
        """The luma, uint8 `(height, width)`, 0 black to 255 white."""
        if self.mode not in GREY:
            return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)
        values = self.pixels[..., 0] if self.mode in WITH_ALPHA else self.pixels
        if self.mode == "1":
            return np.where(values, np.uint8(255), np.uint8(0))
        return self._in_8_bits(values)

    @cached_property
    def alpha(self) -> np.ndarray | None:
        """The opacity, uint8 `(height, width)`, 0 transparent to 255 opaque, or None."""
        if self.mode in WITH_ALPHA:
            return self._in_8_bits(self.pixels[..., -1])
        if self.transparency is None:
            return None
        if self.mode == "P":
            return self.palette[self.pixels, 3]
        return np.where(self._is_transparent(self.pixels), 0, 255).astype(np.uint8)

    def filled(self, hole: np.ndarray, rgb: np.ndarray, *, opaque: bool = False) -> "Raster":
        """Return a raster with new colours in the hole; all other pixels are unchanged.

        Grey modes use the luma of `rgb`, 16-bit modes its values times 257, and palette modes the
        nearest colour of the palette, without dithering. Mode `1` is dithered by an 8x8 Bayer
        matrix, so that the mean brightness is preserved.

        Args:
            hole: Bool `(height, width)`.
            rgb: uint8 `(height, width, 3)`; used inside the hole only.
            opaque: Whether to make the hole opaque; otherwise its opacity is unchanged.
        """
        pixels, new = self.pixels.copy(), rgb[hole]
        if len(new):
            pixels[hole] = self._stored(self.pixels[hole], new, hole, opaque)
        return replace(self, pixels=pixels)

    def converted(self, mode: str) -> "Raster":
        """Convert to mode L, LA, RGB or RGBA.

        The opacity is dropped if the mode has no alpha channel, and the ICC profile if it is for
        another colour space.
        """
        pixels = self.luma if mode in GREY else self.rgb
        if mode in WITH_ALPHA:
            alpha = self.alpha
            pixels = np.dstack([pixels, np.full_like(self.luma, 255) if alpha is None else alpha])
        fitting = colour_space(self.icc) in (None, "GRAY" if mode in GREY else "RGB")
        return Raster(pixels, mode, icc=self.icc if fitting else None)

    def _in_8_bits(self, values: np.ndarray) -> np.ndarray:
        return _TO_8_BIT[values] if self.mode in HIGH_BIT_DEPTH else values

    def _is_transparent(self, pixels: np.ndarray) -> np.ndarray:
        """Return which pixels, `(..., channels)` or grey `(...)`, have the transparent value."""
        key = bool(self.transparency) if self.mode == "1" else np.asarray(self.transparency)
        equal = pixels == key
        return equal.all(axis=-1) if self.mode not in GREY else equal

    def _stored(
        self, old: np.ndarray, rgb: np.ndarray, hole: np.ndarray, opaque: bool
    ) -> np.ndarray:
        """Convert `(n, 3)` colours to the pixels that replace `n` stored ones."""
        if self.mode == "CMYK":
            return rgb_to_cmyk(rgb, self.icc)
        if self.mode == "P":
            return self._indices(old, rgb, opaque)
        if self.mode == "PA":
            colours = _nearest(rgb, self.palette, np.arange(len(self.palette)))
        elif self.mode == "1":
            rows, columns = np.nonzero(hole)
            colours = rgb @ _LUMA > _BAYER[rows % 8, columns % 8]
        else:
            scale = 257 if self.mode in HIGH_BIT_DEPTH else 1
            values = np.round(rgb @ _LUMA * scale) if self.mode in GREY else rgb * np.uint16(scale)
            colours = values.astype(old.dtype)
        if self.mode in WITH_ALPHA:
            top = np.iinfo(old.dtype).max
            alpha = np.full(len(old), top, old.dtype) if opaque else old[:, -1]
            return np.column_stack([colours, alpha])
        if self.transparency is not None:
            _step_off(colours, self.transparency)
            if not opaque:
                keep = self._is_transparent(old)
                colours[keep] = old[keep]
        return colours

    def _indices(self, old: np.ndarray, rgb: np.ndarray, opaque: bool) -> np.ndarray:
        """Return palette indices of `(n, 3)` colours, with the opacity of the replaced pixels."""
        alpha = self.palette[:, 3]
        if opaque:
            return _nearest(rgb, self.palette, np.flatnonzero(alpha == alpha.max()))
        indices = old.copy()
        for level in np.unique(alpha[old]):
            if level:
                here = alpha[old] == level
                indices[here] = _nearest(rgb[here], self.palette, np.flatnonzero(alpha == level))
        return indices


def _nearest(rgb: np.ndarray, palette: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Return the nearest of a palette's `entries` for each of `(n, 3)` colours."""
    colours = palette[entries, :3].astype(np.float32)
    packed = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    packed, inverse = np.unique(packed, return_inverse=True)
    distinct = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], -1).astype(np.float32)
    nearest = np.empty(len(distinct), np.uint8)
    for start in range(0, len(distinct), 1 << 16):
        part = slice(start, start + (1 << 16))
        distance = (colours**2).sum(1) - 2 * distinct[part] @ colours.T
        nearest[part] = entries[distance.argmin(1)]
    return nearest[inverse]


def _step_off(colours: np.ndarray, key: Transparency) -> None:
    """Change colours that equal the transparent one by one level, in place."""
    if colours.dtype == bool:
        colours[:] = not key  # the only opaque colour
        return
    equal = colours == np.asarray(key)
    equal = equal if equal.ndim == 1 else equal.all(axis=-1)
    last = colours if colours.ndim == 1 else colours[:, -1]
    value = int(np.ravel(np.asarray(key))[-1])
    last[equal] = value - 1 if value else 1


def colour_space(icc: bytes | None) -> str | None:
    """Return the colour space of an ICC profile, such as `RGB`, `GRAY` or `CMYK`, or None."""
    if not icc or len(icc) < 128:
        return None
    return icc[16:20].decode("latin-1").strip()


def cmyk_to_rgb(inks: np.ndarray, icc: bytes | None) -> np.ndarray:
    """Convert CMYK values to 8-bit RGB.

    Args:
        inks: uint8 `(..., 4)`, 255 is full ink.
        icc: The photo's profile. A CMYK profile is used to convert to sRGB; otherwise, Pillow's
            simple formula is used.

    Returns:
        uint8 `(..., 3)` in [0, 255].
    """
    return _convert(inks, "CMYK", "RGB", icc)


def rgb_to_cmyk(rgb: np.ndarray, icc: bytes | None) -> np.ndarray:
    """Convert 8-bit RGB to CMYK values; the inverse of `cmyk_to_rgb` for the same `icc`."""
    return _convert(rgb, "RGB", "CMYK", icc)


def _convert(values: np.ndarray, source: str, target: str, icc: bytes | None) -> np.ndarray:
    flat = np.ascontiguousarray(values, dtype=np.uint8).reshape(-1, values.shape[-1])
    if not len(flat):
        return np.zeros((*values.shape[:-1], len(target)), np.uint8)
    strip = Image.frombytes(source, (len(flat), 1), flat.tobytes())
    transform = _transform(source, target, icc) if icc and colour_space(icc) == "CMYK" else None
    converted = strip.convert(target) if transform is None else transform.apply(strip)
    return np.asarray(converted).reshape(*values.shape[:-1], len(target))


def _transform(source: str, target: str, icc: bytes) -> ImageCms.ImageCmsTransform | None:
    try:
        profiles = [ImageCms.getOpenProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")]
        return ImageCms.buildTransform(
            *(profiles if source == "CMYK" else reversed(profiles)),
            source,
            target,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        logger.warning("the photo's CMYK profile cannot be used (%s); using plain CMYK", error)
        return None
