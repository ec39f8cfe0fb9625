import errno
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from keras_inpaint.batch.completing import MaskOptions, complete_file
from keras_inpaint.batch.files import complete_folder, complete_photo


class MeanColour:
    """Stands in for an inpainter: fills with the mean of what is known; counts its loads."""

    def __init__(self):
        self.loads = 0

    def __call__(self):
        self.loads += 1
        return self.fill

    @staticmethod
    def fill(image, mask):
        out = image.copy()
        out[:] = image[~mask].mean(0) if (~mask).any() else 127  # everywhere, on purpose
        return out


@pytest.fixture
def folder(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    hole = np.zeros(photo.shape[:2], bool)
    hole[20:40, 30:60] = True
    Image.fromarray(hole).save(tmp_path / "mask.png")
    return tmp_path


def test_a_photo_and_a_mask(folder, photo):
    load = MeanColour()
    done = complete_file(folder / "photo.png", folder / "mask.png", folder / "out.png", load)
    out = np.asarray(Image.open(folder / "out.png"))
    changed = (out != photo).any(-1)
    assert (
        not changed[:20].any() and not changed[:, :30].any() and changed[20:40, 30:60].mean() > 0.9
    )
    assert (done.format, done.mode, done.size) == ("PNG", "RGB", (120, 96))
    assert (done.holes.count, done.holes.pixels) == (1, 600)
    assert done.seconds > 0 and done.warnings == () and load.loads == 1


def test_grow_polarity_and_resize(folder, photo):
    hole = np.zeros((48, 60), bool)
    hole[10:20, 15:30] = True
    Image.fromarray(~hole).save(folder / "small.png")
    options = MaskOptions(polarity="black", grow=2, resize=True)
    done = complete_file(
        folder / "photo.png", folder / "small.png", folder / "o.png", MeanColour(), options=options
    )
    changed = (np.asarray(Image.open(folder / "o.png")) != photo).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (18, 41, 28, 61)
    assert done.holes.pixels == 24 * 34 - 4 * 3


def test_keywords_change_fields_of_the_options(folder):
    hole = np.asarray(Image.open(folder / "mask.png"))
    Image.fromarray(~hole).save(folder / "black.png")
    photo, mask, fill = folder / "photo.png", folder / "black.png", MeanColour.fill
    options = MaskOptions(polarity="black", grow=9)
    done = complete_photo(photo, mask, folder / "a.png", fill, options=options, grow=2)
    expected = complete_photo(photo, mask, folder / "b.png", fill, polarity="black", grow=2)
    assert done.holes == expected.holes and done.holes.pixels == 24 * 34 - 4 * 3
    report = complete_folder([photo], mask, folder / "out", fill, options=options, grow=0)
    assert report.files[0].hole_share == round(600 / (96 * 120), 6)
    with pytest.raises(TypeError, match="takes no settings, got blend"):
        complete_photo(photo, mask, folder / "c.png", fill, blend="none")


def test_the_hole_in_the_alpha_channel_becomes_opaque(folder, photo):
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[5:9, 5:50] = 0
    alpha[0, 0] = 200
    Image.fromarray(np.dstack([photo, alpha])).save(folder / "rgba.png")
    complete_file(folder / "rgba.png", "alpha", folder / "out.png", MeanColour())
    out = np.asarray(Image.open(folder / "out.png"))
    assert (out[5:9, 5:50, 3] == 255).all() and out[0, 0, 3] == 200
    with pytest.raises(ValueError, match=r"out\.jpg: .*transparent"):
        complete_file(folder / "rgba.png", "alpha", folder / "out.jpg", MeanColour())
    alpha[0, 0] = 255
    Image.fromarray(np.dstack([photo, alpha])).save(folder / "rgba.png")
    complete_file(folder / "rgba.png", "alpha", folder / "out.jpg", MeanColour())
    with Image.open(folder / "out.jpg") as image:
        assert image.mode == "RGB"


def test_nothing_is_overwritten_unasked(folder):
    photo, mask = folder / "photo.png", folder / "mask.png"
    before = photo.read_bytes()
    load = MeanColour()
    with pytest.raises(FileExistsError, match=r"is the input itself, and overwrite"):
        complete_file(photo, mask, photo, load)
    (folder / "link.png").symlink_to(photo)
    with pytest.raises(FileExistsError, match=r"is the input itself"):
        complete_file(photo, mask, folder / "link.png", load)
    with pytest.raises(FileExistsError, match=r"is the input itself"):
        complete_file(photo, mask, mask, load)
    with pytest.raises(ValueError, match=r"is the mask itself"):
        complete_file(photo, mask, mask, load, overwrite=True)
    assert photo.read_bytes() == before and load.loads == 0
    complete_file(photo, mask, photo, load, overwrite=True)
    assert photo.read_bytes() != before


def test_all_is_refused_before_the_model_is_loaded(folder):
    load = MeanColour()
    photo, mask = folder / "photo.png", folder / "mask.png"
    Image.new("L", (120, 96)).save(folder / "black.png")
    Image.new("L", (12, 9)).save(folder / "small.png")
    Image.new("RGBA", (120, 96)).save(folder / "clear.png")
    cases = [
        ((photo, mask, folder / "missing" / "out.png"), "does not exist"),
        ((photo, mask, folder / "out.xyz"), "no known photo format"),
        ((photo, folder / "black.png", folder / "out.png"), r"black\.png: the mask has no hole"),
        ((photo, folder / "small.png", folder / "out.png"), r"small\.png: its size is 12x9"),
        ((photo, "alpha", folder / "out.png"), "no alpha channel"),
        ((folder / "clear.png", mask, folder / "out.jpg"), r"out\.jpg: .*transparent"),
    ]
    before = sorted(folder.iterdir())
    for arguments, message in cases:
        with pytest.raises((ValueError, OSError), match=message):
            complete_file(*arguments, load)
    assert load.loads == 0 and sorted(folder.iterdir()) == before


def test_a_mask_without_a_hole_can_be_kept(folder, photo):
    Image.new("L", (120, 96)).save(folder / "black.png")
    load = MeanColour()
    done = complete_file(
        folder / "photo.png",
        folder / "black.png",
        folder / "out.png",
        load,
        options=MaskOptions(without_hole="keep"),
    )
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "out.png")), photo)
    assert load.loads == 0 and "no hole" in done.warnings[0]


def test_pages_are_not_lost_in_place(folder, photo):
    pages = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    path = folder / "pages.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match="only the first of which would be kept"):
        complete_file(path, folder / "mask.png", path, MeanColour(), overwrite=True)
    done = complete_file(path, folder / "mask.png", folder / "one.tif", MeanColour())
    assert any("only the first" in note for note in done.notes)


def test_a_wrong_answer_of_the_inpainter_is_an_error(folder):
    with pytest.raises(ValueError, match="image must be uint8"):
        complete_file(
            folder / "photo.png",
            folder / "mask.png",
            folder / "out.png",
            lambda: lambda image, mask: image[:-1],
        )
    assert not (folder / "out.png").exists()


def test_a_full_disk_leaves_nothing(folder, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    before = sorted(folder.iterdir())
    with pytest.raises(OSError, match="No space left on device"):
        complete_file(folder / "photo.png", folder / "mask.png", folder / "out.png", MeanColour())
    assert sorted(folder.iterdir()) == before


def _hostile_files(folder, photo):
    """Fifty files that no tool should trust."""
    rng = np.random.default_rng(5)
    made = []

    def put(name, data):
        path = folder / name
        path.write_bytes(data)
        made.append(path)

    for suffix in (".jpg", ".png", ".webp", ".tif", ".bmp", ".gif"):
        whole = folder / f"whole{suffix}"
        Image.fromarray(photo).save(whole)
        data = whole.read_bytes()
        whole.unlink()
        for number, share in enumerate(rng.uniform(0.02, 0.9, 4)):
            put(f"cut{number}{suffix}", data[: int(len(data) * share)])
        put(f"zeros{suffix}", bytes(500))
        put(f"empty{suffix}", b"")
    Image.fromarray(photo).save(folder / "whole.png")
    png = (folder / "whole.png").read_bytes()
    (folder / "whole.png").unlink()
    huge = (100_000).to_bytes(4, "big") * 2
    put("huge.png", png[:16] + huge + png[24:])
    put(
        "huge.bmp", b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + b"\xff\xff\xff\x7f" * 2 + bytes(99)
    )
    put("huge.gif", b"GIF89a" + b"\xff" * 4 + b"\x80\0\0" + bytes(20))
    put("text.jpg", b"this is not a photo\n" * 20)
    put("script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    put("page.jpg", b"%PDF-1.7\n" + bytes(300))
    put("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    put("new\nline.png", b"\0" * 9)
    put("noise.tif", b"II*\0" + rng.integers(0, 256, 400).astype(np.uint8).tobytes())
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "a.png").symlink_to(folder / "b.png")
    (folder / "b.png").symlink_to(folder / "a.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    made += [folder / name for name in ("loop.png", "a.png", "folder.png", "pipe.png")]
    made.append(f"{folder}/nul\0byte.png")
    return made


def test_hostile_files_end_in_one_clear_line(tmp_path, photo):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    files = _hostile_files(tmp_path / "in", photo)
    assert len(files) == 50
    good, mask = tmp_path / "good.png", tmp_path / "mask.png"
    Image.fromarray(photo).save(good)
    Image.fromarray(np.eye(96, 120, dtype=bool)).save(mask)
    load = MeanColour()
    for file in files:
        for photo_path, mask_path in ((file, mask), (good, file)):
            with pytest.raises((ValueError, OSError)) as caught:
                complete_file(photo_path, mask_path, tmp_path / "out" / "out.png", load)
            message = str(caught.value)
            assert message.isprintable()
            name = os.path.basename(str(file)).replace("\n", "\\n").replace("\0", "\\x00")
            assert name in message
            assert list((tmp_path / "out").iterdir()) == []
    assert load.loads == 0


def test_no_tensorflow_is_imported():
    code = (
        "import sys, keras_inpaint.batch.folders, keras_inpaint.batch.completing\n"
        "print([m for m in ('tensorflow', 'keras', 'ai_edge_litert') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
