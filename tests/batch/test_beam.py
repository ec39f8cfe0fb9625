import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("apache_beam", reason="needs pip install 'keras-inpaint[beam]'")

from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata, FileSystem
from apache_beam.options.pipeline_options import PipelineOptions

from keras_inpaint.batch.beam import FromFolders, FromManifest, complete_batch
from keras_inpaint.batch.completing import MaskOptions
from keras_inpaint.batch.folders import complete_folder

pytestmark = pytest.mark.long

MODULE = """
    loaded = 0

    def load():
        global loaded
        loaded += 1
        return fill

    def fill(image, mask):
        if image[0, 0].tolist() == [67, 0, 0]:
            raise KeyError("no such thing")
        out = image.copy()
        out[mask] = image[~mask].mean(0)
        return out
"""


@pytest.fixture
def fake(importable):
    """A module that Beam can pickle by its name."""
    return importable("fake_for_beam", MODULE)


@pytest.fixture
def folder(tmp_path):
    """Four good photos in two folders; bad ones of every kind; files that are no photos."""
    for name in ("photos/sub", "photos/.hidden", "masks/sub"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("a.png", "b.jpg", "sub/a.tif", "sub/c d#é.png"):
        add(tmp_path, name)
    add(tmp_path, "breaks.png", corner=(67, 0, 0))
    truncated = add(tmp_path, "truncated.png")
    truncated.write_bytes(truncated.read_bytes()[:60])
    add(tmp_path, "empty.png").write_bytes(b"")
    add(tmp_path, "other.png", mask_size=(24, 31))
    add(tmp_path, "alone.png", mask_size=None)
    add(tmp_path, "twice.png")
    Image.new("1", (32, 24)).save(tmp_path / "masks" / "twice.bmp")
    Image.new("1", (32, 24)).save(tmp_path / "masks" / "nobody.png")
    add(tmp_path, ".hidden/x.png", mask_size=None)
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    return tmp_path


GOOD = {"a.png", "b.jpg", "sub/a.tif", "sub/c d#é.png"}
BAD = {"alone.png", "breaks.png", "empty.png", "other.png", "truncated.png", "twice.png"}


def add(folder, name, *, mask_size=(24, 32), corner=(1, 2, 3)):
    photo = np.full((24, 32, 3), 90, np.uint8)
    photo[::2] = 110
    photo[0, 0] = corner
    Image.fromarray(photo).save(folder / "photos" / name)
    if mask_size:
        hole = np.zeros(mask_size, bool)
        hole[8:12, 8:20] = True
        Image.fromarray(hole).save((folder / "masks" / name).with_suffix(".png"))
    return folder / "photos" / name


def run(folder, fake, source=None, **how):
    source = source or FromFolders(f"{folder}/photos", f"{folder}/masks", f"{folder}/out")
    options = PipelineOptions(["--runner=DirectRunner"])
    return complete_batch(source, fake.load, f"{folder}/report", pipeline_options=options, **how)


def lines(folder, name):
    return [json.loads(line) for line in (folder / f"report.{name}.jsonl").read_text().splitlines()]


def written(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_files_as_complete_folder_and_the_same_failures(folder, fake):
    counts = run(folder, fake)
    assert counts == {"completed": len(GOOD), "failed": len(BAD)}
    assert fake.loaded == 1
    report = complete_folder(
        folder / "photos", folder / "masks", folder / "expected", fake.load, jobs=0
    )
    assert written(folder / "out") == written(folder / "expected")
    assert written(folder / "out").keys() == GOOD
    failed = {line["photo"]: line for line in lines(folder, "failed")}
    assert failed.keys() == {file.photo for file in report.failed}
    assert {os.path.relpath(photo, folder / "photos") for photo in failed} == BAD
    for file in report.failed:
        assert failed[file.photo]["mask"] == file.mask
        assert failed[file.photo]["error"] == file.error
    done = {line["photo"]: line for line in lines(folder, "done")}
    for file in report.files:
        if not file.error:
            line = done[file.photo]
            assert (line["mask"], line["holes"], line["status"]) == (file.mask, 1, "completed")
            assert line["output"] == f"{folder}/out/{os.path.relpath(file.photo, folder)[7:]}"
            assert 0 <= line["seconds"] < 10


def test_run_again_nothing_is_done_unless_overwrite_is_set(folder, fake):
    run(folder, fake)
    before = written(folder / "out")
    (folder / "out" / "a.png").write_bytes(b"kept")
    assert run(folder, fake) == {"skipped": len(GOOD), "failed": len(BAD)}
    assert (folder / "out" / "a.png").read_bytes() == b"kept"
    assert run(folder, fake, overwrite=True) == {"completed": len(GOOD), "failed": len(BAD)}
    assert written(folder / "out") == before


def test_names_that_are_no_utf_8_and_masks_from_transparency(folder, fake):
    photo = np.full((24, 32, 4), 200, np.uint8)
    photo[..., 3] = 255
    photo[8:12, 8:20, 3] = 0
    Image.fromarray(photo).save(folder / "photos" / "clear.png")
    os.rename(folder / "photos/clear.png", os.fsencode(folder) + b"/photos/cl\xe9ar.png")
    source = FromFolders(f"{folder}/photos/cl*", "alpha", f"{folder}/out")
    assert run(folder, fake, source) == {"completed": 1}
    [line] = lines(folder, "done")
    assert (os.fsencode(os.path.basename(line["photo"])), line["mask"]) == (
        b"cl\xe9ar.png",
        "alpha",
    )
    with Image.open(line["output"]) as image:
        assert np.asarray(image)[..., 3].min() == 255


def test_what_a_killed_run_left_is_removed(folder, fake):
    (folder / "out" / "sub").mkdir(parents=True)
    left = folder / "out" / "sub" / ".keras-inpaint-0123.part"
    left.write_bytes(b"half a photo")
    run(folder, fake)
    assert written(folder / "out").keys() == GOOD


def test_a_pattern_one_mask_and_masks_options(folder, fake):
    source = FromFolders(f"{folder}/photos/*.jpg", f"{folder}/masks/a.png", f"{folder}/out")
    assert run(folder, fake, source, options=MaskOptions(grow=1)) == {"completed": 1}
    assert written(folder / "out").keys() == {"b.jpg"}
    [line] = lines(folder, "done")
    assert line["hole_share"] == round(80 / (24 * 32), 6)  # corners are round


def test_outputs_that_lie_among_the_photos_are_no_photos(folder, fake):
    source = FromFolders(f"{folder}/photos", f"{folder}/masks", f"{folder}/photos/out")
    assert run(folder, fake, source) == {"completed": len(GOOD), "failed": len(BAD)}
    assert run(folder, fake, source) == {"skipped": len(GOOD), "failed": len(BAD)}


def test_what_cannot_be_written_is_told_and_leaves_nothing(folder, fake):
    (folder / "out" / "b.jpg" / "in the way").mkdir(parents=True)
    counts = run(folder, fake, overwrite=True)
    assert counts["failed"] == len(BAD) + 1
    [line] = [line for line in lines(folder, "failed") if line["photo"].endswith("b.jpg")]
    assert "Rename operation failed" in line["error"]
    assert written(folder / "out").keys() == GOOD - {"b.jpg"}


def test_no_photo_and_outputs_over_inputs_are_refused(folder, fake):
    with pytest.raises(ValueError, match=r"no photo in .*nowhere/\*\*"):
        run(folder, fake, FromFolders(f"{folder}/nowhere", "alpha", f"{folder}/out"))
    with pytest.raises(ValueError, match="the output is the folder of photos"):
        FromFolders(f"{folder}/photos/*.jpg", "alpha", f"{folder}/./photos/")
    with pytest.raises(ValueError, match="the output is the folder of masks"):
        FromFolders("memory://b/photos", "memory://b/masks/", "memory://b/masks")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_manifest(folder, fake, suffix):
    rows = [
        (f"{folder}/photos/a.png", f"{folder}/masks/a.png", f"{folder}/out/x/1.png"),
        (f"{folder}/photos/sub/c d#é.png", f"{folder}/masks/a.png", f"{folder}/out/2, é.png"),
        ("photos/none.png", "masks/a.png", "out/3.png"),
    ]
    path = folder / f"manifest{suffix}"
    with open(path, "w", encoding="utf-8") as file:
        if suffix == ".csv":
            file.write("\ufeffphoto,mask,output\r\n")
            file.writelines(",".join(f'"{v}"' for v in row) + "\r\n" for row in rows)
        else:
            names = ("photo", "mask", "output")
            file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    assert run(folder, fake, FromManifest(str(path))) == {"completed": 2, "failed": 1}
    assert written(folder / "out").keys() == {"x/1.png", "2, é.png"}
    [line] = lines(folder, "failed")
    assert line["error"] == f"{folder}/photos/none.png: No such file or directory"
    add(folder, "none.png")
    again = FromManifest(f"{folder}/report.failed.jsonl")
    assert run(folder, fake, again) == {"completed": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", "photo,mask\na,b\n", "line 2: expected photo, mask and output, got .*'photo'"),
        ("m.csv", "photo,mask,output\na,b,c\n\nd,,f\n", "line 4: expected photo"),
        ("m.csv", "photo,mask,output\na,b,./a\n", "line 2: the output .*/a is the photo"),
        ("m.csv", "photo,mask,output\na,b,c\na,b,c\n", "line 3: line 2 writes .*/c, too"),
        ("m.csv", "photo,mask,output\n", "has no photo"),
        (
            "m.jsonl",
            '{"photo": "a", "mask": "b", "output": "c"}\n{"photo": \n',
            "line 2: Expecting",
        ),
        ("m.jsonl", "[1]\n", "line 1: expected photo, mask and output"),
        ("m.jsonl", b"\xff\n", "line 1: .*utf-8"),
        ("m.txt", "", "a manifest must be .csv or .jsonl, got '.txt'"),
    ],
)
def test_a_wrong_manifest_names_the_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        FromManifest(str(path))


class _Upload(io.BytesIO):
    """A file that is there when it is closed, whole."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def close(self):
        if not self.closed:
            InMemory.files[self._path] = self.getvalue()
        super().close()


class InMemory(FileSystem):
    """Files in a dictionary, as in a store of objects without folders."""

    files: ClassVar = {}

    @classmethod
    def scheme(cls):
        return "memory"

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path):
        pass

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        for path, data in sorted(self.files.items()):
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(data))

    def create(self, path, mime_type="", compression_type=CompressionTypes.AUTO):
        return _Upload(path)

    def open(self, path, mime_type="", compression_type=CompressionTypes.AUTO):
        if path not in self.files:
            raise BeamIOError(f"no object {path}")
        return io.BytesIO(self.files[path])

    def copy(self, source_file_names, destination_file_names):
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            self.files[destination] = self.files[source]

    def rename(self, source_file_names, destination_file_names):
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            self.files[destination] = self.files.pop(source)

    def exists(self, path):
        return path in self.files

    def size(self, path):
        return len(self.files[path])

    def last_updated(self, path):
        return 0.0

    def checksum(self, path):
        return str(hash(self.files[path]))

    def metadata(self, path):
        return FileMetadata(path, len(self.files[path]))

    def delete(self, paths):
        for match in self.match(paths):
            for found in match.metadata_list:
                del self.files[found.path]


def test_another_file_system_from_photos_to_report(folder, fake, monkeypatch):
    monkeypatch.setattr(InMemory, "files", {})
    store = InMemory.files
    for name in ("photos", "masks"):
        for path, data in written(folder / name).items():
            store[f"memory://bucket/{name}/{path}"] = data
    store["memory://bucket/out/.keras-inpaint-0123.part"] = b"half a photo"
    before = set(store)
    source = FromFolders("memory://bucket/photos", "memory://bucket/masks", "memory://bucket/out")
    options = PipelineOptions(["--runner=DirectRunner"])
    how = {"pipeline_options": options}
    counts = complete_batch(source, fake.load, "memory://bucket/report", **how)
    assert counts == {"completed": len(GOOD), "failed": len(BAD)}
    complete_folder(folder / "photos", folder / "masks", folder / "out", fake.load, jobs=0)
    new = {path.removeprefix("memory://bucket/"): store[path] for path in set(store) - before}
    assert new.keys() == {f"out/{name}" for name in GOOD} | {
        "report.done.jsonl",
        "report.failed.jsonl",
    }
    for name, data in written(folder / "out").items():
        assert new[f"out/{name}"] == data
    counts = complete_batch(source, fake.load, "memory://bucket/report", **how)
    assert counts == {"skipped": len(GOOD), "failed": len(BAD)}


MANY, TWO_PROCESSES = 200, ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Two hundred small photos, ten of them bad, and what `complete` makes of them."""
    from keras_inpaint.data import sample

    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    for name in ("photos/sub", "masks/sub"):
        (folder / name).mkdir(parents=True)
    for number in range(MANY):
        place = f"{'sub/' if number % 3 else ''}p{number:03}"
        photo = Image.fromarray(sample.portrait(number % 4)).resize((72, 64 + number % 9))
        photo.save(folder / "photos" / f"{place}.{('png', 'jpg')[number % 2]}")
        hole = np.zeros(photo.size[::-1], bool)
        top, left = rng.integers(10, 36, 2)
        hole[top : top + 14, left : left + 20] = True
        mask = folder / "masks" / f"{place}.png"
        Image.fromarray(hole).save(mask)
        path = folder / "photos" / f"{place}.{('png', 'jpg')[number % 2]}"
        if number % 20 == 3:
            path.write_bytes(path.read_bytes()[:200])
        elif number % 60 == 13:
            mask.unlink()
        elif number % 60 == 33:
            Image.new("1", (9, 9), 1).save(mask)
    finished = keras_inpaint("complete", "photos", "--mask", "masks", "-o", "expected", cwd=folder)
    assert finished.returncode == 1, finished.stderr
    return folder


def keras_inpaint(*arguments, **how):
    command = [sys.executable, "-m", "keras_inpaint", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **how)


def batch(out, *beam_options):
    """Return the command that writes to a folder, and its report beside it by the same name."""
    return ["batch", "photos", "--mask", "masks", "-o", out, "--report", out, *beam_options]


def check(folder, out):
    """Check that good photos are as `complete` writes them, and bad ones told; return the good."""
    expected = written(folder / "expected")
    assert written(folder / out) == expected
    failed = (folder / f"{out}.failed.jsonl").read_text().splitlines()
    names = {os.path.relpath(json.loads(line)["photo"], folder / "photos") for line in failed}
    assert names == written(folder / "photos").keys() - expected.keys()
    assert len(names) == 17
    return len(expected)


def test_two_hundred_photos_in_two_processes(many):
    finished = keras_inpaint(*batch("out", *TWO_PROCESSES), cwd=many)
    assert finished.returncode == 1, finished.stderr
    good = check(many, "out")
    assert "200 photos in" in finished.stdout
    assert f": {good} completed, 0 unchanged, 0 skipped, 17 failed" in finished.stdout
    times = {path: path.stat().st_mtime_ns for path in (many / "out").rglob("*")}
    finished = keras_inpaint(*batch("out", *TWO_PROCESSES), cwd=many)
    assert f": 0 completed, 0 unchanged, {good} skipped, 17 failed" in finished.stdout
    assert {path: path.stat().st_mtime_ns for path in (many / "out").rglob("*")} == times
    check(many, "out")


@pytest.mark.slow
def test_killed_in_the_middle_and_started_again_it_ends_the_same(many):
    command = [sys.executable, "-m", "keras_inpaint", *batch("killed", *TWO_PROCESSES)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=many, start_new_session=True, **quiet)
    try:
        deadline = time.monotonic() + 240
        while len(list((many / "killed").rglob("p*.*"))) < 30:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the workers, too
        process.wait()
    there = len(list((many / "killed").rglob("p*.*")))
    assert 30 <= there < 180
    finished = keras_inpaint(*batch("killed", *TWO_PROCESSES), cwd=many)
    assert finished.returncode == 1, finished.stderr
    good = check(many, "killed")
    assert f": {good - there} completed, 0 unchanged, {there} skipped" in finished.stdout


def test_portable_runner_with_a_job_server_and_a_pool_of_worker_processes(many):
    job, pool = free_port(), free_port()
    apart = ["--environment_type=EXTERNAL", f"--environment_config=localhost:{pool}"]
    portable = ["--runner=PortableRunner", f"--job_endpoint=localhost:{job}", *apart]
    with (
        serving("apache_beam.runners.portability.local_job_service_main", "--port", job),
        serving("apache_beam.runners.worker.worker_pool_main", "--service_port", pool),
    ):
        command = batch("portable", *portable, "--direct_num_workers=2")
        finished = keras_inpaint(*command, cwd=many, timeout=300)
    assert finished.returncode == 1, finished.stderr
    good = check(many, "portable")
    assert f": {good} completed, 0 unchanged, 0 skipped, 17 failed" in finished.stdout


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def serving(module, option, port):
    """Run a module that listens on a port, and all that it starts, until the block ends."""
    folder = os.path.dirname(sys.executable)  # the pool starts workers as `python`
    process = subprocess.Popen(
        [sys.executable, "-m", module, option, str(port)],
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
                break
            assert process.poll() is None and time.monotonic() < deadline, module
            time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
