"""Stored pixels of any mode <-> the 8-bit RGB that a completion network sees.

A mode is Pillow's name of it, or one of the three that Pillow reduces to 8 bits: `LA;16`,
`RGB;16` and `RGBA;16`. Only the pixels of a hole are ever converted back, so whatever the
conversion loses, the rest of the photo keeps its stored values.
"""

import cv2
import numpy as np

from keras_inpaint.photos.cmyk import cmyk_to_rgb, rgb_to_cmyk

Transparency = int | tuple[int, ...] | bytes | None

BANDS = {
    "1": 1,
    "L": 1,
    "LA": 2,
    "P": 1,
    "PA": 2,
    "RGB": 3,
    "RGBA": 4,
    "CMYK": 4,
    "I;16": 1,
    "I;16B": 1,
    "LA;16": 2,
    "RGB;16": 3,
    "RGBA;16": 4,
}
"""Channels of every mode that can be completed."""

GREY = {"1", "L", "LA", "I;16", "I;16B", "LA;16"}
WITH_ALPHA = {"LA", "PA", "RGBA", "LA;16", "RGBA;16"}
HIGH_BIT_DEPTH = {"I;16", "I;16B", "LA;16", "RGB;16", "RGBA;16"}

_TO_8_BIT = ((np.arange(65536, dtype=np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
_BAYER = np.zeros((1, 1))
for _ in range(3):
    _BAYER = np.block([[4 * _BAYER, 4 * _BAYER + 2], [4 * _BAYER + 3, 4 * _BAYER + 1]])
_BAYER = (_BAYER + 0.5) * 255 / 64  # thresholds, each between black and white
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's convert("L")


def to_rgb(
    pixels: np.ndarray, mode: str, palette: np.ndarray | None = None, icc: bytes | None = None
) -> np.ndarray:
    """Return stored pixels as the network sees them.

    Args:
        pixels: `(height, width)` or `(height, width, bands)`; bool for `1`, uint16 for the
            16-bit modes, else uint8.
        mode: A key of `BANDS`.
        palette: uint8 `(colours, 4)` RGBA, for `P` and `PA`; it covers every index in use.
        icc: The photo's ICC profile, used for `CMYK` only.

    Returns:
        uint8 `(height, width, 3)`; for `RGB` the very array that was given.
    """
    if mode == "RGB":
        return pixels
    if mode in ("P", "PA"):
        return _checked(palette)[pixels if mode == "P" else pixels[..., 0], :3]
    if mode == "CMYK":
        return cmyk_to_rgb(pixels, icc)
    if mode in GREY:
        return np.repeat(brightness(pixels, mode)[..., None], 3, axis=-1)
    values = pixels[..., :3]
    return _TO_8_BIT[values] if mode in HIGH_BIT_DEPTH else values


def brightness(
    pixels: np.ndarray, mode: str, palette: np.ndarray | None = None, icc: bytes | None = None
) -> np.ndarray:
    """Return the luma of stored pixels.

    Args:
        pixels: As for `to_rgb`.
        mode: A key of `BANDS`.
        palette: uint8 `(colours, 4)` RGBA, for `P` and `PA`.
        icc: The photo's ICC profile, used for `CMYK` only.

    Returns:
        uint8 `(height, width)`, 0 black to 255 white.
    """
    if mode not in GREY:
        return cv2.cvtColor(to_rgb(pixels, mode, palette, icc), cv2.COLOR_RGB2GRAY)
    values = pixels[..., 0] if mode in WITH_ALPHA else pixels
    if mode == "1":
        return np.where(values, np.uint8(255), np.uint8(0))
    return _TO_8_BIT[values] if mode in HIGH_BIT_DEPTH else values


def alpha_of(
    pixels: np.ndarray,
    mode: str,
    palette: np.ndarray | None = None,
    transparency: Transparency = None,
) -> np.ndarray | None:
    """Return the opacity of stored pixels, 0 transparent to 255 opaque.

    Args:
        pixels: As for `to_rgb`.
        mode: A key of `BANDS`.
        palette: uint8 `(colours, 4)` RGBA, for `P` and `PA`; it covers every index in use.
        transparency: The value that a file declares transparent (PNG's tRNS, GIF's index).

    Returns:
        uint8 `(height, width)`, or None where the photo has no transparency.
    """
    if mode in WITH_ALPHA:
        alpha = pixels[..., -1]
        return _TO_8_BIT[alpha] if mode in HIGH_BIT_DEPTH else alpha
    if transparency is None:
        return None
    if mode == "P":
        return _checked(palette)[pixels, 3]
    key = bool(transparency) if mode == "1" else np.asarray(transparency)
    clear = pixels == key
    return np.where(clear.all(axis=-1) if clear.ndim == 3 else clear, 0, 255).astype(np.uint8)


def filled(
    pixels: np.ndarray,
    mode: str,
    hole: np.ndarray,
    rgb: np.ndarray,
    *,
    palette: np.ndarray | None = None,
    transparency: Transparency = None,
    icc: bytes | None = None,
    opaque: bool = False,
) -> np.ndarray:
    """Return stored pixels with new colours in the hole and nothing else changed.

    Args:
        pixels: As for `to_rgb`; not changed.
        mode: A key of `BANDS`.
        hole: bool `(height, width)`.
        rgb: uint8 `(height, width, 3)`; read inside the hole only.
        palette: uint8 `(colours, 4)` RGBA, for `P` and `PA`; it covers every index in use.
        transparency: The value that a file declares transparent.
        icc: The photo's ICC profile, used for `CMYK` only.
        opaque: Make the hole opaque; otherwise every pixel keeps the opacity it has.

    Returns:
        An array like `pixels`. Grey modes take the luma of `rgb`; 16-bit modes its values
        times 257; palette modes the nearest colour of the palette, without dithering; `1` is
        dithered by an 8x8 matrix, so that grey stays grey on the whole.
    """
    out = pixels.copy()
    old, new = pixels[hole], rgb[hole]
    if not len(new):
        return out
    if mode == "CMYK":
        out[hole] = rgb_to_cmyk(new, icc)
    elif mode == "P":
        out[hole] = _palette_filled(old, new, _checked(palette), opaque=opaque)
    elif mode in WITH_ALPHA:
        top = np.iinfo(pixels.dtype).max
        alpha = np.full(len(new), top, pixels.dtype) if opaque else old[:, -1]
        out[hole] = np.column_stack([_colours(new, mode, palette, pixels.dtype), alpha])
    else:
        colours = (
            _dithered(new @ _LUMA, hole)
            if mode == "1"
            else _colours(new, mode, palette, pixels.dtype)
        )
        if transparency is not None:
            _step_off(colours, transparency)
            if not opaque:
                keep = alpha_of(old[None], mode, palette, transparency)[0] == 0
                colours[keep] = old[keep]
        out[hole] = colours
    return out


def _checked(palette: np.ndarray | None) -> np.ndarray:
    if palette is None:
        raise ValueError("A photo of palette indices needs its palette. Received: palette=None")
    return palette


def _colours(rgb: np.ndarray, mode: str, palette: np.ndarray | None, dtype: np.dtype) -> np.ndarray:
    """Return `(n, 3)` colours in a mode's own bands, without its alpha."""
    if mode == "PA":
        colours = _checked(palette)
        return _nearest(rgb, colours, np.arange(len(colours)))
    scale = 257 if mode in HIGH_BIT_DEPTH else 1
    if mode not in GREY:
        return rgb.astype(dtype) * dtype.type(scale)
    return np.round(rgb @ _LUMA * scale).astype(dtype)


def _dithered(luma: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Return `(n,)` lumas as black or white, by where in the picture each pixel lies."""
    rows, columns = np.nonzero(hole)
    return luma > _BAYER[rows % 8, columns % 8]


def _palette_filled(
    old: np.ndarray, rgb: np.ndarray, palette: np.ndarray, *, opaque: bool
) -> np.ndarray:
    """Return palette indices for `(n, 3)` colours, each as opaque as the index it replaces."""
    alpha = palette[:, 3]
    if opaque:
        return _nearest(rgb, palette, np.flatnonzero(alpha == alpha.max()))
    out = old.copy()
    for level in np.unique(alpha[old]):
        if level:
            here = alpha[old] == level
            out[here] = _nearest(rgb[here], palette, np.flatnonzero(alpha == level))
    return out


def _nearest(rgb: np.ndarray, palette: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Return which of a palette's `entries` is nearest to each of `(n, 3)` colours."""
    colours = palette[entries, :3].astype(np.float32)
    packed = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    distinct, back = np.unique(packed, return_inverse=True)
    wanted = np.stack([distinct >> 16, distinct >> 8 & 255, distinct & 255], -1).astype(np.float32)
    found = np.empty(len(wanted), np.uint8)
    for start in range(0, len(wanted), 1 << 16):
        part = slice(start, start + (1 << 16))
        distance = (colours**2).sum(1) - 2 * wanted[part] @ colours.T
        found[part] = entries[distance.argmin(1)]
    return found[back]


def _step_off(colours: np.ndarray, key: Transparency) -> None:
    """Move colours that equal the transparent one by one level, in place."""
    if colours.dtype == bool:
        colours[:] = not key  # the only opaque colour there is
        return
    hit = colours == np.asarray(key)
    hit = hit if hit.ndim == 1 else hit.all(axis=-1)
    last = colours if colours.ndim == 1 else colours[:, -1]
    value = int(np.ravel(np.asarray(key))[-1])
    last[hit] = value - 1 if value else 1
