import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import sys, time
import numpy as np
import keras_inpaint as ki

path, height, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
mask = np.zeros((height, width), bool)
for i in range(10):
    top, left = height * (i % 5) // 5 + 50, width * (i // 5) // 2 + 100
    mask[top : top + 100, left : left + 100] = True
complete = ki.Inpainter(path, blend="poisson")
complete(photo[:200, :200], mask[:200, :200])
start = time.process_time()
completed = complete(photo, mask)
assert (completed[~mask] == photo[~mask]).all() and (completed[mask] != photo[mask]).any()
seconds = time.process_time() - start
# Not getrusage: what it tells starts from the memory of the process that started this one.
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(seconds, int(peak) * 1024 / 1e9)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure")
def test_24_megapixels_with_ten_holes_cost_what_the_holes_do(tmp_path):
    """The network is the paper's, at full width: 6.08 million parameters."""
    import keras_inpaint as ki

    path = tmp_path / "full.keras"
    ki.build_completion_network().save(path)
    seconds = {}
    for height, width in ((4000, 6000), (1000, 1500)):
        result = subprocess.run(
            [sys.executable, "-c", _SCRIPT, path, str(height), str(width)],
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr[-2000:]
        seconds[height], gigabytes = map(float, result.stdout.split())
        assert gigabytes < 1.5
    assert seconds[4000] < 3 * seconds[1000]
