"""Putting a run's network into the package."""

import json
import shutil

import pytest
from click.testing import CliRunner

from keras_inpaint.commands.bundle_preset import bundle, command
from keras_inpaint.evaluation.evaluate import evaluate
from keras_inpaint.presets import resolve
from keras_inpaint.presets.cards import files_of, read_card

NOTES = {
    "intended_use": "Tests.",
    "limits": ["It has learned nothing."],
    "licence": "CC0",
    "training_data": [{"source": "none", "photos": 1, "licence": "CC0", "attribution": "none"}],
    "training": {"hours": 0.0},
}


@pytest.fixture(scope="module")
def run(tiny_model_path, photo, tmp_path_factory):
    """A run's folder with a network, and two evaluations."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copyfile(tiny_model_path, folder / "completion.keras")
    config = {"config": {"width": 0.0625, "data": "/secret/photos"}, "precision": "float32"}
    (folder / "config.json").write_text(json.dumps(config))
    rows = "phase,step,held_out_psnr\n1,50,\n1,100,12.5\n3,200,13.25\n"
    (folder / "metrics.csv").write_text(rows)
    report = evaluate(
        [photo], str(folder), masks="box", size=48, cases=0, baselines=["telea"], runtime="keras"
    )
    report.write_json(folder / "box.json")
    (folder / "notes.json").write_text(json.dumps(NOTES))
    return folder


def test_bundle(run, tmp_path):
    out = tmp_path / "weights" / "faces"
    result = CliRunner().invoke(
        command,
        [
            *(str(run), "faces", "--notes", str(run / "notes.json"), "--out", str(out)),
            *("--evaluation", str(run / "box.json")),
        ],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    assert "completion.tflite" in result.output
    card = read_card(out / "model_card.json")
    assert (out / "completion.keras").read_bytes() == (run / "completion.keras").read_bytes()
    assert files_of(out, ("completion.keras", "completion.tflite")) == card["files"]
    assert card["training"]["held_out_psnr"] == [[1, 100, 12.5], [3, 200, 13.25]]
    assert card["training"]["hours"] == 0 and card["training"]["config"]["width"] == 0.0625
    assert card["trained_on"]["subject"] == "face"
    assert "/secret" not in json.dumps(card)
    assert card["figures"][0]["best_baselines"]["psnr_hole"]["name"] == "telea"
    assert [path.name for path in out.parent.iterdir()] == ["faces"]
    assert resolve(out) == out / "completion.keras"

    from keras_inpaint.inference.inpainter import Inpainter

    assert Inpainter(out).runtime.name == "litert"


def test_nothing_is_written_where_something_is_wrong(run, tmp_path):
    out = tmp_path / "faces"
    evaluation = json.loads((run / "box.json").read_text())
    evaluation["models"][next(iter(evaluation["models"]))]["sha256"] = "other"
    with pytest.raises(ValueError, match="is of another network"):
        bundle(run, "faces", NOTES, [evaluation], out)
    good = json.loads((run / "box.json").read_text())
    with pytest.raises(ValueError, match="'licence' must be"):
        bundle(run, "faces", {**NOTES, "licence": ""}, [good], out)
    with pytest.raises(ValueError, match="unknown preset"):
        bundle(run, "cats", NOTES, [good], out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("init", "kept"), [("faces", True), ("/secret/run", False), (None, True)])
def test_the_card_names_the_preset_that_a_run_began_with_but_no_path(run, tmp_path, init, kept):
    config = {"config": {"width": 0.0625, "data": "/secret/photos", "init": init}}
    begun = tmp_path / "begun"
    shutil.copytree(run, begun)
    (begun / "completion.tflite").write_bytes(b"exported before")
    (begun / "config.json").write_text(json.dumps(config))
    evaluation = json.loads((run / "box.json").read_text())
    out = bundle(begun, "scenes", NOTES, [evaluation], tmp_path / "scenes")
    card = read_card(out / "model_card.json")
    assert card["training"]["config"].get("init", "left out") == (init if kept else "left out")
