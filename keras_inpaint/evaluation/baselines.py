"""What one would take instead of a network, on the same holes.

Each takes uint8 `(height, width, 3)` RGB and a bool mask `(height, width)`, True in the hole, and
returns the completed photo as uint8 with the known pixels untouched. None of them sees what was in
the hole: it is blanked before.
"""

from collections.abc import Callable

import cv2
import numpy as np

from keras_inpaint.evaluation.extras import scikit_image

Completer = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: Neighbourhood in px that OpenCV's methods look at, as in OpenCV's own example.
OPENCV_RADIUS = 3


def mean_pixel(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill the hole with the mean of the photo's own known pixels, rounded."""
    completed = image.copy()
    known = image[~mask].astype(np.int64)
    completed[mask] = (2 * known.sum(axis=0) + len(known)) // (2 * len(known))
    return completed


def telea(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill the hole by fast marching, `cv2.INPAINT_TELEA` with radius 3.

    Source: A. Telea, "An image inpainting technique based on the fast marching method", J.
    Graphics Tools 9(1), 2004, https://doi.org/10.1080/10867651.2004.10487596
    """
    return _opencv(image, mask, cv2.INPAINT_TELEA)


def navier_stokes(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill the hole by fluid dynamics, `cv2.INPAINT_NS` with radius 3.

    Source: M. Bertalmio, A. L. Bertozzi, G. Sapiro, "Navier-Stokes, fluid dynamics, and image and
    video inpainting", CVPR 2001, https://doi.org/10.1109/CVPR.2001.990497
    """
    return _opencv(image, mask, cv2.INPAINT_NS)


def biharmonic(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill the hole with the smoothest surface, scikit-image's `inpaint_biharmonic`.

    Source: S. B. Damelin, N. S. Hoang, "On surface completion and image inpainting by biharmonic
    functions", Int. J. Math. Math. Sci. 2018, https://doi.org/10.1155/2018/3950312
    """
    smooth = scikit_image("restoration").inpaint_biharmonic(
        _blanked(image, mask) / 255.0, mask, channel_axis=-1
    )
    completed = image.copy()
    completed[mask] = np.clip(np.rint(smooth[mask] * 255), 0, 255).astype(np.uint8)
    return completed


#: The baselines by name, in the order in which they are shown.
BASELINES: dict[str, Completer] = {
    "mean-pixel": mean_pixel,
    "telea": telea,
    "navier-stokes": navier_stokes,
    "biharmonic": biharmonic,
}


def _opencv(image: np.ndarray, mask: np.ndarray, method: int) -> np.ndarray:
    filled = cv2.inpaint(_blanked(image, mask), mask.astype(np.uint8), OPENCV_RADIUS, method)
    completed = image.copy()
    completed[mask] = filled[mask]
    return completed


def _blanked(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    blanked = image.copy()
    blanked[mask] = 0
    return blanked
