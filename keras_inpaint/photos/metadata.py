"""The metadata of photo files: EXIF, XMP, resolution, PNG chunks and TIFF tags."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import ExifTags, Image, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

EXIF_PREFIX = b"Exif\0\0"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Chunk = tuple[bytes, bytes]

# Chunks about colour stay valid since the pixel format does not change. Other chunks are kept if
# the PNG specification marks them as safe to copy (fourth letter in lower case).
_COLOUR_CHUNKS = {b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI"}
_WRITTEN_CHUNKS = {b"tRNS", b"bKGD", b"hIST", b"acTL", b"fcTL", b"fdAT"}

# Tags that describe the layout of the pixels, and Photoshop's blocks, which contain layers and
# previews of the original photo.
_TIFF_LAYOUT = {
    *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284),
    *(288, 289, 292, 293, 301, 317, 318, 319, 320, 322, 323, 324, 325, 330, 332, 338, 339, 340),
    *(341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
    *(34377, 37724, 50706),
}
_TIFF_OWN = {282, 283, 296, 700, 34675}  # resolution, XMP, ICC: stored separately from EXIF


@dataclass(frozen=True, eq=False)
class Metadata:
    """The metadata of a photo that is preserved.

    Attributes:
        exif: EXIF as stored in a JPEG, with its `Exif` prefix, without a thumbnail.
        xmp: The XMP packet.
        dpi: Horizontal and vertical pixels per inch.
        comment: The comment of a JPEG or GIF.
        chunks: The ancillary chunks of a PNG before and after its pixels, unchanged.
        tiff: The tags of a TIFF that do not describe the layout of its pixels.
        compression: Pillow's name for the compression of a TIFF.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    comment: bytes | None = None
    chunks: tuple[tuple[Chunk, ...], tuple[Chunk, ...]] | None = None
    tiff: ImageFileDirectory_v2 | None = None
    compression: str | None = None


def metadata_of(image: Image.Image, data: bytes | None = None) -> tuple[Metadata, list[str]]:
    """Return the metadata of an opened photo, before its pixels are loaded.

    Args:
        image: The opened file.
        data: The file's bytes if it is a PNG, for its chunks.

    Returns:
        The metadata, and a note for each item that is dropped.
    """
    notes: list[str] = []
    info = image.info
    exif, had_thumbnail = _exif_of(image)
    if had_thumbnail:
        notes.append("the EXIF thumbnail, which shows the original photo, is dropped")
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    tiff = _tiff_tags(image) if isinstance(image, TiffImageFile) else None
    across, down = map(float, info.get("dpi", (0, 0)))
    if tiff is not None and 282 not in tiff:
        across = 0  # ignore Pillow's default
    comment = info.get("comment")
    metadata = Metadata(
        exif=exif,
        xmp=xmp.encode("utf-8", "surrogateescape") if isinstance(xmp, str) else xmp or None,
        dpi=(across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None,
        comment=comment.encode("utf-8") if isinstance(comment, str) else comment,
        chunks=_kept_chunks(data) if data is not None else None,
        tiff=tiff,
        compression=info.get("compression") if tiff is not None else None,
    )
    return metadata, notes


def png_chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the type and content of each chunk of a PNG file, which may be truncated."""
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += length + 12


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a PNG chunk's bytes: length, type, content, checksum."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def with_chunks(png: bytes, before: tuple[Chunk, ...], after: tuple[Chunk, ...]) -> bytes:
    """Return a PNG file with chunks inserted after its header and before its end."""
    header = len(PNG_SIGNATURE) + 25
    first, last = (b"".join(png_chunk(*chunk) for chunk in part) for part in (before, after))
    return png[:header] + first + png[header:-12] + last + png[-12:]


def without_thumbnail(exif: bytes) -> tuple[bytes, bool]:
    """Erase and unlink the thumbnail of EXIF data, including its prefix.

    All other bytes keep their position, so that the offsets in maker notes stay valid.

    Returns:
        The EXIF data, and whether it had a thumbnail.
    """
    body = bytearray(exif[len(EXIF_PREFIX) :])
    order = {b"II": "<", b"MM": ">"}.get(bytes(body[:2]))
    if order is None:
        return exif, False
    try:
        (first,) = struct.unpack_from(order + "I", body, 4)
        (entries,) = struct.unpack_from(order + "H", body, first)
        link = first + 2 + 12 * entries
        (second,) = struct.unpack_from(order + "I", body, link)
        if not second:
            return exif, False
        struct.pack_into(order + "I", body, link, 0)
        (entries,) = struct.unpack_from(order + "H", body, second)
        values = {}
        for number in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHII", body, second + 2 + 12 * number)
            values[tag] = value
        start, length = values.get(0x0201, 0), values.get(0x0202, 0)
        end = min(start + length, len(body))
        if 0 < start < end:
            body[start:end] = bytes(end - start)
    except struct.error:
        return exif, False
    return EXIF_PREFIX + bytes(body), True


def is_sound(exif: bytes) -> bool:
    """Return whether EXIF data can be parsed and serialised again."""
    try:
        parsed = Image.Exif()
        parsed.load(exif)
        for group in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            parsed.get_ifd(group)
        parsed.tobytes()
    except Exception:  # damaged EXIF can raise almost anything
        return False
    return True


def _exif_of(image: Image.Image) -> tuple[bytes | None, bool]:
    raw = image.info.get("exif")
    if isinstance(image, TiffImageFile):
        return _exif_of_tiff(image), False
    if not raw:
        # A PNG may contain it as text, which Pillow reads.
        exif = image.getexif()
        return (EXIF_PREFIX + exif.tobytes()[len(EXIF_PREFIX) :], False) if exif else (None, False)
    if not raw.startswith(EXIF_PREFIX):
        raw = EXIF_PREFIX + raw
    return without_thumbnail(raw)


def _exif_of_tiff(image: TiffImageFile) -> bytes | None:
    """Return a TIFF's descriptive tags as EXIF, for outputs in other formats."""
    source, exif = image.getexif(), Image.Exif()
    is_empty = True
    for tag, value in source.items():
        if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            exif.get_ifd(tag).update(source.get_ifd(tag))
        elif tag == 274 or (tag not in _TIFF_LAYOUT | _TIFF_OWN and tag in ExifTags.TAGS):
            exif[tag] = value
        else:
            continue
        is_empty = False
    return None if is_empty else exif.tobytes()


def _tiff_tags(image: TiffImageFile) -> ImageFileDirectory_v2:
    kept = ImageFileDirectory_v2(prefix=b"II")
    groups = image.getexif()
    for tag, value in image.tag_v2.items():
        if tag in TiffTags.TAGS_V2_GROUPS:
            kept.tagtype[tag] = TiffTags.LONG
            kept[tag] = dict(groups.get_ifd(tag))
        elif tag == 274 or tag not in _TIFF_LAYOUT:
            kept.tagtype[tag] = image.tag_v2.tagtype[tag]
            kept[tag] = value
    return kept


def _kept_chunks(data: bytes) -> tuple[tuple[Chunk, ...], tuple[Chunk, ...]]:
    before: list[Chunk] = []
    after: list[Chunk] = []
    place = before
    for kind, content in png_chunks(data):
        if kind == b"IDAT":
            place = after
        elif kind[:1].isupper() or kind in _WRITTEN_CHUNKS:
            continue
        elif kind in _COLOUR_CHUNKS or kind[3:4].islower():
            if kind == b"eXIf":
                content = without_thumbnail(EXIF_PREFIX + content)[0][len(EXIF_PREFIX) :]
            place.append((kind, content))
    return tuple(before), tuple(after)
