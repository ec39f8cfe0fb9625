"""What each file format holds, and how a photo is encoded in it."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from keras_inpaint.data.files import photo_suffixes
from keras_inpaint.photos import tiff
from keras_inpaint.photos.metadata import (
    PNG_SIGNATURE,
    Metadata,
    png_chunk,
    png_chunks,
    with_chunks,
)
from keras_inpaint.photos.raster import Raster


@dataclass(frozen=True)
class Format:
    """A file format that photos are read from and written to.

    Attributes:
        modes: The modes that it stores without a change.
        suffixes: The file names that mean it, the usual one first.
        pillow: Pillow's names of it.
        encode: Returns the bytes of a file of stored pixels and metadata, and notes on it.
        orientation: Whether it can say how the photo is turned.
        longest: Most pixels along a side, or None.
    """

    modes: tuple[str, ...]
    suffixes: tuple[str, ...]
    pillow: tuple[str, ...]
    encode: Callable[[Raster, Metadata], tuple[bytes, list[str]]]
    orientation: bool = True
    longest: int | None = None


_LOSSLESS_TIFF = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd"}
_BILEVEL_TIFF = {"tiff_ccitt", "group3", "group4"}
_LOSSY = "written as {} of quality 95 with 4:4:4 colour; the rest changes slightly too"
_JPEG_SEGMENT = 65500
_PNG_LEVEL = 3  # of a photo hardly larger than with 6, in less than half the time
_WEBP_EFFORT = 20
_PNG_COLOUR_TYPE = {"RGB;16": 2, "LA;16": 4, "RGBA;16": 6}
_BMP_HEADER = 108  # the fourth version, the first with alpha
_BMP_BIT_FIELDS = 3


def format_by_suffix(path: Path) -> str | None:
    """Return the format that a file name means, or None where it ends in nothing known."""
    return SUFFIXES.get(path.suffix.lower())


def holds(name: str, raster: Raster) -> bool:
    """Return whether a format stores a raster's mode and kind of transparency as they are."""
    if raster.mode not in FORMATS[name].modes:
        return False
    if raster.transparency is None or name == "PNG":
        return True
    return name == "GIF" and isinstance(raster.transparency, int)


def _image(raster: Raster) -> Image.Image:
    """Return a Pillow image of a raster in one of Pillow's own modes."""
    pixels, mode = raster.pixels, raster.mode
    if mode == "1":
        return Image.fromarray(pixels)
    if mode == "I;16B":
        pixels = pixels.astype(">u2")
    image = Image.frombuffer(mode, raster.size, np.ascontiguousarray(pixels), "raw", mode, 0, 1)
    if raster.palette is not None:
        image.putpalette(raster.palette[:, :3].tobytes(), "RGB")
    return image


def _save(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **{k: v for k, v in options.items() if v is not None})
    return stream.getvalue()


def _jpeg(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    notes = [_LOSSY.format("JPEG")]
    kept = {"exif": metadata.exif, "xmp": metadata.xmp, "comment": metadata.comment}
    for name, value in kept.items():
        if value and len(value) > _JPEG_SEGMENT:
            kept[name] = None
            notes.append(f"its {name.upper()} is too long for a JPEG and is not kept")
    data = _save(
        _image(raster),
        "JPEG",
        quality=95,
        subsampling=0,
        icc_profile=raster.icc,
        dpi=metadata.dpi,
        **kept,
    )
    return data, notes


def _avif(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    data = _save_with_blocks(raster, "AVIF", metadata, quality=95, subsampling="4:4:4")
    return data, [_LOSSY.format("AVIF")]


def _heif(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    data = _save_with_blocks(raster, "HEIF", metadata, quality=95, chroma=444)
    return data, [_LOSSY.format("HEIC")]


def _webp(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    data = _save_with_blocks(
        raster, "WEBP", metadata, lossless=True, exact=True, quality=_WEBP_EFFORT
    )
    return data, ["written as lossless WebP, so that the rest stays as it is"]


def _save_with_blocks(raster: Raster, name: str, metadata: Metadata, **options: object) -> bytes:
    """Encode with EXIF, ICC profile and XMP, as the newer formats hold them."""
    blocks = {"exif": metadata.exif, "icc_profile": raster.icc, "xmp": metadata.xmp}
    return _save(_image(raster), name, **options, **blocks)


def _png(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    if raster.mode in ("LA;16", "RGB;16", "RGBA;16"):
        data = encode_16_bit_png(raster)
    else:
        transparency = raster.transparency
        data = _save(_image(raster), "PNG", transparency=transparency, compress_level=_PNG_LEVEL)
    if metadata.chunks is not None:
        return with_chunks(data, *metadata.chunks), []
    texts = PngInfo()
    if metadata.xmp:
        texts.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    carrier = _save(
        Image.new("L", (1, 1)),
        "PNG",
        exif=metadata.exif,
        icc_profile=raster.icc,
        dpi=metadata.dpi,
        pnginfo=texts,
    )
    extra = [chunk for chunk in png_chunks(carrier) if chunk[0][:1].islower()]
    return with_chunks(data, tuple(extra), ()), []


def _tiff(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    notes = []
    lossless = _LOSSLESS_TIFF | (_BILEVEL_TIFF if raster.mode == "1" else set())
    compression = metadata.compression or "tiff_adobe_deflate"
    if compression not in lossless:
        notes.append(f"its TIFF compression ({compression}) loses detail: written with deflate")
        compression = "tiff_adobe_deflate"
    if raster.mode in ("RGB;16", "RGBA;16"):
        return tiff.encode_16_bit(raster, metadata), notes
    if raster.mode == "I;16B" and compression != "raw":
        raster = replace(raster, mode="I;16", pixels=raster.pixels.astype(np.uint16))
    return tiff.encode_image(_image(raster), compression, raster.icc, metadata), notes


def _bmp(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    if raster.mode == "RGBA":
        return encode_alpha_bmp(raster.pixels, metadata.dpi), []
    return _save(_image(raster), "BMP", dpi=metadata.dpi), []


def _gif(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    options = {"transparency": raster.transparency, "comment": metadata.comment}
    return _save(_image(raster), "GIF", optimize=False, **options), []


def encode_16_bit_png(raster: Raster) -> bytes:
    """Encode mode `LA;16`, `RGB;16` or `RGBA;16` as PNG, without metadata.

    Pillow writes none of these, OpenCV no grey with alpha.
    """
    width, height = raster.size
    rows = np.ascontiguousarray(raster.pixels, dtype=">u2").view(np.uint8).reshape(height, -1)
    lines = np.empty((height, rows.shape[1] + 1), np.uint8)
    lines[:, 0] = 2  # the filter "up": each byte less the one above
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOUR_TYPE[raster.mode], 0, 0, 0)
    key = raster.transparency
    return b"".join(
        [
            PNG_SIGNATURE,
            png_chunk(b"IHDR", header),
            png_chunk(b"tRNS", struct.pack(">3H", *key)) if key is not None else b"",
            png_chunk(b"IDAT", zlib.compress(lines.tobytes(), 3)),
            png_chunk(b"IEND", b""),
        ]
    )


def encode_alpha_bmp(rgba: np.ndarray, dpi: tuple[float, float] | None) -> bytes:
    """Encode uint8 `(height, width, 4)` as a BMP with alpha, which Pillow does not write.

    Args:
        rgba: The pixels.
        dpi: Pixels per inch, or None.
    """
    height, width = rgba.shape[:2]
    pixels = np.ascontiguousarray(rgba[::-1, :, [2, 1, 0, 3]])
    per_metre = [round(value * 39.3701) for value in dpi or (0, 0)]
    masks = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
    sizes = (_BMP_HEADER, width, height, 1, 32, _BMP_BIT_FIELDS, pixels.nbytes)
    header = struct.pack("<IiiHHIIIIII4I4s48x", *sizes, *per_metre, 0, 0, *masks, b"BGRs")
    start = 14 + _BMP_HEADER
    return struct.pack("<2sIII", b"BM", start + pixels.nbytes, 0, start) + header + pixels.tobytes()


FORMATS = {
    "JPEG": Format(
        ("L", "RGB", "CMYK"),
        (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        ("JPEG", "MPO"),
        _jpeg,
        longest=65500,
    ),
    "PNG": Format(
        ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "LA;16", "RGB;16", "RGBA;16"),
        (".png", ".apng"),
        ("PNG",),
        _png,
    ),
    "WEBP": Format(("RGB", "RGBA"), (".webp",), ("WEBP",), _webp, longest=16383),
    "TIFF": Format(
        ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I;16B", "RGB;16", "RGBA;16"),
        (".tif", ".tiff"),
        ("TIFF",),
        _tiff,
    ),
    "BMP": Format(
        ("1", "L", "P", "RGB", "RGBA"), (".bmp", ".dib"), ("BMP", "DIB"), _bmp, orientation=False
    ),
    "GIF": Format(("L", "P"), (".gif",), ("GIF",), _gif, orientation=False, longest=65535),
}
"""Every format by its name."""

_READABLE = photo_suffixes()
if ".avif" in _READABLE:
    FORMATS["AVIF"] = Format(("RGB", "RGBA"), (".avif",), ("AVIF",), _avif, longest=65535)
if ".heic" in _READABLE:
    FORMATS["HEIF"] = Format(
        ("L", "RGB", "RGBA"), (".heic", ".heif"), ("HEIF",), _heif, orientation=False, longest=16384
    )

SUFFIXES = {suffix: name for name, kind in FORMATS.items() for suffix in kind.suffixes}
"""The format that a file name's ending means."""
