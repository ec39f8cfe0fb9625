import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from keras_inpaint.exporting.network import weights_sha256
from keras_inpaint.exporting.parity import check_parity, verify
from keras_inpaint.exporting.tflite import (
    ALLOWED_DYNAMIC_OPS,
    ALLOWED_OPS,
    QUANTIZATIONS,
    calibration_photos,
    check_ops,
    export_tflite,
)
from keras_inpaint.presets.tflite_metadata import count_ops, read_metadata

SIZE = (64, 64)


@pytest.fixture(scope="module")
def calm_network(tiny_network):
    """The tiny network with small last weights: its outputs are grey, as after training."""
    from keras_inpaint.exporting.network import load_network

    network = load_network(tiny_network)
    last = network.get_layer("conv_17")
    last.kernel.assign(last.kernel * 0.05)
    return network


@pytest.fixture(scope="module")
def float_path(calm_network, tmp_path_factory):
    """A TFLite file that is not quantised, for one size."""
    path = tmp_path_factory.mktemp("tflite") / "float.tflite"
    return export_tflite(calm_network, path, sizes=[SIZE])


@pytest.fixture(scope="module")
def dynamic_path(calm_network, tmp_path_factory):
    """A TFLite file for any size."""
    path = tmp_path_factory.mktemp("tflite") / "dynamic.tflite"
    return export_tflite(calm_network, path, sizes=None)


@pytest.mark.parametrize("quantize", QUANTIZATIONS)
def test_a_file_of_each_quantisation(calm_network, photos, tmp_path, quantize):
    path = export_tflite(
        calm_network,
        tmp_path / f"{quantize}.tflite",
        quantize=quantize,
        sizes=[SIZE],
        calibration=photos,
        calibration_count=8,
    )
    report = verify(path, calm_network, photos)
    # It does what the network does.
    least = {"none": 90, "float16": 50, "dynamic": 35, "int8": 35}[quantize]
    check_parity(report, least)
    (found,) = report.comparisons
    assert found.known_pixels_kept and found.photos == 4
    check_ops_of(path, quantize)
    check_signature_of(path)
    check_metadata_of(path, quantize, calm_network)
    # Its weights are smaller where they are quantised, and the last convolution's are not in int8.
    share = weight_bytes(path) / (4 * calm_network.count_params())
    most = {"none": 1.2, "float16": 0.7, "dynamic": 0.95, "int8": 0.95}[quantize]
    assert share < most and (quantize != "none" or share > 0.95)
    floats = {"none": [True] * 17, "int8": [False] * 16 + [True]}
    if quantize in floats:
        assert computes_in_floats(path) == floats[quantize]


def check_ops_of(path, quantize):
    """Check that every op is one that consumers have."""
    ops = count_ops(path.read_bytes())
    assert ops.keys() == {"complete_64x64"}
    counts = ops["complete_64x64"]
    assert counts.keys() <= ALLOWED_OPS
    assert counts["CONV_2D"] == 15 and counts["TRANSPOSE_CONV"] == 2
    assert not [op for op in counts if "SPACE" in op or op.startswith(("CUSTOM", "FLEX"))]
    # Weights of 16 bits are widened where they are used; full int8 converts at its two ends.
    converted = {"none": (0, 0), "dynamic": (0, 0), "float16": (0, 36), "int8": (1, 1)}
    assert (counts["QUANTIZE"], counts["DEQUANTIZE"]) == converted[quantize]


def check_signature_of(path):
    """Check the names, types and shapes of the inputs and the output."""
    interpreter = Interpreter(str(path))
    assert interpreter.get_signature_list() == {
        "complete_64x64": {"inputs": ["image", "mask"], "outputs": ["completed"]}
    }
    runner = interpreter.get_signature_runner("complete_64x64")
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    shapes = {name: tuple(detail["shape"]) for name, detail in (inputs | outputs).items()}
    assert shapes == {
        "image": (1, 64, 64, 3),
        "mask": (1, 64, 64, 1),
        "completed": (1, 64, 64, 3),
    }
    assert {detail["dtype"] for detail in (inputs | outputs).values()} == {np.float32}
    # Files for one size have a batch of one.
    fixed = {name: tuple(detail["shape_signature"]) for name, detail in inputs.items()}
    assert fixed == {"image": (1, 64, 64, 3), "mask": (1, 64, 64, 1)}


def check_metadata_of(path, quantize, network):
    metadata = read_metadata(path)
    assert metadata["name"] == quantize == metadata["quantization"]
    assert metadata["signatures"] == {"complete_64x64": {"height": 64, "width": 64}}
    assert metadata["mean_pixel"] == pytest.approx([0.5, 0.4, 0.3])
    assert metadata["inputs"]["mask"]["hole"] == 1 and metadata["inputs"]["mask"]["known"] == 0
    assert metadata["inputs"]["image"]["range"] == [0, 1]
    assert metadata["reach"] == {"before": 150, "after": 153}
    assert metadata["weights_sha256"] == weights_sha256(network)


def test_any_size_from_one_file(dynamic_path, calm_network, photos):
    sizes = ((64, 64), (96, 40), (4, 8), (64, 64))
    assert read_metadata(dynamic_path)["signatures"] == {
        "complete": {"height": None, "width": None}
    }
    report = verify(dynamic_path, calm_network, photos[:2], sizes=sizes)
    assert [(found.height, found.width) for found in report.comparisons] == list(sizes)
    check_parity(report, 90)
    assert report.ops["complete"].keys() <= ALLOWED_DYNAMIC_OPS


def weight_bytes(path):
    """Return the bytes of all buffers of a file."""
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    return sum(model.Buffers(i).DataLength() for i in range(model.BuffersLength()))


@pytest.mark.parametrize("quantize", ("none", pytest.param("int8", marks=pytest.mark.slow)))
def test_several_sizes_share_their_weights(calm_network, photos, tmp_path, quantize):
    path = export_tflite(
        calm_network,
        tmp_path / "both.tflite",
        quantize=quantize,
        sizes=((64, 64), (32, 48)),
        calibration=photos,
        calibration_count=4,
    )
    report = verify(path, calm_network, photos)
    found = {(row.signature, row.height, row.width) for row in report.comparisons}
    assert found == {("complete_64x64", 64, 64), ("complete_32x48", 32, 48)}
    check_parity(report, 30)
    # int8 biases follow the activations' scales, so that each size has its own.
    assert weight_bytes(path) < 1.2 * 4 * calm_network.count_params()


def test_int8_without_photos_says_so(caplog):
    photos = calibration_photos(None, 2)
    assert len(photos) == 2 and photos[0].dtype == np.uint8
    assert "sample portraits" in caplog.text


def computes_in_floats(path):
    """Return, for each convolution of the first graph in order, whether it computes in floats."""
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph, kinds = model.Subgraphs(0), schema.BuiltinOperator
    found = []
    for op in map(graph.Operators, range(graph.OperatorsLength())):
        code = model.OperatorCodes(op.OpcodeIndex()).BuiltinCode()
        if code in (kinds.CONV_2D, kinds.TRANSPOSE_CONV):
            found.append(graph.Tensors(op.Outputs(0)).Type() == schema.TensorType.FLOAT32)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("names", ((), ("conv_1", "conv_12")))
def test_int8_leaves_the_layers_that_are_named_in_float(calm_network, photos, tmp_path, names):
    path = export_tflite(
        calm_network,
        tmp_path / "x.tflite",
        quantize="int8",
        sizes=[SIZE],
        calibration=photos,
        calibration_count=4,
        float_layers=names,
    )
    wanted = [f"conv_{number}" in names for number in range(1, 18)]
    assert computes_in_floats(path) == wanted
    check_parity(verify(path, calm_network, photos), 35)


def test_a_network_for_one_size_is_exported_at_that_size_only(tmp_path):
    import keras_inpaint as ki

    network = ki.build_completion_network(width=0.0625, image_size=(16, 24))
    with pytest.raises(ValueError, match="takes 16x24 only"):
        export_tflite(network, tmp_path / "x.tflite", sizes=[(32, 32)])
    with pytest.raises(ValueError, match="takes 16x24 only"):
        export_tflite(network, tmp_path / "x.tflite", sizes=None)


def test_what_does_not_pass_its_check_leaves_nothing(
    calm_network, tmp_path, float_path, monkeypatch
):
    model = float_path.read_bytes()
    monkeypatch.setattr("keras_inpaint.exporting.tflite.convert", lambda *_: model)
    target = tmp_path / "model.tflite"
    target.write_bytes(b"the one before")

    def check(path):
        assert path != target and read_metadata(path)["name"] == "model"
        raise RuntimeError("not good enough")

    with pytest.raises(RuntimeError, match="not good enough"):
        export_tflite(calm_network, target, sizes=[SIZE], check=check)
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]
    assert target.read_bytes() == b"the one before"
    export_tflite(calm_network, target, sizes=[SIZE])
    assert read_metadata(target)["name"] == "model"


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ({"quantize": "int4"}, "quantize must be one of"),
        ({"sizes": None, "quantize": "int8"}, "for any size is float32 or float16"),
        ({"sizes": []}, "at least one"),
        ({"sizes": [(30, 32)]}, "multiples of 4"),
        ({"sizes": [(16, 16)], "float_layers": ["conv_18"]}, "conv_18 cannot stay float32"),
        ({"sizes": [(16, 16)], "float_layers": ["conv_13"]}, "conv_13 cannot stay float32"),
        ({"calibration_count": 0}, "calibration_count must be at least 1, got 0"),
        ({"quantize": "int8", "calibration": []}, "needs photos to calibrate on"),
    ),
)
def test_arguments_out_of_range(calm_network, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export_tflite(calm_network, tmp_path / "x.tflite", **options)
    assert list(tmp_path.iterdir()) == []


def test_an_op_that_is_not_allowed_is_named(monkeypatch, float_path):
    monkeypatch.setattr(
        "keras_inpaint.exporting.tflite.ALLOWED_OPS", ALLOWED_OPS - {"TRANSPOSE_CONV"}
    )
    with pytest.raises(RuntimeError, match="complete_64x64 has the ops TRANSPOSE_CONV"):
        check_ops(float_path.read_bytes())


@pytest.mark.slow
def test_float32_on_twenty_real_photos_at_three_sizes(tiny_network, real_photos, tmp_path):
    sizes = ((128, 128), (160, 208), (256, 256))
    path = export_tflite(tiny_network, tmp_path / "x.tflite", sizes=sizes)
    report = verify(path, tiny_network, real_photos[:20])
    assert [found.photos for found in report.comparisons] == [20, 20, 20]
    check_parity(report, 80)


def test_licence_use_and_limits_travel_in_the_file(
    tiny_network, dynamic_path, tmp_path, monkeypatch
):
    model = dynamic_path.read_bytes()
    monkeypatch.setattr("keras_inpaint.exporting.tflite.convert", lambda *_: model)
    card = {"licence": "CC BY 4.0", "limits": "none known", "figures": [1], "name": "other"}
    path = export_tflite(tiny_network, tmp_path / "a.tflite", sizes=None, name="A", card=card)
    found = read_metadata(path.read_bytes())
    assert (found["licence"], found["limits"], found["name"]) == ("CC BY 4.0", "none known", "A")
    assert "figures" not in found and "intended_use" not in found
