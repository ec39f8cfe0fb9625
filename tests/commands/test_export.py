import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from keras_inpaint.commands.export import command


@pytest.fixture(scope="module")
def folder_of_photos(photo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(3):
        Image.fromarray(np.roll(photo, 30 * number, axis=1)).save(folder / f"{number}.png")
    return folder


def invoke(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_saved_model_is_written_and_compared(tiny_model_path, folder_of_photos, tmp_path):
    report = tmp_path / "report.json"
    card = tmp_path / "card.json"
    card.write_text('{"licence": "CC0-1.0", "training_data": "drawn portraits"}')
    result = invoke(
        tiny_model_path, "--format", "saved-model", "-o", tmp_path / "faces",
        "--photos", folder_of_photos, "--photo-count", 1, "--min-psnr", 60,
        "--json", report, "--card", card, "--version", 3,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert f"Wrote {tmp_path / 'faces' / '3'}" in result.output
    assert "Conv2D 17" in result.output and "CHANGED" not in result.output
    found = json.loads(report.read_text())
    assert found["path"] == str(tmp_path / "faces" / "3")
    assert {row["signature"] for row in found["comparisons"]} == {
        "serving_default", "complete", "complete_float", "complete_bytes",
    }  # fmt: skip
    assert all(row["known_pixels_kept"] for row in found["comparisons"])
    written = json.loads((tmp_path / "faces" / "3" / "model_card.json").read_text())
    assert written["licence"] == "CC0-1.0" and written["name"] == "faces"


def test_a_tflite_file_is_written_and_compared(tiny_model_path, folder_of_photos, tmp_path):
    out = tmp_path / "faces.tflite"
    result = invoke(
        tiny_model_path.parent, "--format", "tflite", "--out", out, "--quantize", "float16",
        "--size", 32, 48, "--size", 16, 16, "--photos", folder_of_photos, "--photo-count", 2,
        "--name", "Faces",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    from keras_inpaint.presets.tflite_metadata import read_metadata

    metadata = read_metadata(out)
    assert metadata["name"] == "Faces" and metadata["quantization"] == "float16"
    assert metadata["signatures"].keys() == {"complete_32x48", "complete_16x16"}
    assert "complete_32x48" in result.output and "CONV_2D 15" in result.output


def test_an_export_that_is_not_good_enough_fails_and_leaves_nothing(
    tiny_model_path, folder_of_photos, tmp_path
):
    out = tmp_path / "faces.tflite"
    result = invoke(
        tiny_model_path, "--format", "tflite", "--out", out, "--quantize", "float16",
        "--size", 16, 16, "--photos", folder_of_photos, "--photo-count", 1, "--min-psnr", 300,
    )  # fmt: skip
    assert isinstance(result.exception, RuntimeError)
    assert "below 300 dB" in str(result.exception)
    assert "float16" in result.output  # the table is shown all the same
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    (
        (("--format", "saved-model", "--quantize", "int8"), "--quantize requires"),
        (("--format", "saved-model", "--size", "8", "8"), "--size requires"),
        (("--format", "tflite", "--dynamic", "--size", "8", "8"), "either --size or --dynamic"),
        (("--format", "tflite", "--dynamic", "--quantize", "int8"), "--dynamic takes"),
        (("--format", "tflite", "--size", "30", "32"), "multiples of 4, got 30 32"),
        (("--format", "tflite", "--calibrate", "."), "--calibrate requires --quantize int8"),
        (("--format", "tflite", "--float-layer", "conv_1"), "--float-layer requires"),
        (("--format", "pytorch"), "'pytorch' is not one of"),
        ((), "Missing option '--format'"),
    ),
)
def test_wrong_usage(tmp_path, arguments, message):
    result = invoke("model.keras", "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 2 and message in result.output


def test_a_model_that_is_not_there(tmp_path):
    result = invoke(tmp_path / "nowhere", "--format", "tflite", "-o", tmp_path / "out.tflite")
    assert isinstance(result.exception, ValueError) and "nowhere" in str(result.exception)
