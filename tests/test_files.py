import errno
import os
import subprocess
import sys

import pytest

from keras_inpaint import files as atomic


def test_shown_is_one_printable_line():
    assert atomic.printable("a\nb\x1b[31m\0ü.png") == "a\\nb\\x1b[31m\\x00ü.png"
    assert atomic.printable(b"\xff.png").isprintable()


def test_a_whole_file_or_nothing(tmp_path):
    path = tmp_path / "a.bin"
    atomic.write_atomically(path, b"one")
    with pytest.raises(FileExistsError, match=r"a\.bin: exists, and overwrite is not set"):
        atomic.write_atomically(path, b"two")
    assert path.read_bytes() == b"one"
    os.chmod(path, 0o600)
    atomic.write_atomically(path, b"two", overwrite=True)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.bin", tmp_path / "link.bin"
    real.write_bytes(b"one")
    link.symlink_to(real)
    atomic.write_atomically(link, b"two", overwrite=True)
    assert link.is_symlink() and real.read_bytes() == b"two"


def test_targets_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"does not exist: .*missing"):
        atomic.check_target(tmp_path / "missing" / "a.png")
    with pytest.raises(ValueError, match="is a folder"):
        atomic.check_target(tmp_path)
    with pytest.raises(ValueError, match=r"a\\x00b.*NUL"):
        atomic.check_target("a\0b")
    with pytest.raises(ValueError, match="empty"):
        atomic.check_target("")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises((ValueError, OSError)):
        atomic.check_target(loop)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        atomic.check_target(tmp_path / "pipe", overwrite=True)
    with pytest.raises(ValueError, match="not a regular file"):
        atomic.check_regular_file(tmp_path / "pipe")
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"x")
    with pytest.raises(FileExistsError, match="is the input itself"):
        atomic.check_target(photo, inputs=[photo])


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*a\.bin"):
        atomic.write_atomically(path, b"new", overwrite=True)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_limit_of_the_system_leaves_nothing(tmp_path):
    code = (
        "import resource, sys\n"
        "from keras_inpaint.files import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_atomically(sys.argv[1], bytes(100_000))\n"
        "except OSError as error:\n"
        "    print(error.strerror, error.filename)\n"
    )
    path = tmp_path / "a.bin"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"File too large {path}"
    assert list(tmp_path.iterdir()) == []
