import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.inference import choosing
from keras_inpaint.inference.choosing import Candidate, choose, plausible_scales
from keras_inpaint.inference.runtime import Runtime
from keras_inpaint.networks.receptive_field import ReceptiveField
from keras_inpaint.presets.cards import TrainedOn

ANY = TrainedOn((20, 64), (128, 192), "any")
FACES = TrainedOn((20, 64), (128, 179), "face")


class Knowing(Runtime):
    """Knows one photo by heart, at the scales at which it was told so; grey elsewhere."""

    name = "knowing"
    reach = ReceptiveField()

    def __init__(self, photo, scales=(1,), noise=0):
        import cv2

        self.calls = 0
        self._views = {}
        for scale in scales:
            size = (photo.shape[1] // scale, photo.shape[0] // scale)
            self._views[scale] = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        self._noise = noise

    def generate(self, image, mask):
        import cv2

        self.calls += 1
        out = np.full(image.shape, 0.5, np.float32)
        for part, hole, filled in zip(image, mask, out, strict=True):
            known = ~hole
            for view in self._views.values():
                if view.shape[0] < part.shape[0] or view.shape[1] < part.shape[1]:
                    continue
                scores = cv2.matchTemplate(
                    view,
                    part,
                    cv2.TM_SQDIFF,
                    mask=np.repeat(known[..., None], 3, 2).astype(np.uint8),
                )
                left, top = cv2.minMaxLoc(scores)[2]
                found = view[top : top + part.shape[0], left : left + part.shape[1]]
                if np.abs(found[known].astype(int) - part[known]).mean() < 6:
                    filled[:] = found / 255
        return np.clip(out + self._noise, 0, 1)


@pytest.fixture(scope="module")
def photo():
    """Smooth enough that its reduced forms look like it."""
    import cv2

    rng = np.random.default_rng(3)
    noise = rng.uniform(0, 255, (56, 64, 3)).astype(np.float32)
    return np.clip(cv2.resize(noise, (512, 448), interpolation=cv2.INTER_CUBIC), 0, 255).astype(
        np.uint8
    )


@pytest.fixture
def hole(photo):
    mask = np.zeros(photo.shape[:2], bool)
    mask[200:240, 230:280] = True
    return mask


def only(groups):
    (group,) = groups
    return group.choice


def test_the_network_that_knows_the_photo_is_chosen(photo, hole):
    knows, guesses = Knowing(photo), Knowing(photo, scales=())
    for subjects in ((ANY, FACES), (FACES, ANY), (ANY, ANY)):
        for first in (True, False):
            runtimes = (knows, guesses) if first else (guesses, knows)
            candidates = [
                Candidate(str(n), *pair)
                for n, pair in enumerate(zip(runtimes, subjects, strict=True))
            ]
            choice = only(choose(candidates, photo, hole, scale=1))
            assert choice.candidate.runtime is knows and choice.places > 4


def test_the_scale_at_which_the_network_knows_the_photo_is_chosen(photo, hole):
    candidates = [Candidate("it", Knowing(photo, scales=(2,)), ANY)]
    groups = choose(candidates, photo, hole)
    assert (only(groups).scale, only(groups).places) == (2, 4)
    assert choosing.summary(groups) == [
        "completed with it at 1/2 of the scale, chosen on 4 places around the hole"
    ]


def test_where_two_are_as_good_the_first_is_taken(photo, hole):
    candidates = [Candidate(name, Knowing(photo), ANY) for name in "ab"]
    assert only(choose(candidates, photo, hole, scale=1)).candidate.name == "a"


def test_what_the_hole_holds_has_no_say(photo, hole):
    candidates = [
        Candidate("a", Knowing(photo, (1,)), FACES),
        Candidate("b", Knowing(photo, (2,)), ANY),
    ]
    other = photo.copy()
    other[hole] = 255
    choices = [only(choose(candidates, image, hole)) for image in (photo, other)]
    assert choices[0] == choices[1]


def test_a_named_scale_and_a_single_network_cost_nothing(photo, hole):
    runtime = Knowing(photo)
    assert only(choose([Candidate("it", runtime, ANY)], photo, hole, scale=4)).scale == 4
    assert only(choose([Candidate("it", runtime)], photo, hole)).scale == 1
    assert runtime.calls == 0


@pytest.mark.parametrize(
    ("width", "size", "scales"),
    [
        (40, (218, 178), (1,)),  # a portrait as in training
        (40, (436, 356), (1, 2)),
        (80, (872, 712), (1, 2, 4)),
        (12, (2000, 3000), (1,)),  # reduced, the hole is narrower than any in training
        (400, (2000, 3000), (8, 16)),
        (1500, (1600, 1600), (16,)),
        (90, (100, 100), (1,)),
    ],
)
def test_plausible_scales(width, size, scales):
    assert plausible_scales(Candidate("it", None, FACES), width, size) == scales


def test_every_hole_pixel_belongs_to_one_group_and_few_are_measured(photo):
    runtime = Knowing(photo)
    mask = np.zeros((1000, 1200), bool)
    mask[40::150, 40::150] = True
    mask[300:340, 300:340] = True
    image = np.resize(photo, (1000, 1200, 3))
    groups = choose([Candidate("a", runtime, FACES), Candidate("b", runtime, ANY)], image, mask)
    count = np.zeros(mask.shape, int)
    for group in groups:
        count[group.box.slices] += group.own
    assert np.array_equal(count, mask)
    assert len(groups) > 20 and runtime.calls < 60


@pytest.mark.parametrize("place", [np.s_[:], np.s_[1:], np.s_[:, 3:], np.s_[:6, :6]])
def test_holes_without_room_beside_them(photo, place):
    small = photo[:60, :70]
    mask = np.zeros(small.shape[:2], bool)
    mask[place] = True
    candidates = [Candidate("a", Knowing(photo), FACES), Candidate("b", Knowing(photo), ANY)]
    assert only(choose(candidates, small, mask)).candidate in candidates


def test_the_inpainter_completes_with_what_was_chosen(photo, hole):
    knows = Knowing(photo, scales=(2,))
    inpainter = ki.Inpainter([Knowing(photo, ()), knows], texture="off", blend="none")
    for candidate, known in zip(list(inpainter.candidates), (FACES, ANY), strict=True):
        place = inpainter.candidates.index(candidate)
        inpainter.candidates[place] = Candidate("ab"[place], candidate.runtime, known)
    completed, told = inpainter.explained(photo, hole)
    assert len(told) == 1 and told[0].startswith("completed with b at 1/2 of the scale")
    assert np.abs(completed[hole].astype(int) - photo[hole]).mean() < 6
    assert np.array_equal(completed[~hole], photo[~hole])
    both, _ = inpainter.explained(np.stack([photo, photo]), hole)
    assert np.array_equal(both, np.stack([completed, completed]))


def test_holes_that_choose_differently_are_completed_side_by_side(photo):
    import cv2

    left, right = Knowing(photo[:, :256]), Knowing(photo[:, 256:])
    mask = np.zeros(photo.shape[:2], bool)
    mask[200:240, 90:130] = mask[180:230, 370:420] = True
    # What lies beyond its half a network never sees: the reach of both is cut.
    left.reach = right.reach = ReceptiveField.of_pixels(60, 60)
    inpainter = ki.Inpainter([left, right], scale=1, blend="none")
    inpainter.candidates = [Candidate("a", left, ANY), Candidate("b", right, ANY)]
    inpainter.texture = "off"
    completed, (told,) = inpainter.explained(photo, mask)
    assert "a at the photo's own scale" in told and "b at the photo's own scale" in told
    assert cv2.norm(completed, photo, cv2.NORM_L1) / mask.sum() < 6


def test_networks_nobody_knows_are_used_as_they_are(photo, hole):
    runtime = Knowing(photo)
    completed, told = ki.Inpainter(runtime, blend="none").explained(photo, hole)
    assert told == () and runtime.calls == 1
    assert np.array_equal(
        completed, ki.Inpainter(runtime, scale=1, texture="off", blend="none")(photo, hole)
    )


def test_the_presets_are_the_candidates_where_no_model_is_named():
    names = [(c.name, c.specialist, c.texture) for c in choosing.load_candidates("auto")]
    assert names == [("faces", True, False), ("scenes", False, True)]


def test_no_model_to_choose_from_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        ki.Inpainter([])


@pytest.mark.parametrize(
    "setting", [{"scale": 0}, {"scale": "2"}, {"scale": True}, {"texture": "yes"}]
)
def test_wrong_settings(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=f"{name} must be"):
        ki.Inpainter(**setting)
