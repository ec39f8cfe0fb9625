"""Where the parts of a portrait's face lie."""

from keras_inpaint.data.sample.eyes import lids, pupil
from keras_inpaint.data.sample.mouth import MOUTH_DEPTH, NOSE_DEPTH, mouth_lines
from keras_inpaint.data.sample.people import draw_parameters
from keras_inpaint.data.sample.portrait import head_pose


def landmarks(seed: int, index: int, height: int, width: int) -> dict[str, tuple[float, float]]:
    """Places the landmarks of a portrait in a picture; see `portrait_landmarks`."""
    portrait = draw_parameters(seed, index)
    f, pose = portrait.features, head_pose(portrait.scene, height, width)
    found = {}
    for name, side in (("left", -1), ("right", 1)):
        upper, lower = lids(f, side)
        found[f"{name}_eye"] = pose(0.25 * (upper[8] + lower[8] + upper[0] + upper[-1]))
        found[f"{name}_pupil"] = pose(pupil(f, side))
        found[f"{name}_eye_inner"] = pose(upper[0])
        found[f"{name}_eye_outer"] = pose(upper[-1])
        found[f"{name}_brow"] = pose((side * f.eye_x, -f.brow_height))
    _, inner_upper, inner_lower, _ = mouth_lines(f)
    found["nose"] = pose((0.0, f.nose_length - 3.0), NOSE_DEPTH)
    found["mouth_left"] = pose(inner_upper[0], MOUTH_DEPTH)
    found["mouth"] = pose(0.5 * (inner_upper[12] + inner_lower[12]), MOUTH_DEPTH)
    found["mouth_right"] = pose(inner_upper[-1], MOUTH_DEPTH)
    found["chin"] = pose((0.0, portrait.head.length))
    return {name: (float(point[1]), float(point[0])) for name, point in found.items()}
