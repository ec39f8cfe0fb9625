"""Under MirroredStrategy two devices make the weights that one makes of the same batch.

One strategy a process: several in one process get in each other's way.
"""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.long

PROGRAM = """
import sys
import keras, numpy as np, tensorflow as tf

devices = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(devices[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import keras_inpaint as ki
from keras_inpaint.data import sources

phase, policy = int(sys.argv[1]), sys.argv[2]
rng = np.random.default_rng(0)
images = sources._from_arrays(["a", "b"], [rng.integers(0, 256, (20, 20, 3), "uint8")] * 2, "t")
half = ki.make_dataset(images, size=16, batch_size=2, patch_size=8, masks="rectangles:4-8").take(3)
# Both devices see the same half, so that batch normalisation sees what one device would.
data = half.map(lambda row: {k: tf.concat([v, v], 0) for k, v in row.items()})

def trained(scope):
    with scope:
        keras.utils.set_random_seed(3)
        keras.mixed_precision.set_global_policy(policy)
        C = ki.build_completion_network(0.0625)
        D = ki.build_context_discriminator(16, 8, 0.0625)
        one, two = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.05)
        if phase == 1:
            trainer = ki.CompletionTrainer(C); trainer.compile(one)
        elif phase == 2:
            trainer = ki.DiscriminatorTrainer(C, D); trainer.compile(one)
        else:
            trainer = ki.JointTrainer(C, D, alpha=0.1); trainer.compile(one, two)
    logs = trainer.fit(data, verbose=0).history
    return [np.array(w) for w in C.trainable_weights + D.trainable_weights], logs

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
both, both_logs = trained(strategy.scope())
single, single_logs = trained(tf.device("CPU:0"))
worst = max(np.abs(a - b).max() for a, b in zip(both, single))
loss = [h["loss"][-1] for h in (both_logs, single_logs)]
print("RESULT", worst, *loss)
"""


@pytest.mark.parametrize(
    ("phase", "policy", "tolerance"),
    [(1, "float32", 2e-5), (3, "float32", 2e-5)],
)
def test_two_devices_train_as_one(phase, policy, tolerance):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(phase), policy],
        capture_output=True,
        text=True,
        timeout=400,
    )
    line = [x for x in run.stdout.splitlines() if x.startswith("RESULT")]
    assert line, run.stderr[-3000:]
    worst, both, single = map(float, line[0].split()[1:])
    assert worst < tolerance
    assert both == pytest.approx(single, rel=1e-3)
