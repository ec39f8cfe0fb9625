"""CMYK inks <-> RGB, through the photo's own profile where it has one."""

import io
import logging

import numpy as np
from PIL import Image, ImageCms

logger = logging.getLogger(__name__)


def colour_space(icc: bytes | None) -> str | None:
    """Return the colour space that an ICC profile describes: `RGB`, `GRAY`, `CMYK`, ...

    Args:
        icc: The profile's bytes, or None.

    Returns:
        The name in the profile's header, or None without a profile.
    """
    if not icc or len(icc) < 128:
        return None
    return icc[16:20].decode("latin-1").strip()


def cmyk_to_rgb(inks: np.ndarray, icc: bytes | None) -> np.ndarray:
    """Return the 8-bit RGB of CMYK values.

    Args:
        inks: uint8 `(..., 4)`, 255 is full ink.
        icc: The photo's profile. With a CMYK profile the colours are those of the profile,
            in sRGB; without one they are Pillow's plain formula.

    Returns:
        uint8 `(..., 3)` in [0, 255].
    """
    return _convert(inks, "CMYK", "RGB", icc)


def rgb_to_cmyk(rgb: np.ndarray, icc: bytes | None) -> np.ndarray:
    """Return CMYK values of 8-bit RGB; the way back of `cmyk_to_rgb`, with the same `icc`.

    Args:
        rgb: uint8 `(..., 3)`.
        icc: The photo's profile.

    Returns:
        uint8 `(..., 4)`, 255 is full ink.
    """
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
        profile = ImageCms.getOpenProfile(io.BytesIO(icc))
        screen = ImageCms.createProfile("sRGB")
        first, last = (profile, screen) if source == "CMYK" else (screen, profile)
        return ImageCms.buildTransform(
            first,
            last,
            source,
            target,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        logger.warning("The photo's CMYK profile cannot be used (%s); plain CMYK instead", error)
        return None
