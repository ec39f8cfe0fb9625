"""One rule for photos: endings, hidden files, what is passed over."""

import io
import logging

import numpy as np
import pytest
from PIL import Image, features

import keras_inpaint as ki
from keras_inpaint.data.files import find_photos, photo_suffixes, read_bytes


@pytest.fixture
def folder(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), "uint8")
    image = Image.fromarray(pixels)
    for name in ("a.jpg", "b.JPEG", "c.jpe", "d.jfif", "e.png", "f.tif", "g.TIFF", "h.webp"):
        stream = io.BytesIO()
        kind = {"p": "PNG", "t": "TIFF", "w": "WEBP"}.get(name[2].lower(), "JPEG")
        image.save(stream, "JPEG" if name[2:] == "jpg" else kind)
        (tmp_path / name).write_bytes(stream.getvalue())
    (tmp_path / "sub").mkdir()
    image.save(tmp_path / "sub" / "i.png")
    (tmp_path / "._a.jpg").write_bytes(b"\0\5\26\7")
    (tmp_path / ".hidden").mkdir()
    image.save(tmp_path / ".hidden" / "x.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "raw").write_text("x")
    (tmp_path / "more.txt").write_text("x")
    return tmp_path


def test_photos_are_found_and_others_counted_once(folder, caplog):
    with caplog.at_level(logging.INFO, "keras_inpaint"):
        found = find_photos(folder)
    assert [path.relative_to(folder).as_posix() for path in found] == [
        "a.jpg", "b.JPEG", "c.jpe", "d.jfif", "e.png", "f.tif", "g.TIFF", "h.webp", "sub/i.png"
    ]  # fmt: skip
    (line,) = caplog.messages
    assert "2 with .txt, 1 with no extension" in line
    assert len(find_photos(folder, recursive=False)) == 8
    assert len(find_photos(folder, apart=[folder / "sub"])) == 8


def test_training_and_measuring_read_the_same_photos(folder):
    from keras_inpaint.evaluation.photo_set import open_photos

    images = ki.load_images(folder)
    assert len(images) == 9 and not images.skipped
    assert open_photos(folder).names == images.names


def test_tiff_is_decoded_as_pillow_does(folder):
    images = ki.load_images(folder)
    at = images.names.index("f.tif")
    expected = np.asarray(Image.open(folder / "f.tif"))
    np.testing.assert_array_equal(np.asarray(images.fetch(at)), expected)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read_where_pillow_can(tmp_path):
    Image.new("RGB", (16, 16), (200, 30, 30)).save(tmp_path / "a.avif")
    assert ".avif" in photo_suffixes() and find_photos(tmp_path)
    assert read_bytes(tmp_path / "a.avif").startswith(b"\x89PNG")


def test_a_folder_without_photos_says_what_it_holds(tmp_path):
    (tmp_path / "a.heif2").write_text("x")
    with pytest.raises(
        ValueError, match=r"known extensions are .*\.tif.*; the folder contains 1 with \.heif2"
    ):
        find_photos(tmp_path)
    with pytest.raises(FileNotFoundError, match="folder of masks"):
        find_photos(tmp_path / "none", what="mask")
