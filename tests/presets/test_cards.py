"""Model cards, and the bundled presets' own."""

import copy
import json

import pytest

from keras_inpaint.presets import PRESETS
from keras_inpaint.presets.cards import (
    CARD_FORMAT,
    TrainedOn,
    card_beside,
    check_card,
    figures_of,
    files_of,
    read_card,
    trained_on,
)
from keras_inpaint.presets.registry import CARD_FILE, KERAS_FILE, TFLITE_FILE

#: The largest that a bundled file may be, so that the wheel stays small.
LARGEST = 16 * 2**20


def interval(mean):
    return {"mean": mean, "low": mean - 1, "high": mean + 1}


@pytest.fixture
def evaluation():
    metrics = ("psnr_hole", "psnr_whole", "ssim_hole", "ssim_whole")
    gaps = {"telea": (5, 5, 0.1, 0.02), "biharmonic": (6, 6, 0.05, 0.01), "other": (-9, -9, -9, -9)}
    return {
        "protocol": {
            **{"data": "faces", "photos": 200, "masks": "center:40", "size": 160, "seed": 0},
            **{"masks_sha256": "a", "photos_sha256": "b", "held_out": None},
        },
        "models": {"net": {"file": KERAS_FILE, "sha256": "c"}, "other": {"file": "x"}},
        "methods": {
            "net": {
                "summary": {
                    **{name: interval(24.0) for name in metrics},
                    "psnr_hole_of_mean_mse": interval(23.5),
                    "mse_whole": interval(2.8e-4),
                }
            }
        },
        "differences": {
            "net": {
                name: {m: interval(v) for m, v in zip(metrics, values, strict=True)} | {"wins": 1}
                for name, values in gaps.items()
            }
        },
    }


@pytest.fixture
def card(evaluation):
    return {
        "format": CARD_FORMAT,
        "name": "faces",
        "description": "Portraits.",
        "intended_use": "Retouching.",
        "limits": ["Faces that look into the camera."],
        "licence": "CC BY 4.0",
        "training_data": [
            {"source": "portraits", "photos": 3, "licence": "CC0", "attribution": "none"}
        ],
        "training": {"command": "keras-inpaint train X", "hours": 1.5},
        "figures": [figures_of(evaluation, "net")],
        "files": {KERAS_FILE: {"bytes": 7, "sha256": "c"}},
    }


def test_figures_compare_with_the_best_baseline_of_each_metric(evaluation):
    found = figures_of(evaluation, "net")
    assert found["masks"] == "center:40" and found["model"]["sha256"] == "c"
    assert found["metrics"]["psnr_hole"]["mean"] == 24
    best = found["best_baselines"]
    assert best["psnr_hole"] == {"name": "telea", "gain": interval(5)}
    assert best["ssim_whole"] == {"name": "biharmonic", "gain": interval(0.01)}
    with pytest.raises(ValueError, match="expected one of the networks"):
        figures_of(evaluation)
    del evaluation["models"]["other"], evaluation["differences"]["net"]["other"]
    assert figures_of(evaluation) == found
    evaluation["differences"]["net"] = {}
    assert "best_baselines" not in figures_of(evaluation)


def test_card_is_read(card, tmp_path):
    file = tmp_path / CARD_FILE
    file.write_text(json.dumps(card))
    assert read_card(file) == card


@pytest.mark.parametrize("key", ["name", "limits", "licence", "training", "files", "figures"])
def test_a_card_must_be_whole(card, key):
    check_card(card)
    for value in (None, 3, type(card[key])()):
        broken = {**card, key: value}
        with pytest.raises(ValueError, match=f"'{key}' must be"):
            check_card(broken)


def test_a_card_must_name_licences_and_command(card, tmp_path):
    broken = copy.deepcopy(card)
    del broken["training_data"][0]["licence"]
    with pytest.raises(ValueError, match="lacks licence"):
        check_card(broken)
    with pytest.raises(ValueError, match="lacks its command"):
        check_card({**card, "training": {"hours": 2}})
    with pytest.raises(ValueError, match="format must be"):
        check_card({**card, "format": "other/1"})
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(ValueError, match="does not hold a JSON object"):
        read_card(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match="is not valid JSON"):
        read_card(tmp_path / "a.json")


@pytest.mark.parametrize("name", [name for name in PRESETS if PRESETS[name].has_weights])
def test_bundled_weights_are_those_of_their_card(name):
    preset = PRESETS[name]
    card = read_card(preset.folder / CARD_FILE)
    assert card["name"] == name
    assert files_of(preset.folder, (KERAS_FILE, TFLITE_FILE)) == card["files"]
    assert all(about["bytes"] < LARGEST for about in card["files"].values())
    assert preset.expected
    assert sorted(path.name for path in preset.folder.iterdir()) == sorted(
        (CARD_FILE, KERAS_FILE, TFLITE_FILE)
    )


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({}, None),
        ({"trained_on": "much"}, None),
        ({"trained_on": {"holes_px": [20, 64], "photos_px": [64]}}, None),
        ({"trained_on": {"holes_px": [64, 20], "photos_px": [64, 80]}}, None),
        (
            {"trained_on": {"holes_px": [20, 64], "photos_px": [64, 80], "subject": "face"}},
            TrainedOn((20, 64), (64, 80), "face"),
        ),
        (
            {
                "training": {
                    "config": {
                        "masks": "rectangles:20-64x3+strokes:2-40",
                        "size": 128,
                        "scale": [1.0, 1.4],
                    }
                }
            },
            TrainedOn((20, 64), (128, 179)),
        ),
        ({"training": {"config": {"masks": "strokes:2-40", "size": 128}}}, None),
        ({"training": {"config": None}}, None),
    ],
)
def test_what_a_card_tells_of_the_training(card, expected):
    assert trained_on(card) == expected


@pytest.mark.parametrize("name", PRESETS)
def test_bundled_cards_tell_what_the_presets_were_trained_on(name):
    known = trained_on(read_card(PRESETS[name].folder / CARD_FILE))
    assert known.subject == PRESETS[name].subject and known.holes_px[0] >= 8


def test_what_lies_beside_a_network(tmp_path):
    assert card_beside(tmp_path / "completion.keras") == {}
    (tmp_path / "config.json").write_text('{"config": {"size": 128}}')
    assert card_beside(tmp_path / "completion.keras") == {"training": {"config": {"size": 128}}}
    (tmp_path / "model_card.json").write_text('{"name": "it"}')
    assert card_beside(tmp_path / "completion.keras") == {"name": "it"}
    (tmp_path / "model_card.json").write_text("[1")
    assert "training" in card_beside(tmp_path / "completion.keras")
