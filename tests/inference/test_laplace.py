import cv2
import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from keras_inpaint.inference.laplace import solve_laplace


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
