"""The file formats: the pixels that each can store, and how to encode them."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, TiffTags
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from keras_inpaint.data.files import photo_suffixes
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
        modes: The modes that it stores without conversion.
        suffixes: Its file extensions, the most common one first.
        pillow: Pillow's names for it.
        encode: Function from stored pixels and metadata to the bytes of a file and notes.
        orientation: Whether it stores the EXIF orientation.
        longest: Maximum number of pixels along a side, or None.
    """

    modes: tuple[str, ...]
    suffixes: tuple[str, ...]
    pillow: tuple[str, ...]
    encode: Callable[[Raster, Metadata], tuple[bytes, list[str]]]
    orientation: bool = True
    longest: int | None = None


_LOSSLESS_TIFF = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd"}
_BILEVEL_TIFF = {"tiff_ccitt", "group3", "group4"}
_LOSSY = "written as {} of quality 95 with 4:4:4 colour; known pixels change slightly, too"
_JPEG_SEGMENT = 65500
_PNG_LEVEL = 3  # for photos, hardly larger files than 6 in less than half the time
_WEBP_EFFORT = 20
_ROWS_PER_STRIP = 64
_UNCOMPRESSED, _ADOBE_DEFLATE = 1, 8
_HORIZONTAL_DIFFERENCE = 2
_OFFSETS, _LENGTHS = 273, 279
_ICC, _XMP = 34675, 700
_RESOLUTION = (282, 283, 296)
_GROUPS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_PNG_COLOUR_TYPE = {"RGB;16": 2, "LA;16": 4, "RGBA;16": 6}
_BMP_HEADER = 108  # BITMAPV4HEADER, the first version with alpha
_BMP_BIT_FIELDS = 3


def format_by_suffix(path: Path) -> str | None:
    """Return the format for a file's extension, or None if it is unknown."""
    return SUFFIXES.get(path.suffix.lower())


def holds(name: str, raster: Raster) -> bool:
    """Return whether a format stores a raster's mode and transparency without conversion."""
    if raster.mode not in FORMATS[name].modes:
        return False
    if raster.transparency is None or name == "PNG":
        return True
    return name == "GIF" and isinstance(raster.transparency, int)


def _image(raster: Raster) -> Image.Image:
    """Return a raster in one of Pillow's modes as a Pillow image."""
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
            notes.append(f"its {name.upper()} is too long for a JPEG and is dropped")
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
    return data, ["written as lossless WebP, so that known pixels do not change"]


def _save_with_blocks(raster: Raster, name: str, metadata: Metadata, **options: object) -> bytes:
    """Encode with EXIF, ICC profile and XMP as Pillow's options for WebP, AVIF and HEIF."""
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
        notes.append(f"its TIFF compression ({compression}) is lossy: written with deflate")
        compression = "tiff_adobe_deflate"
    if raster.mode in ("RGB;16", "RGBA;16"):
        return _tiff_of_16_bits(raster, metadata), notes
    if raster.mode == "I;16B" and compression != "raw":
        raster = replace(raster, mode="I;16", pixels=raster.pixels.astype(np.uint16))
    return _tiff_of_image(_image(raster), compression, raster.icc, metadata), notes


def _tiff_of_image(
    image: Image.Image, compression: str, icc: bytes | None, metadata: Metadata
) -> bytes:
    """Encode an image with the tags of `metadata`.

    Pillow cannot write the EXIF and GPS directories of compressed TIFFs. Therefore only the
    strips of its output are used.
    """
    stream = io.BytesIO()
    image.save(stream, "TIFF", compression=compression)
    data = stream.getvalue()
    stream.seek(0)
    with TiffImageFile(stream) as written:
        layout = dict(written.tag_v2)
        types = dict(written.tag_v2.tagtype)
        prefix = written.tag_v2.prefix
    strips = [
        data[start : start + length]
        for start, length in zip(layout[_OFFSETS], layout[_LENGTHS], strict=True)
    ]
    for tag in _RESOLUTION:
        layout.pop(tag, None)
    return _assembled_tiff(layout, types, strips, _tiff_directory(icc, metadata, prefix))


def _tiff_of_16_bits(raster: Raster, metadata: Metadata) -> bytes:
    """Encode mode `RGB;16` or `RGBA;16` as TIFF, which Pillow cannot write."""
    height, width, bands = raster.pixels.shape
    plain = metadata.compression == "raw"
    strips = []
    for top in range(0, height, _ROWS_PER_STRIP):
        part = np.ascontiguousarray(raster.pixels[top : top + _ROWS_PER_STRIP], dtype="<u2")
        if plain:
            strips.append(part.tobytes())
        else:
            difference = np.diff(part, axis=1, prepend=np.zeros_like(part[:, :1]))
            strips.append(zlib.compress(difference.tobytes(), 6))
    layout = {
        256: width,
        257: height,
        258: (16,) * bands,
        259: _UNCOMPRESSED if plain else _ADOBE_DEFLATE,
        262: 2,
        277: bands,
        278: _ROWS_PER_STRIP,
        284: 1,
        339: (1,) * bands,
    }
    if not plain:
        layout[317] = _HORIZONTAL_DIFFERENCE
    if bands == 4:
        layout[338] = 2
    return _assembled_tiff(layout, {}, strips, _tiff_directory(raster.icc, metadata, b"II"))


def _assembled_tiff(
    layout: dict, types: dict, strips: list[bytes], directory: ImageFileDirectory_v2
) -> bytes:
    for tag, value in layout.items():
        if tag in types:
            directory.tagtype[tag] = types[tag]
        directory[tag] = value
    lengths = [len(strip) for strip in strips]
    starts = np.cumsum([0, *lengths[:-1]])
    for tag, values in ((_OFFSETS, starts), (_LENGTHS, lengths)):
        directory.tagtype[tag] = TiffTags.LONG
        directory[tag] = tuple(int(value) for value in values)
    stream = io.BytesIO()
    directory.save(stream)
    stream.write(b"".join(strips))
    return stream.getvalue()


def _tiff_directory(icc: bytes | None, metadata: Metadata, prefix: bytes) -> ImageFileDirectory_v2:
    """Return a TIFF directory of all metadata, without the tags that describe the pixels."""
    directory = ImageFileDirectory_v2(prefix=prefix)
    if metadata.tiff is not None:
        for tag, value in metadata.tiff.items():
            directory.tagtype[tag] = metadata.tiff.tagtype[tag]
            directory[tag] = value
    elif metadata.exif:
        _add_exif(directory, metadata.exif)
    directory.pop(_ICC, None)
    if icc:
        directory.tagtype[_ICC] = TiffTags.UNDEFINED
        directory[_ICC] = icc
    if metadata.xmp and _XMP not in directory:
        directory.tagtype[_XMP] = TiffTags.BYTE
        directory[_XMP] = metadata.xmp
    if metadata.dpi and _RESOLUTION[0] not in directory:
        directory[282], directory[283] = metadata.dpi
        directory[296] = 2
    return directory


def _add_exif(directory: ImageFileDirectory_v2, exif_bytes: bytes) -> None:
    exif = Image.Exif()
    exif.load(exif_bytes)
    for tag, value in exif.items():
        if tag in _GROUPS:
            directory.tagtype[tag] = TiffTags.LONG
            directory[tag] = dict(exif.get_ifd(tag))
        elif tag not in _RESOLUTION:
            directory[tag] = value


def _bmp(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    if raster.mode == "RGBA":
        return encode_alpha_bmp(raster.pixels, metadata.dpi), []
    return _save(_image(raster), "BMP", dpi=metadata.dpi), []


def _gif(raster: Raster, metadata: Metadata) -> tuple[bytes, list[str]]:
    options = {"transparency": raster.transparency, "comment": metadata.comment}
    return _save(_image(raster), "GIF", optimize=False, **options), []


def encode_16_bit_png(raster: Raster) -> bytes:
    """Encode mode `LA;16`, `RGB;16` or `RGBA;16` as PNG, without metadata.

    Pillow cannot write any of these, OpenCV cannot write `LA;16`.
    """
    width, height = raster.size
    rows = np.ascontiguousarray(raster.pixels, dtype=">u2").view(np.uint8).reshape(height, -1)
    difference = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    lines = np.pad(difference, ((0, 0), (1, 0)), constant_values=2)  # the filter "up"
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOUR_TYPE[raster.mode], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 3)), (b"IEND", b"")]
    if raster.transparency is not None:
        chunks.insert(1, (b"tRNS", struct.pack(">3H", *raster.transparency)))
    return PNG_SIGNATURE + b"".join(png_chunk(*chunk) for chunk in chunks)


def encode_alpha_bmp(rgba: np.ndarray, dpi: tuple[float, float] | None) -> bytes:
    """Encode an RGBA image as a BMP with alpha, which Pillow cannot write.

    Args:
        rgba: uint8 `(height, width, 4)`.
        dpi: Horizontal and vertical pixels per inch, or None.
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
"""The formats by name."""

_READABLE = photo_suffixes()
if ".avif" in _READABLE:
    FORMATS["AVIF"] = Format(("RGB", "RGBA"), (".avif",), ("AVIF",), _avif, longest=65535)
if ".heic" in _READABLE:
    FORMATS["HEIF"] = Format(
        ("L", "RGB", "RGBA"), (".heic", ".heif"), ("HEIF",), _heif, orientation=False, longest=16384
    )

SUFFIXES = {suffix: name for name, kind in FORMATS.items() for suffix in kind.suffixes}
"""The format names by file extension."""
