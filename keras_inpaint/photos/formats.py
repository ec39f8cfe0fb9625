"""What each file format holds, and how a photo is encoded in it."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from keras_inpaint.data.files import photo_suffixes
from keras_inpaint.photos import png16, tiff
from keras_inpaint.photos.metadata import Metadata, png_chunks, with_chunks
from keras_inpaint.photos.raster import Raster


@dataclass(frozen=True)
class Format:
    """A file format that photos are read from and written to.

    Attributes:
        modes: The modes that it stores without a change.
        suffixes: The file names that mean it, the usual one first.
        orientation: Whether it can say how the photo is turned.
        longest: Most pixels along a side, or None.
        pillow: Pillow's names of it.
    """

    modes: tuple[str, ...]
    suffixes: tuple[str, ...]
    orientation: bool
    longest: int | None
    pillow: tuple[str, ...]


FORMATS = {
    "JPEG": Format(
        ("L", "RGB", "CMYK"),
        (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        orientation=True,
        longest=65500,
        pillow=("JPEG", "MPO"),
    ),
    "PNG": Format(
        ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "LA;16", "RGB;16", "RGBA;16"),
        (".png", ".apng"),
        orientation=True,
        longest=None,
        pillow=("PNG",),
    ),
    "WEBP": Format(
        ("RGB", "RGBA"),
        (".webp",),
        orientation=True,
        longest=16383,
        pillow=("WEBP",),
    ),
    "TIFF": Format(
        ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I;16B", "RGB;16", "RGBA;16"),
        (".tif", ".tiff"),
        orientation=True,
        longest=None,
        pillow=("TIFF",),
    ),
    "BMP": Format(
        ("1", "L", "P", "RGB", "RGBA"),
        (".bmp", ".dib"),
        orientation=False,
        longest=None,
        pillow=("BMP", "DIB"),
    ),
    "GIF": Format(
        ("L", "P"),
        (".gif",),
        orientation=False,
        longest=65535,
        pillow=("GIF",),
    ),
}
"""Every format by its name."""

_READABLE = photo_suffixes()
if ".avif" in _READABLE:
    FORMATS["AVIF"] = Format(("RGB", "RGBA"), (".avif",), True, 65535, ("AVIF",))
if ".heic" in _READABLE:
    FORMATS["HEIF"] = Format(("L", "RGB", "RGBA"), (".heic", ".heif"), False, 16384, ("HEIF",))

SUFFIXES = {suffix: name for name, kind in FORMATS.items() for suffix in kind.suffixes}
"""The format that a file name's ending means."""

_LOSSLESS_TIFF = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd"}
_BILEVEL_TIFF = {"tiff_ccitt", "group3", "group4"}
_JPEG_SEGMENT = 65500
_PNG_LEVEL = 3  # of a photo hardly larger than with 6, in less than half the time
_WEBP_EFFORT = 20


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


def encode(name: str, raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    """Encode stored pixels, with what the format can carry of the metadata.

    Args:
        name: A key of `FORMATS`.
        raster: Pixels in a mode that the format holds.
        metadata: What to keep.

    Returns:
        The file's bytes, and notes on how it was written.

    Raises:
        ValueError: If the photo is too large for the format.
    """
    width, height = raster.size
    longest = FORMATS[name].longest
    if longest is not None and max(height, width) > longest:
        raise ValueError(f"{width}x{height} pixels; {name} holds at most {longest} a side")
    encoder = {
        "PNG": _png,
        "TIFF": _tiff,
        "BMP": _bmp,
        "GIF": _gif,
        "WEBP": _webp,
        "JPEG": _jpeg,
        "AVIF": _avif,
        "HEIF": _heif,
    }
    return encoder[name](raster, metadata)


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
    notes = ["written as JPEG of quality 95 with 4:4:4 colour; the rest changes slightly too"]
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
    return data, ["written as AVIF of quality 95 with 4:4:4 colour; the rest changes slightly too"]


def _heif(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    data = _save_with_blocks(raster, "HEIF", metadata, quality=95, chroma=444)
    return data, ["written as HEIC of quality 95 with 4:4:4 colour; the rest changes slightly too"]


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
        data = png16.encode_png(raster)
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
        return png16.encode_alpha_bmp(raster.pixels, metadata.dpi), []
    return _save(_image(raster), "BMP", dpi=metadata.dpi), []


def _gif(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    options = {"transparency": raster.transparency, "comment": metadata.comment}
    return _save(_image(raster), "GIF", optimize=False, **options), []
