"""The stream of batches: shapes, ranges, and the same batch for the same seed and step."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_inpaint.data import pipeline, sources


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, (50 + i, 44 + 2 * i, 3), "uint8") for i in range(7)]
    return sources._from_arrays([f"n{i}" for i in range(7)], arrays, "test")


def take(dataset, count):
    return [{k: v.numpy() for k, v in row.items()} for row in dataset.take(count)]


def test_shapes_types_and_ranges(images):
    (row,) = take(pipeline.make_dataset(images, size=32, batch_size=3, masks="mixed"), 1)
    assert {k: (v.shape, str(v.dtype)) for k, v in row.items()} == {
        "image": ((3, 32, 32, 3), "float32"),
        "mask": ((3, 32, 32, 1), "float32"),
        "patch": ((3, 2), "int32"),
        "real_patch": ((3, 2), "int32"),
    }
    assert 0 <= row["image"].min() < 0.1 and 0.9 < row["image"].max() <= 1
    assert row["real_patch"].min() >= 0 and row["real_patch"].max() <= 32 - 16


def test_step_k_of_a_seed_is_always_the_same_batch(images):
    whole = take(pipeline.make_dataset(images, size=32, batch_size=4, seed=3), 6)
    later = take(pipeline.make_dataset(images, size=32, batch_size=4, seed=3, start_step=4), 2)
    other = take(pipeline.make_dataset(images, size=32, batch_size=4, seed=4), 1)
    for key in whole[0]:
        np.testing.assert_array_equal(whole[4][key], later[0][key])
        np.testing.assert_array_equal(whole[5][key], later[1][key])
    assert not np.array_equal(whole[0]["image"], other[0]["image"])


@pytest.mark.parametrize(("workers", "replicas"), [(2, 2), (3, 6)])
def test_workers_share_each_batch_without_repeats_or_gaps(workers, replicas, images):
    options = {"size": 32, "batch_size": 12, "start_step": 1}
    whole = take(pipeline.make_dataset(images, **options), 2)
    shares = []
    for worker in range(workers):
        context = tf.distribute.InputContext(workers, worker, replicas)
        dataset = pipeline.make_dataset(images, **options, input_context=context)
        shares.append(take(dataset, 2 * replicas // workers))
    per_step = replicas // workers
    for step, batch in enumerate(whole):
        parts = [row for share in shares for row in share[step * per_step : (step + 1) * per_step]]
        for key in batch:
            np.testing.assert_array_equal(np.concatenate([p[key] for p in parts]), batch[key])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_data_service_gives_the_same_batches(workers, images):
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    config = service.WorkerConfig(dispatcher.target.partition("://")[2])
    running = [service.WorkerServer(config) for _ in range(workers)]
    options = {"size": 32, "batch_size": 3, "start_step": 2}
    served = take(pipeline.make_dataset(images, **options, service=dispatcher.target), 8)
    alone = take(pipeline.make_dataset(images, **options), 8)
    for ours, expected in zip(served, alone, strict=True):
        for key in expected:
            np.testing.assert_array_equal(ours[key], expected[key])
    del running


def test_every_epoch_sees_each_image_once_in_another_order():
    arrays = [np.full((40, 40, 3), 20 * i, "uint8") for i in range(8)]
    flat = sources._from_arrays([str(i) for i in range(8)], arrays, "test")
    rows = take(pipeline.make_dataset(flat, size=32, batch_size=8), 3)
    orders = [np.round(r["image"][:, 0, 0, 0] * 255 / 20).astype(int).tolist() for r in rows]
    assert all(sorted(order) == list(range(8)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_half_of_the_images_are_mirrored_unless_told_otherwise():
    ramp = np.broadcast_to(np.arange(0, 160, 5, "uint8")[None, :, None], (32, 32, 3)).copy()
    one = sources._from_arrays(["ramp"], [ramp], "test")
    rows = take(pipeline.make_dataset(one, size=32, batch_size=64, scale=(1, 1)), 1)
    rising = rows[0]["image"][:, 0, -1, 0] > rows[0]["image"][:, 0, 0, 0]
    assert 20 < rising.sum() < 44
    rows = take(pipeline.make_dataset(one, size=32, batch_size=8, scale=(1, 1), flip=False), 1)
    np.testing.assert_allclose(
        rows[0]["image"], np.broadcast_to(ramp / 255, (8, 32, 32, 3)), atol=1e-6
    )


def test_the_crop_is_the_resized_image_cut():
    rng = np.random.default_rng(1)
    array = rng.integers(0, 256, (90, 120, 3), "uint8")
    got = pipeline.center_crop(tf.constant(array), 60).numpy() * 255
    resized = tf.image.resize(array, (60, 80), antialias=True).numpy()
    np.testing.assert_allclose(got, resized[:, 10:70], atol=1e-2)
    pillow = Image.fromarray(array).resize((80, 60), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(got, np.asarray(pillow)[:, 10:70], atol=2)


def test_crops_reach_all_four_borders_and_never_beyond():
    y, x = np.mgrid[0:64, 0:64].astype("uint8")
    place = sources._from_arrays(["place"], [np.stack([y, x, x], -1)], "test")
    rows = take(pipeline.make_dataset(place, size=16, batch_size=256, scale=(1, 4), flip=False), 2)
    pixels = np.concatenate([r["image"] for r in rows]) * 255
    assert pixels.min() < 1 and pixels.max() > 62
    native = [p for p in pixels if abs(p[1, 0, 0] - p[0, 0, 0] - 1) < 1e-3]
    assert native, "the largest zoom keeps the pixels"


def test_an_iterator_ends_without_waiting_for_a_tuner(images):
    dataset = pipeline.make_dataset(images, size=32, batch_size=2)
    assert dataset.options().autotune.enabled is False


def test_fixed_examples_never_change(images):
    first = pipeline.fixed_examples(images, count=4, size=32, masks="rectangles", patch_size=16)
    again = pipeline.fixed_examples(images, count=4, size=32, masks="rectangles", patch_size=16)
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert first["image"].shape == (4, 32, 32, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 30}, "size .* 30"),
        ({"batch_size": 0}, "batch_size .* 0"),
        ({"scale": (0.5, 1)}, "scale"),
        ({"size": 32, "patch_size": 40}, "patch_size .* 40"),
        ({"size": 64}, "smaller than the crop of 64 px: n0"),
        ({"size": 32, "masks": "dots"}, "dots"),
    ],
)
def test_wrong_arguments_are_named(images, options, words):
    with pytest.raises(ValueError, match=words):
        pipeline.make_dataset(images, **options)
