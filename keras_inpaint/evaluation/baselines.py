"""Classical inpainting baselines.

Each takes uint8 `(height, width, 3)` RGB and a bool mask `(height, width)`, True in the hole, and
returns the completed photo as uint8 with the known pixels unchanged. The pixels in the hole are
blanked first.
"""

from collections.abc import Callable

import cv2
import numpy as np

from keras_inpaint.evaluation.metrics import required

Completer = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: Radius in px of the neighbourhood for OpenCV's methods, as in OpenCV's own example.
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
    """Fill the hole with a biharmonic surface, scikit-image's `inpaint_biharmonic`.

    Source: S. B. Damelin, N. S. Hoang, "On surface completion and image inpainting by biharmonic
    functions", Int. J. Math. Math. Sci. 2018, https://doi.org/10.1155/2018/3950312
    """
    restoration, known = required("skimage.restoration"), _blanked(image, mask) / 255.0
    smooth = restoration.inpaint_biharmonic(known, mask, channel_axis=-1)
    return _pasted(image, mask, np.clip(np.rint(smooth * 255), 0, 255).astype(np.uint8))


def fsr(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill the hole by frequency selective reconstruction, OpenCV contrib's `INPAINT_FSR_FAST`.

    OpenCV leaves blocks at a corner of the photo black if no known pixels are near.

    Source: N. Genser, J. Seiler, F. Schilling, A. Kaup, "Signal and loss geometry aware frequency
    selective extrapolation for error concealment", PCS 2018,
    https://doi.org/10.1109/PCS.2018.8456259
    """
    return _contrib(image, mask, "INPAINT_FSR_FAST")


def shift_map(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill the hole with shifted parts of the photo, OpenCV contrib's `INPAINT_SHIFTMAP`.

    Source: K. He, J. Sun, "Statistics of patch offsets for image completion", ECCV 2012,
    https://doi.org/10.1007/978-3-642-33709-3_2
    """
    return _contrib(image, mask, "INPAINT_SHIFTMAP")


#: The baselines by name, in the order of the report.
BASELINES: dict[str, Completer] = {
    "mean-pixel": mean_pixel,
    "telea": telea,
    "navier-stokes": navier_stokes,
    "biharmonic": biharmonic,
    "fsr": fsr,
    "shift-map": shift_map,
}
#: The baselines that need only the extra `evaluate`; the others need OpenCV's contrib modules.
USUAL_BASELINES = tuple(name for name in BASELINES if name not in ("fsr", "shift-map"))


def check_baseline(name: str) -> None:
    """Raise a ValueError if a baseline is unknown, a RuntimeError if its modules are missing."""
    if name not in BASELINES:
        raise ValueError(f"unknown baseline {name!r}; baselines: {', '.join(BASELINES)}")
    if name not in USUAL_BASELINES and not hasattr(cv2, "xphoto"):
        raise RuntimeError(
            f"baseline {name!r} needs OpenCV's contrib modules: "
            "pip uninstall opencv-python-headless && pip install opencv-contrib-python-headless"
        )


def _contrib(image: np.ndarray, mask: np.ndarray, method: str) -> np.ndarray:
    known = np.where(mask, 0, 255).astype(np.uint8)
    filled = np.zeros_like(image)
    cv2.xphoto.inpaint(_blanked(image, mask), known, filled, getattr(cv2.xphoto, method))
    return _pasted(image, mask, filled)


def _opencv(image: np.ndarray, mask: np.ndarray, method: int) -> np.ndarray:
    filled = cv2.inpaint(_blanked(image, mask), mask.astype(np.uint8), OPENCV_RADIUS, method)
    return _pasted(image, mask, filled)


def _pasted(image: np.ndarray, mask: np.ndarray, filled: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None], filled, image)


def _blanked(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    blanked = image.copy()
    blanked[mask] = 0
    return blanked
