"""Folders of many files with broken ones and strange names, and what is kept for the next start."""

import io
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_inpaint.commands import main
from keras_inpaint.data import known, sources
from keras_inpaint.data.pipeline import make_dataset

GOOD, BROKEN = 297, 3
#: Bytes of a decoded image.
PIXELS = 20 * 24 * 3


def encoded(seed, kind="JPEG", **options):
    """Return a photo of 20x24 px as the bytes of a file."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), "uint8")
    stream = io.BytesIO()
    Image.fromarray(small).resize((24, 20)).save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path):
    """300 files: line breaks and bytes that are no UTF-8 in the names, three broken ones."""
    for number in range(GOOD + BROKEN):
        name = (b"plain%03d", b"line\nbreak%03d", b"caf\xe9%03d")[number % 3] % number
        data = encoded(number)
        data = {100: data[: len(data) // 2], 101: b"", 102: b"no image"}.get(number, data)
        with open(os.path.join(os.fsencode(tmp_path), name + b".jpg"), "wb") as file:
            file.write(data)
    return tmp_path


def test_broken_files_are_told_in_one_line_and_strange_names_are_no_reason(folder, caplog):
    images = sources.load_images(folder)
    assert len(images) == GOOD
    (line,) = caplog.messages
    assert line.startswith("3 of 300 images in ") and "\n" not in line and line.isprintable()
    assert sorted(images.skipped.values()) == [
        "is empty (0 bytes)", "is not an image of a known format", "the JPEG is truncated"
    ]  # fmt: skip
    assert all(name.isprintable() for name in images.skipped)
    assert len(images.fingerprint) == 64
    kept, held_out = images.split(0.1)
    assert len(kept) + len(held_out) == GOOD and len(held_out) == 30
    for number, name in enumerate(images.names):
        expected = tf.io.decode_image((folder / name).read_bytes(), channels=3)
        np.testing.assert_array_equal(images.fetch(number), expected)


def test_the_next_start_looks_at_what_changed_alone(folder):
    looked = []

    def load(**options):
        looked.clear()
        return sources.load_images(folder, progress=lambda *told: looked.append(told), **options)

    first = load()
    assert looked[-1] == (300, 300)
    second = load(shortest_side=10)
    assert looked[-1] == (BROKEN, BROKEN) and len(second.skipped) == BROKEN
    assert second.fingerprint == first.fingerprint
    assert second.mean_pixel == pytest.approx(first.mean_pixel, rel=1e-12)
    (folder / "plain000.jpg").write_bytes(encoded(1000))
    third = load()
    assert looked[-1] == (BROKEN + 1, BROKEN + 1) and third.fingerprint != first.fingerprint
    kept = known.KnownFacts(folder).file
    kept.write_bytes(kept.read_bytes()[:1000])
    assert load().fingerprint == third.fingerprint
    assert looked[-1] == (300, 300)


def test_a_cache_folder_that_cannot_be_written_is_no_reason_to_stop(folder, monkeypatch):
    (folder / "a file").touch()
    monkeypatch.setattr(known, "cache_folder", lambda: folder / "a file")
    assert len(sources.load_images(folder)) == GOOD


def test_images_are_held_up_to_the_limit(folder):
    images = sources.load_images(folder, cache_bytes=10 * PIXELS)
    assert not images.cached
    before = [images.fetch(number).numpy() for number in range(GOOD)]
    for file in folder.iterdir():
        file.unlink()
    for number in range(10):
        np.testing.assert_array_equal(images.fetch(number), before[number])
    with pytest.raises(tf.errors.NotFoundError):
        images.fetch(GOOD - 1)
    assert sources.load_images("sample:3").cached


def test_what_does_not_fit_is_decoded_anew_in_every_format_and_orientation(tmp_path):
    for number in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = number
        (tmp_path / f"{number}.jpg").write_bytes(encoded(number, exif=exif))
    (tmp_path / "scan.tif").write_bytes(encoded(0, "TIFF"))
    held = sources.load_images(tmp_path, shortest_side=15)
    for images in (held, sources.load_images(tmp_path, shortest_side=15, cache_bytes=0)):
        found = [images.fetch(number).numpy() for number in range(9)]
        assert [list(image.shape[:2]) for image in found] == images.sides.tolist()
        assert images.sides[8].tolist() == [15, 18] and images.sides[7].tolist() == [18, 15]
        batch = next(iter(make_dataset(images, size=12, batch_size=9, patch_size=8)))
        assert batch["image"].shape == (9, 12, 12, 3)


@pytest.mark.long
def test_a_training_on_them_says_once_what_is_broken(folder, tmp_path_factory, capfd, caplog):
    run = tmp_path_factory.mktemp("runs") / "run"
    arguments = "--size 16 --width 0.0625 --steps 4 0 0 --masks rectangles:4-8 --log-every 2"
    arguments += " --batch-size 4 --precision float32 --patch-size 8 --cache-gb 0.00001"
    with pytest.raises(SystemExit) as end:
        main(["train", str(folder), "--out", str(run), *arguments.split()])
    assert end.value.code in (0, None)
    said = "".join(capfd.readouterr()) + caplog.text
    assert said.count("cannot be read") == 1 and "3 of 300 images" in said
    assert "297 images of" in said and "decoded on the fly" in said
    assert (run / "completion.keras").exists()
