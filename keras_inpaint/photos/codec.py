"""Decode and encode photo files, keeping everything that completion does not have to change."""

import io
import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import TiffImageFile

from keras_inpaint.files import one_line, printable
from keras_inpaint.photos.formats import FORMATS, SUFFIXES, format_by_suffix
from keras_inpaint.photos.metadata import metadata_of
from keras_inpaint.photos.photo import Photo, as_stored, fit
from keras_inpaint.photos.raster import MODES, WITH_ALPHA, Raster, Transparency

Image.init()
_PILLOW_NAMES = {name: kind for kind, entry in FORMATS.items() for name in entry.pillow}
_OPENED = [name for name in _PILLOW_NAMES if name in Image.OPEN]  # MPO is opened as JPEG


def decode_photo(data: bytes, name: str | Path = "photo") -> Photo:
    """Decode a JPEG, PNG, WebP, TIFF, BMP, AVIF or HEIC photo, or the first frame of a GIF.

    AVIF is supported if the installed Pillow supports it, HEIC if the package `pillow-heif` is
    installed. The format is determined from the content, not from the file name.

    Args:
        data: The file's bytes.
        name: The name of the file in messages; an extension that does not match is noted.

    Returns:
        The photo. Its `image` is the input for a completion network.

    Raises:
        ValueError: If it is empty, not a photo, damaged, larger than Pillow's limit against
            decompression bombs (179 million pixels), or has pixels that cannot be preserved
            (32-bit and floating-point, 16-bit CMYK, CIELAB).
    """
    path = Path(name)
    if not data:
        raise ValueError(f"{printable(path)}: is empty (0 bytes)")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            photo = _decode(data, path)
        except Image.DecompressionBombError as error:
            raise ValueError(f"{printable(path)}: is too large ({error})") from error
        except Image.UnidentifiedImageError as error:
            raise ValueError(
                f"{printable(path)}: is not a {_formats()}, or its header is damaged"
            ) from error
        except Exception as error:  # decoding a damaged file can raise almost anything
            raise ValueError(f"{printable(path)}: cannot be read ({one_line(error)})") from error
    ignored = (Image.DecompressionBombWarning, ResourceWarning)
    notes = [
        f"while reading: {one_line(warning.message)}"
        for warning in caught
        if not issubclass(warning.category, ignored)
    ]
    return replace(photo, notes=photo.notes + tuple(dict.fromkeys(notes)))


def encode_photo(
    photo: Photo, format: str | None = None, name: str | Path = "photo"
) -> tuple[bytes, tuple[str, ...]]:
    """Encode a photo.

    Args:
        photo: The photo to encode.
        format: A key of `FORMATS`; None is the photo's own.
        name: The name of the file in messages.

    Returns:
        The bytes of the file, and notes on changes that the format required, one sentence each.

    Raises:
        ValueError: If the format cannot store the photo, e.g. transparency in a JPEG.
    """
    format = format or photo.format
    try:
        fitted, notes = fit(photo, format)
        data, more = FORMATS[format].encode(fitted.raster, fitted.metadata)
    except Exception as error:  # encoding unusual metadata can raise almost anything
        raise ValueError(f"{printable(name)}: cannot be written ({one_line(error)})") from error
    return data, tuple(notes + more)


def output_format(photo: Photo, path: Path) -> str:
    """Return the format for an output file's name, or the photo's own if it has no extension.

    Raises:
        ValueError: If the extension is not that of a photo format.
    """
    if not path.suffix:
        return photo.format
    name = format_by_suffix(path)
    if name is None:
        known = " ".join(sorted(SUFFIXES))
        raise ValueError(f"{printable(path)}: no known photo format; known extensions: {known}")
    return name


def _formats() -> str:
    *first, last = FORMATS
    heic = "" if "HEIF" in FORMATS else " (HEIC: pip install keras-inpaint[heic])"
    return f"{', '.join(first)} or {last} file{heic}"


def _decode(data: bytes, path: Path) -> Photo:
    notes: list[str] = []
    with Image.open(io.BytesIO(data), formats=_OPENED) as image:
        kind = _PILLOW_NAMES[str(image.format)]
        named = format_by_suffix(path)
        if named is not None and named != kind:
            notes.append(f"is named {path.suffix} but contains a {kind}")
        png = data if kind == "PNG" else None
        mode = _mode(image, png)
        metadata, left_out = metadata_of(image, png)
        notes += left_out
        orientation = _orientation(image)
        frames = 2 if getattr(image, "is_animated", False) else 1
        if image.info.get("bit_depth", 8) > 8:
            notes.append(f"its {image.info['bit_depth']} bits per channel are reduced to 8")
        if frames > 1:
            notes.append("contains several images; only the first is completed and written")
            image.seek(0)
        image.load()
        if mode in ("LA;16", "RGB;16", "RGBA;16"):
            pixels = _decode_16_bit(data, mode)
        else:
            pixels = np.asarray(image)
    palette, transparency = None, image.info.get("transparency")
    if mode in ("P", "PA"):
        palette = _palette(image, pixels if mode == "P" else pixels[..., 0], transparency)
    elif mode in WITH_ALPHA or isinstance(transparency, bytes):
        transparency = None
    elif png is not None and mode == "L" and isinstance(transparency, int):
        transparency = transparency * 255 // (2 ** png[24] - 1)  # for 1, 2, 4 or 8 bits
    if mode == "I;16B":
        pixels = pixels.astype(np.uint16)
    if isinstance(image, TiffImageFile):
        if mode.startswith("I;16") and image.tag_v2.get(262) == 0:
            pixels = 65535 - pixels  # WhiteIsZero; written as BlackIsZero
        pixels = as_stored(pixels, orientation)
    raster = Raster(pixels, mode, palette, transparency, image.info.get("icc_profile") or None)
    return Photo(path, kind, raster, orientation, metadata, frames, tuple(notes))


def _mode(image: Image.Image, png: bytes | None) -> str:
    """Return the mode of the stored pixels, including modes that Pillow would reduce to 8 bits."""
    mode = image.mode
    bits: tuple[int, ...] = (8,)
    if png is not None and png[24] == 16:
        mode = {0: "I;16", 2: "RGB;16", 4: "LA;16", 6: "RGBA;16"}.get(png[25], mode)
    elif isinstance(image, TiffImageFile):
        bits = tuple(image.tag_v2.get(258, (1,)))
        if max(bits) > 8 and mode in ("RGB", "RGBA"):
            mode = f"{mode};16" if set(bits) == {16} else f"{mode} of {max(bits)} bits"
        elif (mode == "CMYK" and max(bits) > 8) or (mode.startswith("I;16") and bits != (16,)):
            mode = f"{mode} of {max(bits)} bits"
    if mode not in MODES:
        raise ValueError(f"pixels of mode {mode} cannot be preserved; convert the photo first")
    return mode


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF can raise almost anything; the photo is still usable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _decode_16_bit(data: bytes, mode: str) -> np.ndarray:
    """Decode the 16-bit pixels of a PNG or TIFF, which Pillow would reduce to 8 bits.

    Args:
        data: The file's bytes.
        mode: The mode according to the file's header.

    Returns:
        Uint16 `(height, width, bands)`; a TIFF's orientation is already applied.
    """
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[-1] < 3:
        raise ValueError("its 16-bit pixels cannot be decoded")
    bands = {"LA;16": [0, 3], "RGB;16": [2, 1, 0], "RGBA;16": [2, 1, 0, 3]}[mode]
    if max(bands) >= decoded.shape[-1]:
        raise ValueError(
            "its 16-bit pixels have no alpha channel, although its header declares one"
        )
    return np.ascontiguousarray(decoded[..., bands])


def _palette(image: Image.Image, used: np.ndarray, transparency: Transparency) -> np.ndarray:
    """Return the palette as RGBA, extended to cover every index in use."""
    colours = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    missing = int(used.max()) + 1 - len(colours)
    if missing > 0:
        colours = np.vstack([colours, np.zeros((missing, 3), np.uint8)])
    alpha = np.full(len(colours), 255, np.uint8)
    if isinstance(transparency, bytes):
        values = np.frombuffer(transparency[: len(alpha)], np.uint8)
        alpha[: len(values)] = values
    elif isinstance(transparency, int) and transparency < len(alpha):
        alpha[transparency] = 0
    return np.column_stack([colours, alpha])
