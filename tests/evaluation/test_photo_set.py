"""Which photos are measured, in which order, and what their pixels are."""

import numpy as np
import pytest
from PIL import Image

from keras_inpaint.data import sample
from keras_inpaint.evaluation.photo_set import (
    choose,
    held_out_numbers,
    open_photos,
    split_of_run,
    upright_rgb,
)


def test_folder_in_the_order_of_its_names(folder, photos):
    found = open_photos(folder)
    assert found.source == "photos"
    assert found.names == (
        *("more/p4__a.png", "p0__a.png", "p1__a.png", "p2__a.png", "p3__a.png"),
        *("p5__a.png", "p6__a.png", "p7__a.png", "p8__a.png"),
    )
    assert np.array_equal(np.asarray(found.open(0)), photos[4])


def test_square_of_the_size_asked(folder, photos):
    found = open_photos(folder)
    for number in (0, 3):
        assert found.pixels(number, 32).shape == (32, 32, 3)
    left = (photos[0].shape[1] - 64) // 2
    assert np.array_equal(found.pixels(1, 64), photos[0][:, left : left + 64])


def test_arrays(photos):
    found = open_photos(photos)
    assert len(found) == 9 and found.names[8] == "array-000008"
    assert np.array_equal(np.asarray(found.open(8)), photos[8])
    with pytest.raises(ValueError, match="photo 1 must be uint8"):
        open_photos([photos[0], photos[1] / 255])
    with pytest.raises(ValueError, match="no photo"):
        open_photos([])


def test_the_sample_is_of_people_who_are_not_trained_on():
    found = open_photos("sample:3")
    assert found.source == "sample" and len(found) == 3 and len(open_photos("sample")) == 25
    picture = np.asarray(found.open(2))
    assert picture.shape == (157, 128, 3)
    assert np.array_equal(picture, sample.portrait(2))
    assert not set(open_photos("sample").names) & set(sample.names("train"))
    with pytest.raises(ValueError, match="has 1 to 25 portraits to test on, got 26"):
        open_photos("sample:26")
    for wrong in ("sample:0", "sample:x"):
        with pytest.raises(ValueError, match="expected sample or sample:COUNT"):
            open_photos(wrong)


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such folder of photos"):
        open_photos(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no photo in"):
        open_photos(tmp_path)


def test_limit_spreads_evenly(photos):
    found = open_photos(photos)
    assert choose(found, limit=3).names == ("array-000000", "array-000003", "array-000006")
    assert choose(found, limit=99).names == found.names
    with pytest.raises(ValueError, match="limit must be 1 or more, got 0"):
        choose(found, limit=0)


def test_only_keeps_the_order_and_names_what_is_missing(folder):
    found = open_photos(folder)
    chosen = choose(found, only=["p5__a.png", "p1__a.png"])
    assert chosen.names == ("p1__a.png", "p5__a.png")
    assert np.array_equal(chosen.pixels(1, 40), found.pixels(5, 40))
    with pytest.raises(ValueError, match=r"1 photos are not in photos: q\.png"):
        choose(found, only=["p1__a.png", "q.png"])


def test_held_out_photos_are_those_of_training():
    from keras_inpaint.data.images import Images

    names = [
        f"a/{person:02d}__{shot}.jpg" for person in range(23) for shot in range(1 + person % 3)
    ]
    images = Images(
        fetch=lambda index: index,
        names=tuple(names),
        sides=np.ones((len(names), 2), int),
        sums=np.ones((len(names), 3)),
        digests=tuple(names),
        source="a",
    )
    for part, seed in ((0.1, 0), (0.4, 3), (0.01, 0), (0.99, 1)):
        found = {names[i] for i in held_out_numbers(names, part, seed)}
        kept, out = images.split(part, seed)
        assert found == set(out.names) and found.isdisjoint(kept.names)
        assert {name[:4] for name in found}.isdisjoint(name[:4] for name in kept.names)


def test_split_of_a_run(tmp_path):
    for text in (None, "{}", "no json", '{"config": {"held_out": 0, "seed": 1}}'):
        if text is not None:
            (tmp_path / "config.json").write_text(text)
        with pytest.raises(ValueError, match=r"not a folder of a training run|held no photos out"):
            split_of_run(tmp_path)
    (tmp_path / "config.json").write_text('{"config": {"held_out": 0.25, "seed": 3, "size": 9}}')
    assert split_of_run(tmp_path) == (0.25, 3)


@pytest.mark.parametrize("part", [0, 1, -0.1])
def test_held_out_part_out_of_range(part, photos):
    with pytest.raises(ValueError, match="held_out must be"):
        choose(open_photos(photos), held_out=part)
    with pytest.raises(ValueError, match="of one group"):
        held_out_numbers(["a__1", "a__2"], 0.5)


def test_pictures_become_upright_8_bit_rgb(tmp_path):
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    deep = Image.fromarray(pixels.astype(np.uint16) * 256 + 7)
    with Image.open(tmp_path / "turned.png") as turned:
        assert np.array_equal(np.asarray(upright_rgb(turned))[..., 0], np.rot90(pixels, -1))
    assert np.array_equal(np.asarray(upright_rgb(deep))[..., 1], pixels)


def test_tfds(photos, tmp_path):
    import tensorflow_datasets as tfds

    class Portraits(tfds.core.GeneratorBasedBuilder):
        """Three photos, two of them for tests."""

        VERSION = tfds.core.Version("1.0.0")
        # Not beside this file: another package named tests may be installed.
        pkg_dir_path = tmp_path

        def _info(self):
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(
                    {"image": tfds.features.Image(shape=(None, None, 3), encoding_format="png")}
                )
            )

        def _split_generators(self, dl_manager):
            return {"train": self._rows(2, 3), "test": self._rows(0, 2)}

        def _generate_examples(self):
            raise NotImplementedError

        def _rows(self, start, stop):
            for number in range(start, stop):
                yield f"{number}", {"image": photos[number]}

    Portraits(data_dir=tmp_path).download_and_prepare()
    found = open_photos("tfds:portraits", data_dir=tmp_path)
    assert found.source == "tfds:portraits@test" and len(found) == 2
    shapes = {np.asarray(found.open(i)).tobytes() for i in range(2)}
    assert shapes == {photos[0].tobytes(), photos[1].tobytes()}
    assert len(open_photos("tfds:portraits@train", data_dir=tmp_path)) == 1
    with pytest.raises(ValueError, match="no split 'validation'; splits: "):
        open_photos("tfds:portraits@validation", data_dir=tmp_path)
    with pytest.raises(ValueError, match="no data set 'no_such_set'"):
        open_photos("tfds:no_such_set", data_dir=tmp_path)
