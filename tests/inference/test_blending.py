import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from keras_inpaint.inference import METHODS, blending
from keras_inpaint.inference.blending import FEATHER_WIDTH, blend, solve_laplace

HOLES = {
    "inside": (slice(30, 70), slice(40, 80)),
    "corner": (slice(0, 30), slice(0, 40)),
    "edge": (slice(60, 96), slice(50, 90)),
    "one pixel": (slice(50, 51), slice(60, 61)),
    "corner pixel": (slice(95, 96), slice(119, 120)),
    "column": (slice(None), slice(70, 71)),
    "row": (slice(20, 21), slice(None)),
    "half": (slice(None), slice(60, None)),
}


def _hole(photo, name):
    mask = np.zeros(photo.shape[:2], bool)
    for part in HOLES if name == "all together" else [name]:
        mask[HOLES[part]] = True
    return mask


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [*HOLES, "all together"])
def test_known_pixels_and_arguments_stay(photo, name, method):
    mask = _hole(photo, name)
    completed = photo.copy()
    completed[mask] = 255 - completed[mask]
    image = photo.copy()
    image[mask] = 0
    before = [array.copy() for array in (image, completed, mask)]
    blended = blend(image, completed, mask, method)
    assert blended.dtype == np.uint8
    np.testing.assert_array_equal(blended[~mask], photo[~mask])
    for array, old in zip((image, completed, mask), before, strict=True):
        np.testing.assert_array_equal(array, old)
    if method == "none":
        np.testing.assert_array_equal(blended, completed)


@pytest.mark.parametrize("name", ["inside", "corner", "edge", "half"])
def test_poisson_takes_a_tint_away_and_keeps_the_structure(name):
    y, x = np.mgrid[0:96, 0:120]
    smooth = np.stack([80 + x / 2, 60 + y, 160 - x / 2], -1)
    photo = np.rint(smooth + 12 * np.sin(x / 4)[..., None]).astype(np.uint8)
    mask = _hole(photo, name)
    tinted = photo.copy()
    tinted[mask] = np.clip(tinted[mask] + np.array([30, -25, 18]), 0, 255)
    image = photo.copy()
    image[mask] = 0
    blended = blend(image, tinted, mask, "poisson")
    error = np.abs(blended.astype(int) - photo)[mask].mean()
    assert error < 0.25 * np.abs(tinted.astype(int) - photo)[mask].mean()


def test_feathering_ends_where_it_says(photo):
    mask = _hole(photo, "half")
    tinted = photo // 2 + 60
    completed = np.where(mask[..., None], tinted, photo)
    blended = blend(photo, completed, mask, "feather")
    far = np.arange(photo.shape[1]) > 60 + FEATHER_WIDTH + 1
    np.testing.assert_array_equal(blended[:, far], completed[:, far])
    rim = np.abs(blended[:, 60].astype(int) - photo[:, 59]).mean()
    assert rim < 0.5 * np.abs(completed[:, 60].astype(int) - photo[:, 59]).mean()


def test_where_opencvs_clone_is_right_it_says_the_same():
    """OpenCV's Poisson cloning works on a round hole in the middle of a photo."""
    y, x = np.mgrid[0:121, 0:121]
    photo = np.stack([60 + x, 200 - x, 80 + y], -1).astype(np.uint8)
    mask = (y - 60) ** 2 + (x - 60) ** 2 <= 30**2
    generated = np.rint(
        photo + np.array([25, -25, 10]) + (8 * np.sin(x / 5) * np.sin(y / 7))[..., None]
    ).astype(np.uint8)
    carried = cv2.inpaint(
        np.where(mask[..., None], 0, photo).astype(np.uint8),
        mask.astype(np.uint8),
        1,
        cv2.INPAINT_TELEA,
    )
    cloned = cv2.seamlessClone(
        generated, carried, mask.astype(np.uint8) * 255, (60, 60), cv2.NORMAL_CLONE
    )
    blended = blend(photo, np.where(mask[..., None], generated, photo), mask, "poisson")
    deep = (y - 60) ** 2 + (x - 60) ** 2 <= 22**2
    difference = np.abs(blended.astype(int) - cloned)[deep]
    assert difference.mean() < 4
    assert np.abs(generated.astype(int) - cloned)[deep].mean() > 10


@pytest.mark.parametrize("seed", range(12))
def test_colours_carried_to_the_rim_are_those_carried_through_the_whole_hole(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    holes = np.zeros((150, 200), np.uint8)
    cv2.circle(holes, tuple(map(int, rng.integers(0, 150, 2))), int(rng.integers(5, 70)), 1, -1)
    top, left = map(int, rng.integers(0, 100, 2))
    cv2.rectangle(holes, (left, top), (left + 60, top + int(rng.integers(1, 60))), 1, -1)
    rim = (holes > 0) & (cv2.dilate(1 - holes, blending._CROSS) > 0)
    through = cv2.inpaint(image, holes, blending.TELEA_RADIUS, cv2.INPAINT_TELEA)
    carried = blending._carried_to_rim(image, holes > 0)
    np.testing.assert_array_equal(carried[rim], through[rim])


def test_where_nothing_is_known_nothing_is_blended(photo):
    everywhere = np.ones(photo.shape[:2], bool)
    np.testing.assert_array_equal(blend(photo, photo // 2, everywhere, "poisson"), photo // 2)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from(METHODS),
)
def test_any_holes_at_all(height, width, share, seed, method):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = (rng.random((height, width)) < share).astype(np.uint8) * 255
    completed = np.where(mask[..., None] > 0, 255 - image, image)
    blended = blend(image, completed, mask, method)
    np.testing.assert_array_equal(blended[mask == 0], image[mask == 0])


def test_wrong_arguments_are_refused(photo):
    mask = np.zeros(photo.shape[:2], bool)
    with pytest.raises(ValueError, match="'smooth'"):
        blend(photo, photo, mask, "smooth")
    with pytest.raises(TypeError, match="float32"):
        blend(photo.astype("float32"), photo, mask)
    with pytest.raises(ValueError, match=r"\(9, 9\)"):
        blend(photo, photo, mask[:9, :9])
    with pytest.raises(ValueError, match=r"\(9, 120, 3\)"):
        blend(photo, photo[:9], mask)


def _exact(values, fixed, domain):
    """Solve the same equations with a sparse solver."""
    free = domain & ~fixed
    number = np.full(domain.shape, -1)
    number[free] = np.arange(free.sum())
    rows, columns, weights = [], [], []
    right = np.zeros((free.sum(), values.shape[2]))
    degree = np.zeros(free.sum())
    y, x = np.nonzero(free)
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        ny, nx = y + dy, x + dx
        inside = (ny >= 0) & (ny < domain.shape[0]) & (nx >= 0) & (nx < domain.shape[1])
        inside[inside] = domain[ny[inside], nx[inside]]
        here, ny, nx = np.flatnonzero(inside), ny[inside], nx[inside]
        degree[here] += 1
        given = fixed[ny, nx]
        np.add.at(right, here[given], values[ny[given], nx[given]])
        rows += here[~given].tolist()
        columns += number[ny[~given], nx[~given]].tolist()
        weights += [-1.0] * int((~given).sum())
    diagonal = list(range(len(degree)))
    matrix = coo_matrix((weights + degree.tolist(), (rows + diagonal, columns + diagonal))).tocsr()
    solved = np.where(fixed[..., None], values, 0).astype(float)
    solved[free] = spsolve(matrix, right).reshape(len(degree), -1)
    return solved


def _domains():
    rng = np.random.default_rng(4)
    rectangle = np.zeros((70, 90), bool)
    rectangle[5:-5, 5:-5] = True
    border = np.ones((60, 80), bool)
    border[:, :3] = False
    blob = cv2.GaussianBlur(rng.standard_normal((90, 90)), (0, 0), 6) > 0
    strokes = np.zeros((100, 100), np.uint8)
    for _ in range(5):
        start, end = rng.integers(0, 100, (2, 2)).tolist()
        cv2.line(strokes, start, end, 1, 7)
    return {"rectangle": rectangle, "border": border, "blob": blob, "strokes": strokes > 0}


@pytest.mark.parametrize("kind", ["rectangle", "border", "blob", "strokes"])
def test_it_solves_the_equation(kind):
    domain = _domains()[kind]
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    rim = domain & (cv2.dilate((~domain).astype(np.uint8), cross) > 0)
    y, x = np.mgrid[: domain.shape[0], : domain.shape[1]]
    noise = np.random.default_rng(5).normal(0, 15, domain.shape)
    values = np.stack([20 * np.sin(x / 9) + y / 2, noise, 0 * x + 7], -1).astype(np.float32)
    surface = solve_laplace(values, rim, domain)
    assert surface.dtype == np.float32
    assert np.abs(surface - _exact(values, rim, domain)).max() < 0.5
    np.testing.assert_array_equal(surface[rim], values[rim])
    assert not surface[~domain].any()
    np.testing.assert_allclose(surface[domain][:, 2], 7, atol=1e-2)


def test_nothing_fixed_gives_nothing():
    domain = np.ones((20, 20), bool)
    assert not solve_laplace(np.ones((20, 20, 3), np.float32), ~domain, domain).any()


def test_a_part_without_a_fixed_pixel_stays_near_the_others():
    domain = np.zeros((9, 30), bool)
    domain[2:7, 2:9] = domain[2:7, 15:25] = True
    fixed = np.zeros_like(domain)
    fixed[2, 2:9] = True
    surface = solve_laplace(np.full((9, 30, 1), 5, np.float32), fixed, domain)
    np.testing.assert_allclose(surface[domain & (np.arange(30) < 9)], 5, atol=0.1)
    assert np.abs(surface).max() <= 5.1
