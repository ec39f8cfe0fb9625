"""TIFF files with every tag that is kept.

Pillow encodes the pixels; with compression it cannot write the EXIF and GPS directories, and it
has no 16-bit colour. So the compressed strips are taken from it, or made here, and put together
with the tags by Pillow's own directory writer.
"""

import io
import zlib

import numpy as np
from PIL import ExifTags, Image, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from keras_inpaint.photos.metadata import Metadata
from keras_inpaint.photos.raster import Raster

_ROWS_PER_STRIP = 64
_UNCOMPRESSED, _ADOBE_DEFLATE = 1, 8
_HORIZONTAL_DIFFERENCE = 2
_OFFSETS, _LENGTHS = 273, 279
_ICC, _XMP = 34675, 700
_RESOLUTION = (282, 283, 296)
_GROUPS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)


def encode_image(
    image: Image.Image, compression: str, icc: bytes | None, metadata: Metadata
) -> bytes:
    """Encode one of Pillow's images as a TIFF, with the tags that `metadata` keeps.

    Args:
        image: The pixels, in a mode that Pillow writes.
        compression: Pillow's word for it.
        icc: The ICC profile.
        metadata: Gives the tags and the resolution.

    Returns:
        The file's bytes.
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
    return _assembled(layout, types, strips, _kept_tags(icc, metadata, prefix))


def encode_16_bit(raster: Raster, metadata: Metadata) -> bytes:
    """Encode 16-bit colour as a TIFF, with the tags that `metadata` keeps.

    Args:
        raster: Pixels of mode `RGB;16` or `RGBA;16`, and the profile.
        metadata: Gives the tags, the resolution and whether to compress.

    Returns:
        The file's bytes.
    """
    height, width, bands = raster.pixels.shape
    plain = metadata.compression == "raw"
    strips = []
    for top in range(0, height, _ROWS_PER_STRIP):
        part = np.ascontiguousarray(raster.pixels[top : top + _ROWS_PER_STRIP], dtype="<u2")
        if plain:
            strips.append(part.tobytes())
            continue
        difference = part.copy()
        np.subtract(part[:, 1:], part[:, :-1], out=difference[:, 1:])
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
    return _assembled(layout, {}, strips, _kept_tags(raster.icc, metadata, b"II"))


def _assembled(
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


def _kept_tags(icc: bytes | None, metadata: Metadata, prefix: bytes) -> ImageFileDirectory_v2:
    """Return a directory with all that `metadata` keeps and nothing about pixels."""
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
