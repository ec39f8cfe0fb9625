"""Photo and mask files read and written whole, for tests of what is between bytes and pixels."""

from pathlib import Path

from keras_inpaint.files import check_regular_file
from keras_inpaint.photos.codec import decode_photo, encode_photo, output_format
from keras_inpaint.photos.masks import decode_mask


def read_photo(path):
    return decode_photo(check_regular_file(path).read_bytes(), path)


def read_mask(path, photo, options=None):
    return decode_mask(check_regular_file(path).read_bytes(), photo, path, options)


def write_photo(photo, path):
    data, notes = encode_photo(photo, output_format(photo, Path(path)), path)
    path.write_bytes(data)
    return notes
