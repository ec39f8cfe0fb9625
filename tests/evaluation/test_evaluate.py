"""The evaluation from photos to report."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

import keras_inpaint as ki
from keras_inpaint.evaluation.baselines import BASELINES, USUAL_BASELINES
from keras_inpaint.evaluation.evaluate import enlarged, evaluate, model_digest
from keras_inpaint.evaluation.masks import FixedMasks, mask_hash
from keras_inpaint.evaluation.metrics import measure


def test_is_a_public_name():
    assert ki.evaluate is evaluate


def test_figures_are_those_of_each_photo(photos, network):
    report = evaluate(photos, network, masks="rectangles", size=64, seed=4, baselines=["telea"])
    assert report.methods == ("blurred", "telea")
    assert len(report.photos) == 9
    masks = FixedMasks("rectangles", 9, 64, 4)
    for number in (0, 7):
        left = (photos[number].shape[1] - 64) // 2
        original, mask = photos[number][:, left : left + 64], masks[number]
        measured = report.photos[number]
        assert measured.mask == mask_hash(mask) and measured.area == mask.mean()
        assert measured.figures["blurred"] == measure(original, network(original, mask), mask)
        telea = BASELINES["telea"](original, mask)
        assert measured.figures["telea"] == measure(original, telea, mask)


def test_the_same_json_to_the_last_digit(folder, network, tmp_path):
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for file in files:
        report = evaluate(folder, network, masks="strokes", size=48, baselines=True)
        report.write_json(file)
    assert files[0].read_bytes() == files[1].read_bytes()
    found = json.loads(files[0].read_text())
    assert found["protocol"]["masks"] == "strokes" and found["protocol"]["data"] == "photos"
    assert set(found["methods"]) == {"blurred", *USUAL_BASELINES}
    assert str(tmp_path) not in files[0].read_text()


def test_photos_are_hashed(photos):
    one = evaluate(photos, "none", size=48, baselines=["mean-pixel"])
    changed = [*photos[:-1], photos[-1] ^ 1]
    two = evaluate(changed, "none", size=48, baselines=["mean-pixel"])
    assert one.protocol["photos_sha256"] != two.protocol["photos_sha256"]
    assert one.to_dict()["protocol"]["masks_sha256"] == two.to_dict()["protocol"]["masks_sha256"]


def test_unreadable_photos_are_skipped_and_keep_their_mask(folder, network, caplog):
    before = evaluate(folder, network, masks="box", size=48)
    (folder / "p2__a.png").write_bytes(b"no picture")
    after = evaluate(folder, network, masks="box", size=48)
    assert list(after.skipped) == ["p2__a.png"] and "p2__a.png" in caplog.text
    assert "p2__a.png" in after.to_dict()["protocol"]["skipped"]
    left = [photo for photo in before.photos if photo.name != "p2__a.png"]
    assert list(after.photos) == left
    for file in folder.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(ValueError, match="no readable photo in photos"):
        evaluate(folder, network, size=48)


def test_cases_are_worst_median_and_best(photos, network):
    report = evaluate(photos, network, masks="center:20", size=48, baselines=["telea"], cases=2)
    order = np.argsort(report.values("blurred", "psnr_hole")).tolist()
    by_kind = {kind: [c.number for c in report.cases if c.kind == kind] for kind in KINDS}
    assert by_kind["worst"] == order[:2] and by_kind["best"] == order[-2:][::-1]
    assert by_kind["median"] == order[3:5]
    case = report.cases[0]
    figures = measure(case.original, case.completed["telea"], case.mask)
    assert figures == report.photos[case.number].figures["telea"]
    assert evaluate(photos, network, masks="center:20", size=48, cases=0).cases == ()
    few = evaluate(photos[:2], network, masks="center:20", size=48, cases=3)
    assert sorted(case.number for case in few.cases) == [0, 1]


KINDS = ("worst", "median", "best")


def test_features_give_distances(photos, network):
    import keras

    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 3))
    extract = keras.Model(image, keras.layers.Conv2D(4, 5, strides=4)(image))
    report = evaluate(
        photos, network, size=48, baselines=["mean-pixel"], features=extract, masks="box"
    )
    found = report.features
    assert found["photos"] == 9 and found["features"] == 4
    assert 0 < found["methods"]["blurred"]["fid"] < found["methods"]["mean-pixel"]["fid"]
    json.loads(report.to_json())


def test_progress(photos, network):
    seen = []
    evaluate(photos, network, size=48, limit=4, progress=lambda *step: seen.append(step), cases=0)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_held_out_photos_of_a_run(photos, network, tmp_path):
    (tmp_path / "config.json").write_text('{"config": {"held_out": 0.3, "seed": 5}}')
    options = {"size": 48, "masks": "box", "cases": 0}
    by_run = evaluate(photos, network, held_out=tmp_path, **options)
    by_part = evaluate(photos, network, held_out=0.3, split_seed=5, **options)
    assert by_run.to_json() == by_part.to_json()
    assert len(by_run.photos) == 3
    assert by_run.protocol["held_out"] == {"part": 0.3, "seed": 5}


def test_several_networks_get_several_names(photos, network):
    report = evaluate(photos, [network, network], size=48, masks="box", limit=2)
    assert report.methods == ("blurred", "blurred'")


def test_wrong_arguments(photos, network):
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate(photos, "none")
    with pytest.raises(ValueError, match="unknown baseline 'magic'; baselines: mean-pixel"):
        evaluate(photos, network, baselines=["magic"])
    with pytest.raises(ValueError, match="size must be 16 or more, got 8"):
        evaluate(photos, network, size=8)
    with pytest.raises(ValueError, match="masks"):
        evaluate(photos, network, masks="circle")
    with pytest.raises(ValueError, match="enlarge must be 1 to 8, got 9"):
        evaluate(photos, network, enlarge=9)
    with pytest.raises(ValueError, match="no options of Inpainter"):
        evaluate(photos, network, blend="poisson")


def test_a_network_that_touches_known_pixels_is_refused(photos):
    with pytest.raises(ValueError, match="known pixels"):
        evaluate(photos, lambda image, mask: image ^ 1, size=48)


def test_a_network_from_its_file_and_from_memory(photos, tiny_network, tiny_model_path):
    options = {"masks": "box", "size": 48, "limit": 3, "cases": 0}
    from_file = evaluate(photos, str(tiny_model_path), **options, runtime="keras")
    from_memory = evaluate(photos, tiny_network, **options)
    name = tiny_model_path.parent.name
    assert from_file.methods == (name,) and from_memory.methods == ("completion_network",)
    for one, other in zip(from_file.photos, from_memory.photos, strict=True):
        assert one.figures[name] == other.figures["completion_network"]
    about = from_file.models[name]
    assert about["file"] == "completion.keras"
    assert about["sha256"] == hashlib.sha256(tiny_model_path.read_bytes()).hexdigest()
    assert about["options"] == {"runtime": "keras"}


def test_model_digest(tmp_path):
    file = tmp_path / "a.keras"
    file.write_bytes(b"weights")
    assert model_digest(file) == hashlib.sha256(b"weights").hexdigest()
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    before = model_digest(folder)
    (folder / "variables" / "data").write_bytes(b"1")
    assert model_digest(folder) != before


def test_reads_files_of_every_size(tmp_path, network):
    Image.new("L", (300, 20), 90).save(tmp_path / "wide.png")
    Image.new("RGBA", (17, 400), (9, 8, 7, 100)).save(tmp_path / "high.webp")
    report = evaluate(tmp_path, network, size=32, masks="box")
    assert [photo.name for photo in report.photos] == ["high.webp", "wide.png"]


def test_the_same_photos_at_another_scale(photos, network):
    small, large = (
        evaluate(photos, network, size=48, masks="box", limit=3, enlarge=times, cases=1)
        for times in (1, 2)
    )
    assert small.areas.tolist() == large.areas.tolist()
    assert large.cases[0].original.shape == (96, 96, 3)
    assert "enlarge" not in small.protocol and large.protocol["enlarge"] == 2
    image, mask = np.arange(48, dtype=np.uint8).reshape(4, 4, 3), np.eye(4, dtype=bool)
    drawn, hole = enlarged(image, mask, 2)
    assert drawn.shape == (8, 8, 3) and np.array_equal(hole[::2, 1::2], mask)


def test_the_whole_pipeline_and_the_network_alone(photos, tiny_network):
    report = evaluate(
        photos,
        tiny_network,
        size=48,
        limit=2,
        masks="box",
        cases=0,
        network_alone=True,
        blend="poisson",
        texture="on",
    )
    whole, alone = report.methods
    assert alone == f"{whole} (network alone)"
    options = report.models[alone]["options"]
    assert (options["blend"], options["scale"], options["texture"]) == ("none", 1, "off")
    assert report.models[whole]["options"]["texture"] == "on"
    assert report.values(whole, "psnr_hole").tolist() != report.values(alone, "psnr_hole").tolist()


def test_auto_chooses_among_the_presets(photos):
    report = evaluate(photos, "auto", size=64, limit=1, masks="center:24", cases=0)
    assert report.methods == ("auto",) and report.models["auto"]["options"] == {"runtime": "litert"}
