"""Pixels that Pillow cannot write or reads at 8 bits only: 16-bit colour, BMP with alpha.

OpenCV decodes 16-bit colour and writes BMP with alpha. It writes no PNG of 16-bit grey with
alpha, so 16-bit PNG is put together here around zlib's compression.
"""

import struct
import zlib

import cv2
import numpy as np

from keras_inpaint.inference.metadata import PNG_SIGNATURE, png_chunk

_PNG_COLOUR_TYPE = {"RGB;16": 2, "LA;16": 4, "RGBA;16": 6}


def decode_deep(data: bytes, mode: str) -> np.ndarray:
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


def encode_deep_png(pixels: np.ndarray, mode: str, transparency: tuple[int, ...] | None) -> bytes:
    """Encode 16-bit colour as PNG.

    Args:
        pixels: uint16 `(height, width, bands)`.
        mode: `LA;16`, `RGB;16` or `RGBA;16`.
        transparency: The colour that is transparent, for `RGB;16`.

    Returns:
        The file's bytes, without metadata.
    """
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels, dtype=">u2").view(np.uint8).reshape(height, -1)
    lines = np.empty((height, rows.shape[1] + 1), np.uint8)
    lines[:, 0] = 2  # the filter "up": each byte less the one above
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOUR_TYPE[mode], 0, 0, 0)
    clear = struct.pack(">3H", *transparency) if transparency is not None else None
    return b"".join(
        [
            PNG_SIGNATURE,
            png_chunk(b"IHDR", header),
            png_chunk(b"tRNS", clear) if clear else b"",
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
    done, data = cv2.imencode(".bmp", np.ascontiguousarray(rgba[..., [2, 1, 0, 3]]))
    if not done:
        raise ValueError("OpenCV cannot encode this BMP")
    out = bytearray(data.tobytes())
    if dpi:
        struct.pack_into("<II", out, 38, *(round(value * 39.3701) for value in dpi))
    return bytes(out)
