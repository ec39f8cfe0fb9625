"""A file is the old one or the whole new one, and nothing stays behind."""

import errno
import os

import pytest

from keras_inpaint.files import remove_leftovers, replacing


def test_the_file_is_moved_there_whole(tmp_path):
    path = tmp_path / "a.keras"
    path.write_text("old")
    with replacing(path) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".keras"
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="full"), replacing(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_process_do_not_meet(tmp_path):
    path = tmp_path / "a.png"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    names = (".keras-inpaint-7-0.part", ".keras-inpaint-7-1.part.png", ".keras-inpaint-77-0.part")
    files = [tmp_path / name for name in names]
    for file in files:
        file.touch()
    remove_leftovers(tmp_path, 7)
    assert list(tmp_path.iterdir()) == [files[2]]


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left") as raised, replacing(tmp_path / "a.tflite"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert raised.value.filename == str(tmp_path / "a.tflite")
