import pytest
import tensorflow as tf

from keras_inpaint.data.mask_specs import MaskKind, parse_mask_spec
from keras_inpaint.data.masks import mask_sampler
from keras_inpaint.evaluation.masks import FixedMasks


@pytest.mark.parametrize(
    ("spec", "kinds"),
    [
        ("rectangles", [MaskKind("rectangles")]),
        ("rectangles:9-12", [MaskKind("rectangles", (9, 12))]),
        ("rectangles:9-12x3", [MaskKind("rectangles", (9, 12), 3)]),
        ("rectangles:x4", [MaskKind("rectangles", None, 4)]),
        ("strokes", [MaskKind("strokes", (5, 50))]),
        ("strokes:2.5-5", [MaskKind("strokes", (2.5, 5))]),
        ("center:8", [MaskKind("center", (8, 8))]),
        ("box+strokes:5-9", [MaskKind("box"), MaskKind("strokes", (5, 9))]),
        ("mixed", [MaskKind("rectangles"), MaskKind("strokes", (5, 50))]),
    ],
)
def test_training_and_measuring_read_the_same_words(spec, kinds):
    assert list(parse_mask_spec(spec)) == kinds
    drawn = mask_sampler(spec)(tf.constant([1, 2]), 64).numpy()[..., 0] > 0.5
    fixed = FixedMasks(spec, 1, 64)[0]
    for mask in (drawn, fixed):
        assert mask.shape == (64, 64) and 0 < mask.mean() < 1


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "masks must be rectangles"),
        ("circles", "got 'circles'"),
        ("strokes+circles", "got 'strokes.circles'"),
        ("strokes+", "got 'strokes.'"),
        ("rectangles:", "LOW-HIGH"),
        ("rectangles:9", "LOW-HIGH"),
        ("rectangles:9-3", "9 is above 3"),
        ("rectangles:0-3", "above 0"),
        ("rectangles:1.5-3", "whole numbers"),
        ("rectangles:1..5-3", "masks must be"),
        ("rectangles:6-8x0", "at least one"),
        ("strokes:0-50", "above 0 and at most 90"),
        ("strokes:5-95", "above 0 and at most 90"),
        ("strokes:5-9x2", "only rectangles"),
        ("center:0", "above 0"),
        ("center:x", "center:x"),
        ("box:3", "box:3"),
        ("no/such/folder", "no/such/folder"),
    ],
)
def test_a_wrong_word_is_refused_by_both(spec, words):
    for read in (mask_sampler, lambda spec: FixedMasks(spec, 1, 64)):
        with pytest.raises(ValueError, match=words):
            read(spec)


def test_a_folder_named_like_a_kind_is_written_with_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strokes").mkdir()
    assert parse_mask_spec("strokes")[0].kind == "strokes"
    assert parse_mask_spec("./strokes")[0].folder == (tmp_path / "strokes").relative_to(tmp_path)
