"""Pixels that Pillow cannot write or reads at 8 bits only: 16-bit colour, BMP with alpha.

OpenCV decodes 16-bit colour. It writes no PNG of 16-bit grey with alpha, and BMP with alpha in
its later versions only, so both are put together here, PNG around zlib's compression.
"""

import struct
import zlib

import cv2
import numpy as np

from keras_inpaint.photos.metadata import PNG_SIGNATURE, png_chunk
from keras_inpaint.photos.raster import Raster

_BMP_HEADER = 108  # the fourth version, the first with alpha
_BMP_BIT_FIELDS = 3
_PNG_COLOUR_TYPE = {"RGB;16": 2, "LA;16": 4, "RGBA;16": 6}


def decode(data: bytes, mode: str) -> np.ndarray:
    """Decode a 16-bit colour PNG or TIFF.

    Args:
        data: The file's bytes.
        mode: `LA;16`, `RGB;16` or `RGBA;16`, as the file's header says.

    Returns:
        uint16 `(height, width, bands)`; a TIFF's orientation is already applied.

    Raises:
        ValueError: If OpenCV cannot decode it, or finds another kind of pixels.
    """
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"its 16-bit pixels cannot be decoded ({error.err})") from error
    if found is None or found.dtype != np.uint16 or found.ndim != 3 or found.shape[-1] < 3:
        raise ValueError("its 16-bit pixels cannot be decoded")
    bands = {"LA;16": [0, 3], "RGB;16": [2, 1, 0], "RGBA;16": [2, 1, 0, 3]}[mode]
    if max(bands) >= found.shape[-1]:
        raise ValueError("its 16-bit pixels have no alpha, though its header says so")
    return np.ascontiguousarray(found[..., bands])


def encode_png(raster: Raster) -> bytes:
    """Encode 16-bit colour as PNG, without metadata.

    Args:
        raster: Pixels of mode `LA;16`, `RGB;16` or `RGBA;16`.

    Returns:
        The file's bytes.
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
    """Encode uint8 `(height, width, 4)` as a BMP with an alpha channel.

    Args:
        rgba: The pixels.
        dpi: Pixels per inch, or None.
    """
    height, width = rgba.shape[:2]
    pixels = np.ascontiguousarray(rgba[::-1, :, [2, 1, 0, 3]])
    per_metre = [round(value * 39.3701) for value in dpi or (0, 0)]
    masks = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
    header = struct.pack(
        "<IiiHHIIIIII4I4s48x",
        *(_BMP_HEADER, width, height, 1, 32, _BMP_BIT_FIELDS, pixels.nbytes),
        *(*per_metre, 0, 0),
        *masks,
        b"BGRs",
    )
    start = 14 + _BMP_HEADER
    return struct.pack("<2sIII", b"BM", start + pixels.nbytes, 0, start) + header + pixels.tobytes()
