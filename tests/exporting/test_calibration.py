import numpy as np
import pytest
from PIL import Image

from keras_inpaint.exporting.calibration import fit, masked_photos, read_photos


def test_photos_are_read_upright_and_spread_over_the_names(tmp_path, caplog):
    (tmp_path / "below").mkdir()
    for number in range(9):
        pixels = np.full((6, 8, 3), number * 20, np.uint8)
        folder = tmp_path / "below" if number == 8 else tmp_path
        Image.fromarray(pixels).save(folder / f"{number}.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (9, 5), 255).save(tmp_path / "9.jpg", exif=exif)
    (tmp_path / "7.png").write_bytes(b"broken")
    assert [int(photo[0, 0, 0]) for photo in read_photos(tmp_path, 5)] == [0, 40, 80, 120, 255]
    everything = read_photos(tmp_path, 100)
    assert len(everything) == 9
    assert "7.png" in caplog.text
    assert {photo.shape for photo in everything} == {(6, 8, 3), (9, 5, 3)}


def test_a_folder_without_photos(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_photos(tmp_path / "nowhere", 3)
    with pytest.raises(ValueError, match="no photo in"):
        read_photos(tmp_path, 3)


def test_holes_are_seeded_and_of_both_kinds(photos):
    first = list(masked_photos(photos, (48, 64), 6, seed=3))
    again = list(masked_photos(photos, (48, 64), 6, seed=3))
    other = list(masked_photos(photos, (48, 64), 6, seed=4))
    for (photo, hole), (same, same_hole) in zip(first, again, strict=True):
        assert photo.shape == (48, 64, 3) and photo.dtype == np.uint8
        assert hole.shape == (48, 64) and hole.dtype == bool
        assert 0 < hole.mean() < 0.7
        np.testing.assert_array_equal(photo, same)
        np.testing.assert_array_equal(hole, same_hole)
    assert any((a[1] != b[1]).any() for a, b in zip(first, other, strict=True))

    def is_box(hole):
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        return hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()

    assert [is_box(hole) for _, hole in first] == [True, False] * 3


def test_fitting_keeps_the_proportions():
    photo = np.zeros((100, 50, 3), np.uint8)
    photo[25:75] = 255
    assert fit(photo, (20, 20)).min() > 200
