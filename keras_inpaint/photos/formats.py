"""What each file format holds, and how a photo is encoded in it."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from keras_inpaint.data.files import photo_suffixes
from keras_inpaint.photos import png16 as deep_files
from keras_inpaint.photos import tiff as tiff_files
from keras_inpaint.photos.metadata import Metadata, png_chunks, with_chunks


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
_EXIF_LIMIT = _XMP_LIMIT = 65500
_PNG_LEVEL = 3  # of a photo hardly larger than with 6, in less than half the time
_WEBP_EFFORT = 20


def format_by_suffix(path: Path) -> str | None:
    """Return the format that a file name means, or None where it ends in nothing known."""
    return SUFFIXES.get(path.suffix.lower())


def holds(name: str, mode: str, transparency: object) -> bool:
    """Return whether a format stores a mode and its kind of transparency as they are."""
    if mode not in FORMATS[name].modes:
        return False
    if transparency is None or name == "PNG":
        return True
    return name == "GIF" and isinstance(transparency, int)


def encode(
    name: str,
    pixels: np.ndarray,
    mode: str,
    metadata: Metadata,
    *,
    palette: np.ndarray | None = None,
    transparency: object = None,
) -> tuple[bytes, list[str]]:
    """Encode stored pixels, with what the format can carry of the metadata.

    Args:
        name: A key of `FORMATS`.
        pixels: Pixels in `mode`, which the format must hold.
        mode: The mode of `pixels`.
        metadata: What to keep.
        palette: uint8 `(colours, 4)` RGBA, for `P` and `PA`.
        transparency: The value that is transparent.

    Returns:
        The file's bytes, and notes on how it was written.

    Raises:
        ValueError: If the photo is too large for the format.
    """
    height, width = pixels.shape[:2]
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
    return encoder[name](pixels, mode, metadata, palette, transparency)


def image_of(pixels: np.ndarray, mode: str, palette: np.ndarray | None = None) -> Image.Image:
    """Return a Pillow image of stored pixels in one of Pillow's own modes."""
    height, width = pixels.shape[:2]
    if mode == "1":
        return Image.fromarray(pixels)
    if mode == "I;16B":
        pixels = pixels.astype(">u2")
    image = Image.frombuffer(mode, (width, height), np.ascontiguousarray(pixels), "raw", mode, 0, 1)
    if palette is not None:
        image.putpalette(palette[:, :3].tobytes(), "RGB")
    return image


def _save(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **{k: v for k, v in options.items() if v is not None})
    return stream.getvalue()


def _jpeg(pixels, mode, metadata, palette, transparency):
    notes = ["written as JPEG of quality 95 with 4:4:4 colour; the rest changes slightly too"]
    exif, xmp, comment = metadata.exif, metadata.xmp, metadata.comment
    if exif and len(exif) > _EXIF_LIMIT:
        exif = None
        notes.append("its EXIF is too long for a JPEG and is not kept")
    if xmp and len(xmp) > _XMP_LIMIT:
        xmp = None
        notes.append("its XMP is too long for a JPEG and is not kept")
    if comment and len(comment) > _EXIF_LIMIT:
        comment = None
    data = _save(
        image_of(pixels, mode),
        "JPEG",
        quality=95,
        subsampling=0,
        exif=exif,
        icc_profile=metadata.icc,
        dpi=metadata.dpi,
        xmp=xmp,
        comment=comment,
    )
    return data, notes


def _avif(pixels, mode, metadata, palette, transparency):
    data = _save(
        image_of(pixels, mode),
        "AVIF",
        quality=95,
        subsampling="4:4:4",
        exif=metadata.exif,
        icc_profile=metadata.icc,
        xmp=metadata.xmp,
    )
    return data, ["written as AVIF of quality 95 with 4:4:4 colour; the rest changes slightly too"]


def _heif(pixels, mode, metadata, palette, transparency):
    data = _save(
        image_of(pixels, mode),
        "HEIF",
        quality=95,
        chroma=444,
        exif=metadata.exif,
        icc_profile=metadata.icc,
        xmp=metadata.xmp,
    )
    return data, ["written as HEIC of quality 95 with 4:4:4 colour; the rest changes slightly too"]


def _png(pixels, mode, metadata, palette, transparency):
    if mode in ("LA;16", "RGB;16", "RGBA;16"):
        data = deep_files.encode_deep_png(pixels, mode, transparency)
    else:
        image = image_of(pixels, mode, palette)
        data = _save(image, "PNG", transparency=transparency, compress_level=_PNG_LEVEL)
    if metadata.chunks is not None:
        return with_chunks(data, *metadata.chunks), []
    texts = PngInfo()
    if metadata.xmp:
        texts.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    carrier = _save(
        Image.new("L", (1, 1)),
        "PNG",
        exif=metadata.exif,
        icc_profile=metadata.icc,
        dpi=metadata.dpi,
        pnginfo=texts,
    )
    extra = [chunk for chunk in png_chunks(carrier) if chunk[0][:1].islower()]
    return with_chunks(data, tuple(extra), ()), []


def _webp(pixels, mode, metadata, palette, transparency):
    data = _save(
        image_of(pixels, mode),
        "WEBP",
        lossless=True,
        exact=True,
        quality=_WEBP_EFFORT,
        exif=metadata.exif,
        icc_profile=metadata.icc,
        xmp=metadata.xmp,
    )
    return data, ["written as lossless WebP, so that the rest stays as it is"]


def _tiff(pixels, mode, metadata, palette, transparency):
    notes = []
    lossless = _LOSSLESS_TIFF | (_BILEVEL_TIFF if mode == "1" else set())
    compression = metadata.compression or "tiff_adobe_deflate"
    if compression not in lossless:
        notes.append(f"its TIFF compression ({compression}) loses detail: written with deflate")
        compression = "tiff_adobe_deflate"
    if mode in ("RGB;16", "RGBA;16"):
        return tiff_files.encode_deep_tiff(pixels, metadata), notes
    if mode == "I;16B" and compression != "raw":
        mode, pixels = "I;16", pixels.astype(np.uint16)
    image = image_of(pixels, mode, palette)
    return tiff_files.encode_tiff_image(image, compression, metadata), notes


def _bmp(pixels, mode, metadata, palette, transparency):
    if mode == "RGBA":
        return deep_files.encode_alpha_bmp(pixels, metadata.dpi), []
    return _save(image_of(pixels, mode, palette), "BMP", dpi=metadata.dpi), []


def _gif(pixels, mode, metadata, palette, transparency):
    image = image_of(pixels, mode, palette)
    return (
        _save(image, "GIF", optimize=False, transparency=transparency, comment=metadata.comment),
        [],
    )
