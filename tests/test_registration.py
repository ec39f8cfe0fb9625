"""Saved trainers and networks of own layers open after `import keras_inpaint` alone."""

import importlib
import subprocess
import sys

import keras
import pytest

import keras_inpaint as ki
from keras_inpaint import registration
from keras_inpaint.training.losses import (
    GeneratorLoss,
    MaskedMeanSquaredError,  # noqa: F401
)

OPEN = """
import sys
{imports}
trainer = keras.models.load_model(sys.argv[1])
count = trainer.optimizer.iterations.numpy()
other = trainer.discriminator_optimizer.iterations.numpy()
assert count == other == 2, (count, other)
batches = ki.make_dataset("sample:4", size=32, patch_size=16, batch_size=2, masks="rectangles:8-12")
trainer.fit(batches, steps_per_epoch=1, verbose=0)
assert trainer.optimizer.iterations.numpy() == 3
"""


def test_every_registered_class_has_a_stand_in():
    for home in registration.HOMES.values():
        importlib.import_module(f"keras_inpaint.{home}")
    known = {
        name.partition(">")[2]: value.__module__
        for name, value in keras.saving.get_custom_objects().items()
        if name.startswith("keras_inpaint>")
    }
    wanted = {name: f"keras_inpaint.{home}" for name, home in registration.HOMES.items()}
    # Nothing is registered under a name of earlier versions: its stand-in stays.
    assert known == wanted | {"FoolingLoss": registration.__name__}


def test_a_loss_saved_under_its_earlier_name_is_loaded():
    saved = {
        "module": None,
        "class_name": "FoolingLoss",
        "registered_name": "keras_inpaint>FoolingLoss",
    }
    loaded = keras.saving.deserialize_keras_object({**saved, "config": {"kind": "hinge"}})
    assert isinstance(loaded, GeneratorLoss) and loaded.kind == "hinge"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    keras.utils.set_random_seed(0)
    trainer = ki.JointTrainer(
        ki.build_completion_network(0.0625, image_size=32),
        ki.build_context_discriminator(32, 16, 0.0625),
    )
    trainer.compile(optimizer=ki.Muon(1e-3), discriminator_optimizer=keras.optimizers.Adam(1e-3))
    path = tmp_path_factory.mktemp("saved") / "trainer.keras"
    trainer.fit(
        ki.make_dataset("sample:4", size=32, patch_size=16, batch_size=2, masks="rectangles:8-12"),
        steps_per_epoch=2,
        callbacks=[keras.callbacks.ModelCheckpoint(path)],
        verbose=0,
    )
    return path


@pytest.mark.long
@pytest.mark.parametrize(
    "imports",
    ["import keras_inpaint as ki, keras", "import keras, keras_inpaint as ki"],
    ids=["before Keras", "after Keras"],
)
def test_a_saved_trainer_opens_and_goes_on(saved, imports):
    program = OPEN.format(imports=imports)
    done = subprocess.run([sys.executable, "-c", program, saved], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_load_model_takes_a_trainers_network(saved):
    network = ki.load_model(saved)
    assert network.name == "completion_network"


def test_load_model_names_what_is_no_network(tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "dense.keras")
    with pytest.raises(ValueError, match=r"dense\.keras is not a completion network"):
        ki.load_model(tmp_path / "dense.keras")
