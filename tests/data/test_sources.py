"""Images from folders, TFDS and the sample: every file checked, broken ones named."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from keras_inpaint.data import sample, sources
from keras_inpaint.data.files import group_of
from keras_inpaint.data.images import decode_photo, exif_orientation


def picture(seed, height=40, width=48):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (5, 6, 3), "uint8")
    return Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "more").mkdir()
    for number, name in enumerate(
        ["ann__1.jpg", "ann__2.png", "bob__1.webp", "more/cy.bmp", "more/di.gif", "eve.jpeg"]
    ):
        picture(number).save(tmp_path / name)
    return tmp_path


def test_a_folder_is_read_recursively_in_every_format(folder):
    images = sources.load_images(folder)
    assert images.names == (
        "ann__1.jpg",
        "ann__2.png",
        "bob__1.webp",
        "eve.jpeg",
        "more/cy.bmp",
        "more/di.gif",
    )
    for number, name in enumerate(images.names):
        with Image.open(folder / name) as file:
            expected = np.asarray(file.convert("RGB"), "float32")
        got = images.fetch(tf.constant(number, tf.int64)).numpy()
        assert got.shape == (40, 48, 3) and got.dtype == np.uint8
        assert np.abs(got - expected).max() <= 8, name
    pixels = np.concatenate(
        [images.fetch(tf.constant(i, tf.int64)).numpy().reshape(-1, 3) for i in range(6)]
    )
    np.testing.assert_allclose(images.mean_pixel, pixels.mean(0) / 255, rtol=1e-12)


def test_images_that_do_not_fit_in_memory_are_the_same_ones(folder):
    held = sources.load_images(folder, shortest_side=20)
    streamed = sources.load_images(folder, shortest_side=20, cache_bytes=1000)
    assert held.cached and not streamed.cached
    assert held.fingerprint == streamed.fingerprint
    assert held.mean_pixel == streamed.mean_pixel
    for number in range(6):
        index = tf.constant(number, tf.int64)
        one, two = held.fetch(index).numpy(), streamed.fetch(index).numpy()
        assert one.shape == (20, 24, 3)
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    photo = picture(1)
    exif = photo.getexif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    photo.save(stream, "PNG", exif=exif)
    data = stream.getvalue()
    assert exif_orientation(data) == orientation
    got = decode_photo(tf.constant(data), tf.constant(orientation)).numpy()
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(got, expected)


def test_a_broken_file_is_skipped_counted_and_named(folder, caplog):
    for number in range(20):
        picture(number).save(folder / f"good{number}.png")
    whole = (folder / "ann__1.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 3])
    (folder / "zero.png").write_bytes(b"")
    images = sources.load_images(folder)
    assert len(images) == 26
    assert set(images.skipped) == {"cut.jpg", "zero.png"}
    assert "cut.jpg" in caplog.text and "zero.png" in caplog.text


def test_too_many_broken_files_are_an_error(folder):
    (folder / "zero.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1 of 7 images .* \(zero.png"):
        sources.load_images(folder)


def test_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder of photos"):
        sources.load_images(tmp_path / "missing")
    with pytest.raises(ValueError, match="no photo in"):
        sources.load_images(tmp_path)
    (tmp_path / "zero.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no readable image in .*zero.png"):
        sources.load_images(tmp_path)


def test_images_smaller_than_the_crop_are_named(folder):
    picture(1, 30, 90).save(folder / "wide.png")
    with pytest.raises(ValueError, match=r"crop of 36 px: wide.png \(90x30\)"):
        sources.load_images(folder).require_side(36)


def test_a_split_keeps_groups_together(folder):
    train, held_out = sources.load_images(folder).split(0.4)
    groups = [{group_of(n) for n in part.names} for part in (train, held_out)]
    assert not groups[0] & groups[1]
    assert len(train) + len(held_out) == 6 and len(groups[1]) == 2
    again = sources.load_images(folder).split(0.4)[1]
    assert again.names == held_out.names
    index = tf.constant(0, tf.int64)
    np.testing.assert_array_equal(again.fetch(index), held_out.fetch(index))
    with pytest.raises(ValueError, match=r"held_out .* 1\.5"):
        sources.load_images(folder).split(1.5)


def test_the_fingerprint_follows_the_contents(folder):
    before = sources.load_images(folder).fingerprint
    assert sources.load_images(folder).fingerprint == before
    picture(99).save(folder / "eve.jpeg")
    assert sources.load_images(folder).fingerprint != before


def test_the_sample_needs_no_file():
    images = sources.load_images("sample:5", shortest_side=32)
    assert len(images) == 5 and images.names == sample.names("train")[:5]
    assert images.fetch(tf.constant(4)).shape == (39, 32, 3)
    assert len(sources.load_images("sample", shortest_side=16)) == 400
    with pytest.raises(ValueError, match="sample:many"):
        sources.load_images("sample:many")
    with pytest.raises(ValueError, match="1 to 400 portraits to train on, got 401"):
        sources.load_images("sample:401")


def test_a_tfds_data_set_by_name():
    import tensorflow_datasets as tfds

    with tfds.testing.mock_data(num_examples=6):
        images = sources.load_images("tfds:celeb_a", shortest_side=64)
    assert len(images) == 6
    assert images.sides.min() == 64
    assert images.names[0] == "celeb_a-train-0000000"


def test_a_tfds_image_folder(folder, tmp_path):
    import tensorflow_datasets as tfds

    root = tmp_path / "classes"
    (root / "train" / "people").mkdir(parents=True)
    for number in range(3):
        picture(number).save(root / "train" / "people" / f"{number}.png")
    images = sources.load_images(tfds.ImageFolder(str(root)))
    assert len(images) == 3
    np.testing.assert_array_equal(images.fetch(tf.constant(1, tf.int64)), np.asarray(picture(1)))


def test_an_unknown_tfds_name_or_split_is_an_error(tmp_path):
    import tensorflow_datasets as tfds

    with pytest.raises(ValueError, match="no_such_set"):
        sources.load_images("tfds:no_such_set")
    root = tmp_path / "classes"
    (root / "train" / "people").mkdir(parents=True)
    picture(1).save(root / "train" / "people" / "1.png")
    with pytest.raises(ValueError, match="no split 'night'"):
        sources._from_tfds(tfds.ImageFolder(str(root)), "night", None, 1000, None)
