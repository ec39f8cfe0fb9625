import numpy as np
import pytest
from PIL import ExifTags, Image
from scipy import ndimage

from keras_inpaint.photos.masks import (
    MaskOptions,
    alpha_mask,
    dilate,
    mask_statistics,
    warnings_about,
)

from .photo_files import read_mask, read_photo


@pytest.fixture
def photo_30_by_20(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (30, 20), (9, 9, 9)).save(path)
    return read_photo(path)


def drawn(height=20, width=30):
    hole = np.zeros((height, width), bool)
    hole[3:9, 4:14] = True
    return hole


def saved(path, value, mode=None, **options):
    Image.fromarray(value, mode).save(path, **options) if mode else Image.fromarray(value).save(
        path, **options
    )
    return path


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("polarity", ["white", "black"])
def test_every_mode_and_polarity(tmp_path, photo_30_by_20, mode, polarity):
    hole = drawn()
    value = np.where(hole == (polarity == "white"), 255, 0).astype(np.uint8)
    image = Image.fromarray(value)
    path = tmp_path / ("mask.tif" if mode == "CMYK" else "mask.png")
    if mode == "I;16":
        image = Image.fromarray(value.astype(np.uint16) * 257)
    else:
        image = image.convert("RGB").convert(mode)
    image.save(path)
    mask, notes = read_mask(path, photo_30_by_20, MaskOptions(polarity))
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, hole)
    assert notes == ()


def test_cut_at_half_with_a_warning(tmp_path, photo_30_by_20):
    value = np.zeros((20, 30), np.uint8)
    value[0, :4] = [127, 128, 60, 255]
    mask, notes = read_mask(saved(tmp_path / "m.png", value), photo_30_by_20)
    assert mask[0, :4].tolist() == [False, True, False, True] and mask.sum() == 2
    assert len(notes) == 1 and "0.5 %" in notes[0] and "thresholded at 50 %" in notes[0]


def test_a_sharp_jpeg_mask_is_not_called_soft(tmp_path, photo_30_by_20):
    value = np.zeros((20, 30), np.uint8)
    value[8:16, 8:24] = 255
    path = saved(tmp_path / "m.jpg", value, quality=95)
    mask, notes = read_mask(path, photo_30_by_20)
    np.testing.assert_array_equal(mask, value == 255)
    assert notes == ()


def test_zeros_and_ones_are_understood(tmp_path, photo_30_by_20):
    path = saved(tmp_path / "m.png", drawn().astype(np.uint8))
    mask, notes = read_mask(path, photo_30_by_20)
    np.testing.assert_array_equal(mask, drawn())
    assert "0 and 1 only" in notes[0]


@pytest.mark.parametrize(("polarity", "stroke"), [("white", 255), ("black", 0)])
def test_transparent_means_unpainted(tmp_path, photo_30_by_20, polarity, stroke):
    value = np.zeros((20, 30, 4), np.uint8)
    value[..., :3] = 255 - stroke if polarity == "black" else 77
    value[drawn()] = [stroke, stroke, stroke, 255]
    path = saved(tmp_path / "m.png", value)
    mask, _ = read_mask(path, photo_30_by_20, MaskOptions(polarity))
    np.testing.assert_array_equal(mask, drawn())


def test_another_size_is_an_error_unless_resized(tmp_path, photo_30_by_20):
    small = drawn()[::2, ::2]
    path = saved(tmp_path / "m.png", small)
    with pytest.raises(ValueError, match=r"m\.png: its size is 15x10, .*30x20.*; resize it"):
        read_mask(path, photo_30_by_20)
    mask, notes = read_mask(path, photo_30_by_20, MaskOptions(resize=True))
    np.testing.assert_array_equal(mask, small.repeat(2, 0).repeat(2, 1))
    assert notes == ()
    path = saved(tmp_path / "m.png", np.ones((10, 10), bool))
    mask, notes = read_mask(path, photo_30_by_20, MaskOptions(resize=True))
    assert mask.all() and mask.shape == (20, 30) and "aspect ratio differs" in notes[0]


def test_the_mask_fits_the_photo_as_shown(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (30, 20)).save(path, exif=exif)
    photo = read_photo(path)
    upright = drawn(30, 20)
    mask, _ = read_mask(saved(tmp_path / "m.png", upright), photo)
    np.testing.assert_array_equal(mask, upright)
    turned = np.ascontiguousarray(np.rot90(upright, 1))
    mask, _ = read_mask(saved(tmp_path / "t.png", turned, exif=exif), photo)
    np.testing.assert_array_equal(mask, upright)
    with pytest.raises(ValueError, match="without its EXIF orientation"):
        read_mask(saved(tmp_path / "t.png", turned), photo)


def test_bad_masks(tmp_path, photo_30_by_20):
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"empty\.png: is empty"):
        read_mask(tmp_path / "empty.png", photo_30_by_20)
    with pytest.raises(FileNotFoundError):
        read_mask(tmp_path / "missing.png", photo_30_by_20)
    with pytest.raises(ValueError, match="got 'grey'"):
        MaskOptions(polarity="grey")


def test_alpha_as_the_mask(tmp_path):
    rgba = np.full((20, 30, 4), 200, np.uint8)
    rgba[..., 3] = np.where(drawn(), 0, 255)
    path = saved(tmp_path / "a.png", rgba)
    mask, notes = alpha_mask(read_photo(path))
    np.testing.assert_array_equal(mask, drawn())
    assert notes == ()
    rgba[0, :2, 3] = [127, 128]
    mask, notes = alpha_mask(read_photo(saved(path, rgba)))
    assert mask[0, :2].tolist() == [True, False] and "partly transparent" in notes[0]
    with pytest.raises(ValueError, match=r"b\.png: has no alpha channel .*mode RGB"):
        alpha_mask(read_photo(saved(tmp_path / "b.png", rgba[..., :3].copy())))


@pytest.mark.parametrize("pixels", [0, 1, 3, 10])
def test_grown_is_a_disc_around_every_pixel(pixels):
    rng = np.random.default_rng(pixels)
    for hole in (drawn(), rng.random((20, 30)) > 0.99, np.eye(20, 30, dtype=bool)):
        before = hole.copy()
        y, x = np.mgrid[-pixels : pixels + 1, -pixels : pixels + 1]
        expected = ndimage.binary_dilation(hole, x**2 + y**2 <= pixels**2)
        np.testing.assert_array_equal(dilate(hole, pixels), expected)
        np.testing.assert_array_equal(hole, before)


def test_grown_at_the_ends():
    nothing, everything = np.zeros((5, 5), bool), np.ones((5, 5), bool)
    assert not dilate(nothing, 3).any()
    assert dilate(everything, 3).all()
    with pytest.raises(ValueError, match="got -1"):
        dilate(drawn(), -1)


def test_measure_and_warn():
    hole = drawn()
    hole[15, 20] = hole[16, 21] = hole[19, 29] = True
    holes = mask_statistics(hole)
    assert (holes.count, holes.pixels, holes.share) == (3, 63, 63 / 600)
    assert holes.depth == 3
    assert warnings_about(holes) == ()
    assert "no hole" in warnings_about(mask_statistics(np.zeros((5, 5), bool)))[0]
    hole[:] = True
    hole[:9] = False
    (warning,) = warnings_about(mask_statistics(hole))
    assert "55.0 % of the photo" in warning and "change its polarity" in warning
    assert mask_statistics(np.ones((5, 7), bool)).depth == 7


@pytest.mark.parametrize(("side", "warns"), [(301, False), (302, False), (303, True), (420, True)])
def test_wider_than_the_network_sees(side, warns):
    hole = np.zeros((700, 800), bool)
    hole[100 : 100 + side, 50 : 50 + side] = True
    assert any("303 px in total" in text for text in warnings_about(mask_statistics(hole))) == warns
    hole = np.zeros((700, 800), bool)
    hole[100:110] = True  # wide one way only
    assert warnings_about(mask_statistics(hole)) == ()


def test_a_hole_at_the_border_is_deep():
    hole = np.zeros((400, 400), bool)
    hole[:, :160] = True
    assert mask_statistics(hole).depth == 160
