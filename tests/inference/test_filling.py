import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_inpaint.inference.filling import fill, generate_patches
from keras_inpaint.inference.runtime import load_runtime


def _generated(runtime, image, mask, max_pixels):
    canvas = np.zeros(image.shape, np.float32)
    for number, box, generated in generate_patches(runtime, image[None], mask[None], max_pixels):
        assert number == 0
        hole = mask[box.slices]
        canvas[box.slices][hole] = generated[hole]
    return canvas


@pytest.mark.parametrize("kind", ["keras", "litert"])
def test_tiles_give_the_whole_photos_result_bit_for_bit(
    kind, model_forms, large_photo, awkward_holes
):
    runtime = load_runtime(model_forms[kind], kind)
    whole = _generated(runtime, large_photo, awkward_holes, None)
    assert whole[awkward_holes].std() > 0.1
    allowed = 0 if kind == "litert" or _has_avx512() else 1e-3
    for side in (340, 448):
        tiled = _generated(runtime, large_photo, awkward_holes, side * side)
        assert np.abs(tiled - whole).max() <= allowed


def _has_avx512():
    """Whether oneDNN adds up in an order that does not depend on the size."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "avx512" in cpuinfo.read_text()


def test_tiles_of_a_saved_model_differ_by_rounding_at_most(model_forms, large_photo, awkward_holes):
    runtime = load_runtime(model_forms["saved-model"])
    whole = _generated(runtime, large_photo, awkward_holes, None)
    tiled = _generated(runtime, large_photo, awkward_holes, 400 * 400)
    assert np.abs(tiled - whole).max() < 1e-3


def test_a_smaller_halo_would_not_do(model_forms, large_photo, awkward_holes):
    """Guards the test above: it must be able to fail."""
    from keras_inpaint.networks.receptive_field import ReceptiveField

    runtime = load_runtime(model_forms["litert"])
    whole = _generated(runtime, large_photo, awkward_holes, None)
    runtime.reach = ReceptiveField(halo=32)
    assert np.abs(_generated(runtime, large_photo, awkward_holes, 300 * 300) - whole).max() > 0


def test_a_batch_gives_what_its_photos_give(model_forms, large_photo, awkward_holes):
    runtime = load_runtime(model_forms["keras"])
    images = np.stack([large_photo, large_photo[::-1], large_photo[:, ::-1]])
    masks = np.stack([awkward_holes, awkward_holes[::-1], np.zeros_like(awkward_holes)])
    together = images.copy()
    fill(runtime, together, masks)
    for image, mask, completed in zip(images, masks, together, strict=True):
        alone = image[None].copy()
        fill(runtime, alone, mask[None])
        np.testing.assert_array_equal(alone[0], completed)
        np.testing.assert_array_equal(completed[~mask], image[~mask])


def test_what_lies_in_the_hole_does_not_matter(model_forms, large_photo, awkward_holes):
    runtime = load_runtime(model_forms["litert"])
    other = large_photo.copy()
    other[awkward_holes] = 255 - other[awkward_holes]
    results = []
    for image in (large_photo, other):
        completed = image[None].copy()
        fill(runtime, completed, awkward_holes[None])
        results.append(completed[0])
    np.testing.assert_array_equal(*results)


_SCRIPT = """
import sys
import numpy as np
from keras_inpaint.inference.filling import fill
from keras_inpaint.inference.runtime import load_runtime

rng = np.random.default_rng(0)
photo = rng.integers(0, 256, (1, 480, 520, 3), dtype=np.uint8)
mask = np.zeros((1, 480, 520), bool)
mask[0, :30, :40] = mask[0, 200:280, 450:] = mask[0, 240:250, 100:300] = True
runtime = load_runtime(sys.argv[1], "keras")
whole, tiled = photo.copy(), photo.copy()
fill(runtime, whole, mask, None)
fill(runtime, tiled, mask, 340 * 340)
assert (whole != photo).any()
assert (whole == tiled).all(), np.abs(whole.astype(int) - tiled).max()
"""


@pytest.mark.slow
def test_tiles_are_exact_without_onednn_on_any_processor(model_forms):
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT, model_forms["keras"]],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr[-2000:]
