import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_inpaint.evaluation.metrics import gradient_energy
from keras_inpaint.inference import texture
from keras_inpaint.inference.texture import _product, add_texture


def striped(height, width, seed=0):
    """A photo of noisy stripes in two colours."""
    rng = np.random.default_rng(seed)
    rows = np.arange(height)[:, None] // 4 % 2
    image = 90 + 80 * rows[..., None] + rng.integers(-20, 21, (height, width, 3))
    return image.astype(np.uint8)


def blurred_hole(image, mask):
    """What a network gives: the right colour and nothing else."""
    completed = image.copy()
    completed[mask] = image[~mask].mean(axis=0)
    return completed


@pytest.fixture
def stripes():
    image = striped(120, 140)
    mask = np.zeros(image.shape[:2], bool)
    mask[40:70, 50:90] = True
    return image, mask


def test_the_texture_of_the_photo_goes_on_in_the_hole(stripes):
    image, mask = stripes
    completed = blurred_hole(image, mask)
    result = add_texture(image, mask, completed)
    ratios = [
        gradient_energy(photo, mask) / gradient_energy(image, mask) for photo in (completed, result)
    ]
    assert ratios[0] < 0.3 and 0.6 < ratios[1] < 1.3
    errors = [np.abs(p[mask].astype(int) - image[mask]).mean() for p in (completed, result)]
    assert errors[1] < 0.75 * errors[0]  # the stripes meet those outside


def test_the_same_twice_and_arguments_stay(stripes):
    image, mask = stripes
    completed = blurred_hole(image, mask)
    before = image.copy(), mask.copy(), completed.copy()
    first, second = (add_texture(image, mask, completed) for _ in range(2))
    assert np.array_equal(first, second)
    for array, copy in zip((image, mask, completed), before, strict=True):
        assert np.array_equal(array, copy)


def test_what_the_photo_holds_in_the_hole_does_not_matter(stripes):
    image, mask = stripes
    completed = blurred_hole(image, mask)
    other = image.copy()
    other[mask] = 255
    assert np.array_equal(add_texture(image, mask, completed), add_texture(other, mask, completed))


def test_only_the_holes_that_are_asked_for_are_composed(stripes):
    image, mask = stripes
    mask[5:25, 5:25] = True
    completed = blurred_hole(image, mask)
    where = mask.copy()
    where[:30] = False
    result = add_texture(image, mask, completed, where)
    assert np.array_equal(result[~where], completed[~where])
    assert (result[where] != completed[where]).any()


def test_exemplars_come_from_known_pixels_only(stripes):
    image, mask = stripes
    mask[80:100, 50:90] = True  # another hole near by, completed in a colour seen nowhere else
    completed = blurred_hole(image, mask)
    completed[80:100, 50:90] = (255, 0, 255)
    where = mask.copy()
    where[75:] = False
    result = add_texture(image, mask, completed, where)[where].astype(int)
    assert not ((result[:, 0] > 200) & (result[:, 1] < 60)).any()


def test_a_grey_photo_stays_grey(stripes):
    image, mask = stripes
    image = np.repeat(image[..., :1], 3, axis=-1)
    completed = np.repeat(blurred_hole(image, mask)[..., :1], 3, axis=-1)
    result = add_texture(image, mask, completed)
    assert not np.ptp(result.astype(int), axis=-1).any()
    assert (result[mask] != completed[mask]).any()


def test_thin_holes_keep_what_the_network_gave(stripes):
    image, _ = stripes
    mask = np.zeros(image.shape[:2], bool)
    mask[60:63, 10:120] = True
    completed = blurred_hole(image, mask)
    assert np.array_equal(add_texture(image, mask, completed), completed)


def test_a_large_hole_costs_no_more_than_its_share(monkeypatch):
    # Half of the side, a quarter of the areas: the limits then bound a smaller hole, too.
    monkeypatch.setattr(texture, "_MAX_SIDE", texture._MAX_SIDE // 2)
    monkeypatch.setattr(texture, "_MAX_TARGETS", texture._MAX_TARGETS // 4)
    monkeypatch.setattr(texture, "_MAX_COMPOSED", texture._MAX_COMPOSED // 4)
    image = striped(450, 500)
    mask = np.zeros(image.shape[:2], bool)
    mask[50:400, 50:450] = True
    completed = blurred_hole(image, mask)
    result = add_texture(image, mask, completed)
    assert np.array_equal(result[~mask], image[~mask])
    assert (result[mask] != completed[mask]).mean() > 0.5


@st.composite
def odd_holes(draw):
    height, width = draw(st.integers(1, 150)), draw(st.integers(1, 150))
    mask = np.zeros((height, width), bool)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["box", "row", "frame", "dust", "all but one", "all"]))
        top, left = int(rng.integers(height)), int(rng.integers(width))
        if kind == "box":
            tall, wide = rng.integers(1, 90, 2)
            mask[top : top + tall, left : left + wide] = True
        elif kind == "row":
            mask[top : top + 9] = True
        elif kind == "frame":
            mask[:12], mask[-12:], mask[:, :12], mask[:, -12:] = True, True, True, True
        elif kind == "dust":
            mask |= rng.random((height, width)) < 0.05
        else:
            mask[:] = True
            if kind == "all but one":
                mask[top, left] = False
    return striped(height, width), mask


@settings(max_examples=40, deadline=None)
@given(odd_holes())
def test_whatever_the_holes(photo_and_mask):
    image, mask = photo_and_mask
    completed = np.where(mask[..., None], np.uint8(120), image)
    result = add_texture(image, mask, completed)
    assert result.dtype == np.uint8 and result.shape == image.shape
    assert np.array_equal(result[~mask], image[~mask])


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 100])
def test_products_in_parts_are_products(rows):
    rng = np.random.default_rng(rows)
    a, b = rng.normal(size=(rows, 1000)), rng.normal(size=(1000, 24))
    np.testing.assert_allclose(_product(a, b), a @ b, atol=1e-9)


def test_a_tiny_hole_is_composed_too(stripes):
    image, _ = stripes
    mask = np.zeros(image.shape[:2], bool)
    mask[60:66, 60:66] = True
    completed = blurred_hole(image, mask)
    assert (add_texture(image, mask, completed)[mask] != completed[mask]).any()


def test_the_network_gives_the_colours_where_the_surroundings_differ(stripes):
    image, mask = stripes
    image = np.uint8(image * np.linspace(0.3, 1, image.shape[1])[:, None])
    completed = blurred_hole(image, mask)
    result = add_texture(image, mask, completed)
    inner = np.s_[46:64, 58:82]
    assert np.abs(result[inner].mean((0, 1)) - completed[inner].mean((0, 1))).max() < 4
    assert result[inner].std() > 10 > completed[inner].std()


def test_one_texture_all_around_gives_the_colours_too():
    image = np.random.default_rng(0).integers(60, 180, (90, 90, 1), dtype=np.uint8).repeat(3, -1)
    mask = np.zeros(image.shape[:2], bool)
    mask[30:60, 30:60] = True
    completed = np.where(mask[..., None], np.uint8([140, 110, 110]), image)
    result = add_texture(image, mask, completed)
    assert not np.ptp(result.astype(int), axis=-1).any()  # the network's tint is gone


def test_what_the_network_gave_changes_less_where_it_has_detail(stripes):
    image, mask = stripes
    image = np.uint8(image * np.linspace(0.3, 1, image.shape[1])[:, None])
    detailed = np.arange(image.shape[1])[:, None] < 70
    completed = np.where(detailed, image, blurred_hole(image, mask))
    changed = np.abs(add_texture(image, mask, completed).astype(int) - completed)
    assert changed[mask & detailed[:, 0]].mean() < 0.5 * changed[mask & ~detailed[:, 0]].mean()
