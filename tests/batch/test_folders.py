import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial

import numpy as np
import pytest
from PIL import Image

from keras_inpaint.batch.completing import MaskOptions
from keras_inpaint.batch.folders import FolderReport, complete_folder, write_report

MODULE = """
    import logging, os, signal

    def load(fail=""):
        if fail:
            raise ValueError(fail)
        return fill

    def fill(image, mask):
        if image[0, 0].tolist() == [66, 0, 0]:
            os.kill(os.getpid(), signal.SIGKILL)
        if image[0, 0].tolist() == [67, 0, 0]:
            raise KeyError("no such thing")
        if image[0, 0].tolist() == [68, 0, 0]:
            logging.getLogger("keras_inpaint.any").warning("completed coarse to fine")
        out = image.copy()
        out[mask] = image[~mask].mean(0)
        return out

    def die():
        os._exit(3)
"""


@pytest.fixture
def fake(importable):
    """A module that processes can import."""
    return importable("fake_inpainter", MODULE)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    (tmp_path / "masks" / "sub").mkdir(parents=True)
    return tmp_path


def add(folder, name, *, mask=True, corner=(1, 2, 3), mask_suffix=".png"):
    photo = np.full((24, 32, 3), 90, np.uint8)
    photo[::2] = 110
    photo[0, 0] = corner
    path = folder / "photos" / name
    Image.fromarray(photo).save(path)
    if mask:
        hole = np.zeros((24, 32), bool)
        hole[8:12, 8:20] = True
        Image.fromarray(hole).save((folder / "masks" / name).with_suffix(mask_suffix))
    return path


def run(folder, load, **options):
    return complete_folder(folder / "photos", folder / "masks", folder / "out", load, **options)


def test_matched_by_stem_and_written_beside(folder, fake):
    add(folder, "a.png")
    add(folder, "b.jpg", mask_suffix=".bmp")
    add(folder, "sub/a.tif")
    (folder / "photos" / "notes.txt").write_text("no photo")
    (folder / "photos" / ".hidden.png").write_text("no photo")
    seen = []
    report = run(
        folder, fake.load, jobs=0, on_file=lambda file, done, total: seen.append((done, total))
    )
    assert report.counts == {"completed": 3, "unchanged": 0, "skipped": 0, "failed": 0}
    assert [os.path.relpath(file.output, folder) for file in report.files] == [
        "out/a.png",
        "out/b.jpg",
        "out/sub/a.tif",
    ]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    first = report.files[0]
    assert (first.size, first.mode, first.holes, first.hole_share) == ((32, 24), "RGB", 1, 0.0625)
    with Image.open(folder / "out" / "sub" / "a.tif") as image:
        assert image.format == "TIFF"
    assert len(list((folder / "out").rglob("*.*"))) == 3
    report = run(folder, fake.load, jobs=0, recursive=False, overwrite=True)
    assert report.counts["completed"] == 2


def test_two_hundred_photos_five_of_them_broken(folder, fake):
    rng = np.random.default_rng(0)
    for number in range(200):
        add(folder, f"{'sub/' if number % 3 else ''}p{number:03}.png")
    broken = [f"p{number:03}.png" for number in (3, 50, 101, 150, 199)]
    paths = [next((folder / "photos").rglob(name)) for name in broken]
    for path, data in zip(
        paths,
        [b"", b"text", paths[2].read_bytes()[:60], rng.bytes(300), None],
        strict=True,
    ):
        path.unlink()
        if data is None:
            path.symlink_to(path)
        else:
            path.write_bytes(data)
    report = run(folder, fake.load, jobs=2)
    assert report.counts == {"completed": 195, "unchanged": 0, "skipped": 0, "failed": 5}
    assert {os.path.basename(file.photo) for file in report.failed} == set(broken)
    for file in report.failed:
        assert os.path.basename(file.photo) in file.error and file.error.isprintable()
    assert len(list((folder / "out").rglob("p*.png"))) == 195
    assert not list((folder / "out").rglob(".*"))
    write_report(report, folder / "report.json", {"model": "fake"})
    content = json.loads((folder / "report.json").read_text())
    assert content["settings"] == {"model": "fake"}
    assert content["counts"]["failed"] == 5 and len(content["files"]) == 200
    (one,) = [file for file in content["files"] if file["photo"].endswith("p000.png")]
    assert one["status"] == "completed" and one["size"] == [32, 24] and one["seconds"] >= 0


def test_a_process_that_dies_fails_its_photo_only(folder, fake):
    for number in range(8):
        add(folder, f"p{number}.png", corner=(66, 0, 0) if number in (2, 5) else (1, 2, 3))
    report = run(folder, fake.load, jobs=2)
    assert report.counts == {"completed": 6, "unchanged": 0, "skipped": 0, "failed": 2}
    for file in report.failed:
        assert (
            "killed (out of memory?)" in file.error and os.path.basename(file.photo) in file.error
        )
    assert {os.path.basename(file.photo) for file in report.failed} == {"p2.png", "p5.png"}


SCRIPT = r"""
    import os, signal, sys, time
    from keras_inpaint.batch import folders, workers

    # A shell without job control starts its background jobs with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def slow_disk(descriptor):
        if {deaf}:  # as a process that hangs in the kernel
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(1, b"%d\n" % os.getpid())  # one write: the lines of two never mix
        time.sleep(60)

    def load():
        os.fsync = slow_disk
        return lambda image, mask: image

    workers._JOIN_SECONDS = 1.0 if {deaf} else workers._JOIN_SECONDS
    if __name__ == "__main__":
        folders.complete_folder("photos", "masks", "out", load, jobs=2)
"""


@pytest.mark.parametrize("deaf", [False, True])
def test_an_interruption_stops_every_process_and_leaves_nothing(folder, deaf):
    for number in range(3):
        add(folder, f"p{number}.png")
    (folder / "script.py").write_text(textwrap.dedent(SCRIPT).format(deaf=deaf))
    with subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run_by_user:
        pids = [int(run_by_user.stdout.readline()) for _ in range(2)]
        assert len(list((folder / "out").glob(".*.part*"))) == 2
        run_by_user.send_signal(signal.SIGINT)
        errors = run_by_user.communicate(timeout=30)[1]
    assert "KeyboardInterrupt" in errors
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert list((folder / "out").iterdir()) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes in /proc")
def test_processes_end_soon_after_their_parent_was_killed(folder):
    for number in range(6):
        add(folder, f"p{number}.png")
    script = textwrap.dedent(SCRIPT).format(deaf=False).replace("sleep(60)", "sleep(1)")
    (folder / "script.py").write_text(script)
    with subprocess.Popen(
        [sys.executable, "script.py"], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as run_by_user:
        pids = [int(run_by_user.stdout.readline()) for _ in range(2)]
        run_by_user.kill()
    deadline = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}/exe") for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert 2 <= len(list((folder / "out").glob("p*.png"))) < 6  # what was begun is finished


def test_a_model_that_cannot_be_loaded_ends_the_run(folder, fake):
    add(folder, "a.png")
    report = FolderReport([])
    with pytest.raises(RuntimeError, match="no model 'x'"):
        run(folder, partial(fake.load, "no model 'x'"), jobs=2, report=report)
    assert report.counts["pending"] == 1
    with pytest.raises(RuntimeError, match=r"could not start: .*exit code 3"):
        run(folder, fake.die, jobs=1)


def test_whatever_is_raised_is_one_failed_file(folder, fake):
    add(folder, "a.png", corner=(67, 0, 0))
    add(folder, "b.png", corner=(68, 0, 0))
    report = run(folder, fake.load, jobs=1)
    assert report.counts["failed"] == 1 and "no such thing" in report.failed[0].error
    assert report.files[1].warnings == ("completed coarse to fine",)


def test_photos_without_masks_and_masks_without_photos(folder, fake):
    add(folder, "a.png")
    add(folder, "b.png", mask=False)
    add(folder, "c.png")
    Image.new("1", (32, 24)).save(folder / "masks" / "c.bmp")
    Image.new("1", (32, 24)).save(folder / "masks" / "d.png")
    report = run(folder, fake.load, jobs=0)
    assert report.counts["completed"] == 1
    assert [os.path.basename(file.photo) for file in report.failed] == ["b.png", "c.png"]
    assert "has no mask" in report.failed[0].error
    assert "several masks: c.bmp, c.png" in report.failed[1].error
    assert report.masks_without_photo == [str(folder / "masks" / "d.png")]


def test_resume_skips_what_is_done_and_newer(folder, fake):
    for name in ("a.png", "b.png", "c.png"):
        add(folder, name)
    run(folder, fake.load, jobs=0)
    report = run(folder, fake.load, jobs=0)
    assert report.counts["failed"] == 3 and "overwrite is not set" in report.failed[0].error
    (folder / "out" / "b.png").unlink()
    later = time.time() + 10
    os.utime(folder / "masks" / "c.png", (later, later))
    report = run(folder, fake.load, jobs=0, resume=True)
    assert [file.status for file in report.files] == ["skipped", "completed", "failed"]
    report = run(folder, fake.load, jobs=0, resume=True, overwrite=True)
    assert [file.status for file in report.files] == ["skipped", "skipped", "completed"]
    os.utime(folder / "out" / "c.png", (later, later))
    report = run(folder, partial(fake.load, "not to be loaded"), jobs=1, resume=True)
    assert report.counts["skipped"] == 3


def test_one_mask_for_all_and_alpha(folder, fake):
    add(folder, "a.png")
    add(folder, "b.png", mask=False)
    mask = folder / "masks" / "a.png"
    report = complete_folder(folder / "photos", mask, folder / "o1", fake.load, jobs=0)
    assert report.counts["completed"] == 2
    rgba = np.full((24, 32, 4), 255, np.uint8)
    rgba[3:5, 3:5, 3] = 0
    Image.fromarray(rgba).save(folder / "photos" / "a.png")
    report = complete_folder(folder / "photos", "alpha", folder / "o2", fake.load, jobs=0)
    assert [file.status for file in report.files] == ["completed", "failed"]
    assert "no alpha channel" in report.files[1].error


def test_a_mask_without_a_hole_leaves_the_photo(folder, fake):
    path = add(folder, "a.png")
    Image.new("1", (32, 24)).save(folder / "masks" / "a.png")
    report = run(folder, fake.load, jobs=0, options=MaskOptions(grow=3))
    assert report.counts["unchanged"] == 1 and "no hole" in report.files[0].warnings[0]
    with Image.open(path) as before, Image.open(folder / "out" / "a.png") as after:
        assert before.tobytes() == after.tobytes()


def test_the_output_and_the_masks_may_lie_inside_the_photos(folder, fake):
    add(folder, "a.png")
    (folder / "masks").rename(folder / "photos" / "masks")
    for _ in range(2):
        report = complete_folder(
            folder / "photos",
            folder / "photos" / "masks",
            folder / "photos" / "out",
            fake.load,
            jobs=0,
            overwrite=True,
        )
        assert len(report.files) == 1 and report.counts["completed"] == 1


def test_a_photo_keeps_its_own_format_whatever_it_is_called(folder, fake):
    path = add(folder, "a.png")
    path.rename(path.with_suffix(".jpg"))
    report = run(folder, fake.load, jobs=0)
    assert report.files[0].notes == ("is named .jpg but contains a PNG",)
    with Image.open(folder / "out" / "a.jpg") as image:
        assert image.format == "PNG"


def test_folders_that_do_not_fit(folder, fake):
    photos, masks = folder / "photos", folder / "masks"
    with pytest.raises(ValueError, match=r"no (photo|mask) in"):
        run(folder, fake.load)
    add(folder, "a.png")
    for arguments, error, message in [
        ((folder / "none", masks, folder / "out"), NotADirectoryError, "none: is not a folder"),
        ((photos, folder / "none", folder / "out"), FileNotFoundError, "none: no such mask"),
        ((photos, photos, folder / "out"), ValueError, "one folder"),
        ((photos, masks, masks), ValueError, "the output is the folder of masks"),
        ((photos, masks, photos), FileExistsError, "is the input itself"),
        ((photos, masks, folder / "x" / "y"), FileNotFoundError, "does not exist: .*x"),
        ((photos, masks, photos / "a.png"), NotADirectoryError, "is a file"),
    ]:
        with pytest.raises(error, match=message):
            complete_folder(*arguments, fake.load, jobs=0)
    with pytest.raises(ValueError, match="resume cannot tell"):
        complete_folder(photos, masks, photos, fake.load, resume=True, overwrite=True)
    with pytest.raises(ValueError, match="jobs=-1"):
        run(folder, fake.load, jobs=-1)
    before = (photos / "a.png").read_bytes()
    report = complete_folder(photos, masks, photos, fake.load, jobs=0, overwrite=True)
    assert report.counts["completed"] == 1 and (photos / "a.png").read_bytes() != before
