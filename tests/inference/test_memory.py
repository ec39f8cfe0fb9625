import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

_SCRIPT = """
import sys, time
from keras_inpaint.commands import cli

cli(sys.argv[1:], standalone_mode=False)
# Not getrusage: what it tells starts from the memory of the process that started this one.
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(time.process_time(), int(peak) * 1024 / 1e9)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure")
def test_24_megapixels_with_ten_holes_cost_what_the_holes_do(tmp_path):
    """The network is the paper's, at full width: 6.08 million parameters."""
    import keras_inpaint as ki

    ki.build_completion_network().save(tmp_path / "full.keras")
    seconds = {}
    for height, width in ((4000, 6000), (1000, 1500)):
        coarse = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        photo = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        mask = np.zeros((height, width), np.uint8)
        for i in range(10):
            top, left = height * (i % 5) // 5 + 50, width * (i // 5) // 2 + 100
            mask[top : top + 100, left : left + 100] = 255
        photo.save(tmp_path / "photo.png")
        Image.fromarray(mask).save(tmp_path / "mask.png")
        command = ["complete", "photo.png", "--mask", "mask.png", "-o", "out.png", "--overwrite"]
        result = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *command, "--model", "full.keras"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert result.returncode == 0, result.stderr[-2000:]
        seconds[height], gigabytes = map(float, result.stdout.splitlines()[-1].split())
        before, after = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in ("photo", "out"))
        differs = (before != after).any(axis=-1)
        assert differs.any() and not differs[mask == 0].any()
        assert gigabytes < 1.5
    assert seconds[4000] < 3 * seconds[1000]
