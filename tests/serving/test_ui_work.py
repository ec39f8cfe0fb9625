import shutil

import numpy as np
import pytest
from PIL import Image

from keras_inpaint.inference.photos import read_photo
from keras_inpaint.serving.ui_canvas import editor_value, strokes_over
from keras_inpaint.serving.ui_examples import examples
from keras_inpaint.serving.ui_session import Gone
from keras_inpaint.serving.ui_work import Options, Work

KEY = "page"


class Inverting:
    """In place of networks: fills with the photo's negative, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def load(self, name):
        if name != "model":
            raise ValueError(f"There is no model {name!r}")

    def complete(self, name, image, hole, blend):
        self.asked.append((name, hole, blend))
        return np.where(hole[..., None], 255 - image, 7).astype(np.uint8), ("chosen so",)


@pytest.fixture
def work(tmp_path):
    return Work(Inverting(), tmp_path / "completed", max_pixels=200 * 200)


@pytest.fixture
def upload(tmp_path, photo):
    def save(name, **options):
        (tmp_path / "uploads").mkdir(exist_ok=True)
        path = tmp_path / "uploads" / name
        Image.fromarray(photo).save(path, **options)
        return path

    return save


@pytest.fixture
def painted(photo):
    hole = np.zeros(photo.shape[:2], bool)
    hole[20:40, 30:70] = True
    return hole, editor_value(photo, strokes_over(hole))


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "a.bmp"])
def test_outside_the_hole_the_file_holds_the_photos_own_pixels(work, upload, photo, painted, name):
    options = {"lossless": True} if name == "a.webp" else {}
    path = upload(name, **options)
    work.open_file(KEY, path)
    assert not path.exists()
    hole, value = painted
    session = work.complete(KEY, value, Options("model", blend="feather"))
    asked_model, asked_hole, asked_blend = work.models.asked[0]
    assert (asked_model, asked_blend) == ("model", "feather")
    np.testing.assert_array_equal(asked_hole, hole)
    assert session.report.startswith("1 hole filled: 800 of 120x96 pixels")
    assert "Chosen so." in session.report
    written = work.write(KEY)
    assert written.path.name == f"a-completed.{name[2:]}"
    expected = np.where(hole[..., None], 255 - photo, photo)
    np.testing.assert_array_equal(read_photo(written.path).image, expected)


def test_a_jpeg_keeps_its_size_its_metadata_and_its_orientation(work, upload, photo, painted):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 3, "Maker"
    work.open_file(KEY, upload("turned.JPG", exif=exif, quality=95))
    work.complete(KEY, painted[1], Options("model"))
    written = work.write(KEY)
    assert written.path.name == "turned-completed.JPG"
    assert any("JPEG" in note for note in written.notes)
    with Image.open(written.path) as saved:
        assert saved.format == "JPEG" and saved.size == (120, 96)
        assert saved.getexif()[0x0112] == 3 and saved.getexif()[0x010F] == "Maker"
    shown = read_photo(written.path).image
    hole = painted[0]
    # As shown the photo stands on its head, and the hole was painted on what is shown.
    assert np.abs(shown[hole].astype(int) - (255 - photo[::-1, ::-1][hole].astype(int))).mean() < 12
    assert np.abs(shown[~hole].astype(int) - photo[::-1, ::-1][~hole].astype(int)).mean() < 12


def test_growing_widens_the_hole_by_pixels_of_the_photo(work, upload, painted):
    work.open_file(KEY, upload("a.png"))
    work.complete(KEY, painted[1], Options("model", grow=3))
    grown = work.models.asked[0][1]
    rows, columns = np.flatnonzero(grown.any(1)), np.flatnonzero(grown.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (17, 42, 27, 72)


def test_going_on_and_stepping_back(work, upload, photo, painted):
    work.open_file(KEY, upload("a.png"))
    work.complete(KEY, painted[1], Options("model"))
    work.go_on(KEY)
    work.complete(KEY, painted[1], Options("model"))
    np.testing.assert_array_equal(read_photo(work.write(KEY).path).image, photo)
    for _ in range(3):
        session = work.step_back(KEY)
    assert not session.has_changed
    with pytest.raises(Gone, match="nothing to take back"):
        work.step_back(KEY)


def test_what_cannot_be_filled_is_refused_in_a_sentence(work, upload, photo, painted):
    with pytest.raises(Gone, match="Choose it again"):
        work.complete(KEY, painted[1], Options("model"))
    work.open_file(KEY, upload("a.png"))
    with pytest.raises(ValueError, match="Nothing is painted yet"):
        work.complete(KEY, editor_value(photo), Options("model"))
    with pytest.raises(ValueError, match="All of the photo is painted"):
        everything = editor_value(photo, strokes_over(np.ones(photo.shape[:2], bool)))
        work.complete(KEY, everything, Options("model"))
    with pytest.raises(ValueError, match="There is no model 'other'"):
        work.complete(KEY, painted[1], Options("other"))
    assert work.models.asked == []


def test_a_large_hole_is_told_in_the_pages_own_words(work, upload, photo):
    work.open_file(KEY, upload("a.png"))
    hole = np.ones(photo.shape[:2], bool)
    hole[:20] = False
    session = work.complete(KEY, editor_value(photo, strokes_over(hole)), Options("model"))
    assert session.report.endswith("The hole is 79.2 % of the photo.")


def test_uploads_that_are_no_photos_are_refused_and_removed(work, tmp_path):
    for name, data in (("a.jpg", b"no photo"), ("b.png", b""), ("c.png", b"\x89PNG\r\n\x1a\n")):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ValueError, match=f"^{name}: ") as caught:
            work.open_file(KEY, path)
        assert str(tmp_path) not in str(caught.value)
        assert not path.exists()


def test_too_many_pixels_are_refused_before_they_are_decoded(work, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_inpaint.serving.ui_work.read_photo", lambda path: 1 / 0)
    path = tmp_path / "large.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(ValueError, match=r"large\.png .*20000x20000.*|large\.png is too large"):
        work.open_file(KEY, path)
    Image.new("1", (201, 200)).save(path)
    with pytest.raises(ValueError, match=r"has 201x200 pixels; at most 0\.04 million"):
        work.open_file(KEY, path)


def test_closing_leaves_nothing_behind(work, upload, painted, tmp_path):
    work.open_file(KEY, upload("a.png"))
    work.complete(KEY, painted[1], Options("model"))
    work.write(KEY)
    work.close(KEY)
    assert list((tmp_path / "completed").iterdir()) == []
    with pytest.raises(Gone):
        work.write(KEY)
    shutil.rmtree(tmp_path / "uploads")
    work.close("never opened")


def test_examples_come_with_a_hole_and_no_file(work):
    session = work.open_example(KEY, 1)
    np.testing.assert_array_equal(session.strokes, strokes_over(examples()[1].hole))
    assert not session.has_changed
    value = editor_value(session.photo.image, session.strokes)
    work.complete(KEY, value, Options("model"))
    np.testing.assert_array_equal(work.models.asked[0][1], examples()[1].hole)
    assert work.write(KEY).path.name == "portrait-2-completed.png"
