"""`POST /complete`: a photo and a mask as files in, the completed file out."""

import io
import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("requests", reason="pip install 'keras-inpaint[test]'")


@pytest.fixture(scope="module")
def hole(photo):
    """A mask for the shared photo."""
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[30:60, 40:80] = 255
    return mask


def encoded(pixels, kind, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def opened(contents):
    return Image.open(io.BytesIO(contents))


def post(http, server, photo, mask, **fields):
    """Post a form; `mask` may be text."""
    files = {"photo": ("p", photo)}
    data = {"model": "tiny", "version": "1", **fields}
    if isinstance(mask, bytes):
        files["mask"] = ("m", mask)
    elif mask is not None:
        data["mask"] = mask
    data = {name: value for name, value in data.items() if value is not None}
    return http.post(f"{server.url}/complete", files=files, data=data, timeout=120)


@pytest.fixture(scope="module")
def inpainters(model_folders):
    import keras_inpaint as ki

    folder = model_folders / "tiny" / "1"
    return {
        blend: ki.Inpainter(folder, runtime="saved-model", blend=blend)
        for blend in ("none", "feather", "poisson")
    }


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP"])
def test_lossless_photos_give_the_pixels_of_inpainter(http, server, photo, hole, inpainters, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    answer = post(http, server, encoded(photo, kind, **options), encoded(hole, "PNG"))
    assert answer.status_code == 200, answer.text
    found = opened(answer.content)
    assert found.format == kind
    assert answer.headers["content-type"] == f"image/{kind.lower()}"
    assert kind.lower()[:3] in answer.headers["content-disposition"]
    wanted = inpainters["poisson"](photo, hole)
    assert np.abs(np.asarray(found.convert("RGB")).astype(int) - wanted).max() <= 1
    known = hole == 0
    np.testing.assert_array_equal(np.asarray(found.convert("RGB"))[known], photo[known])


def test_a_jpeg_gives_the_file_of_the_complete_command(
    http, server, photo, hole, inpainters, tmp_path
):
    from keras_inpaint.inference.completing import complete_file

    (tmp_path / "photo").write_bytes(encoded(photo, "JPEG", quality=92, dpi=(300, 300)))
    (tmp_path / "mask").write_bytes(encoded(hole, "PNG"))
    complete_file(
        tmp_path / "photo", tmp_path / "mask", tmp_path / "out", lambda: inpainters["poisson"]
    )
    answer = post(http, server, (tmp_path / "photo").read_bytes(), (tmp_path / "mask").read_bytes())
    assert answer.headers["content-type"] == "image/jpeg"
    found, wanted = opened(answer.content), opened((tmp_path / "out").read_bytes())
    assert found.info["dpi"] == (300, 300)
    difference = np.abs(np.asarray(found).astype(int) - np.asarray(wanted))
    assert difference.max() <= 2
    assert "quality 95" in " ".join(json.loads(answer.headers["x-keras-inpaint-notes"]))


@pytest.mark.parametrize("blend", ["none", "feather"])
def test_blending(http, server, photo, hole, inpainters, blend):
    answer = post(http, server, encoded(photo, "PNG"), encoded(hole, "PNG"), blend=blend)
    assert answer.status_code == 200, answer.text
    found = np.asarray(opened(answer.content)).astype(int)
    assert np.abs(found - inpainters[blend](photo, hole)).max() <= 2
    other = inpainters["poisson" if blend == "none" else "none"](photo, hole).astype(int)
    assert np.abs(found - other).max() > 2


def test_polarity_and_grow(http, server, photo, hole):
    file = encoded(photo, "PNG")
    white = post(http, server, file, encoded(hole, "PNG"))
    black = post(http, server, file, encoded(255 - hole, "PNG"), polarity="black")
    assert white.content == black.content
    grown = post(http, server, file, encoded(hole, "PNG"), grow="6")
    assert _changed(grown, photo) > _changed(white, photo)


def _changed(answer, photo):
    return int((np.asarray(opened(answer.content)) != photo).any(-1).sum())


def test_transparency_as_the_mask(http, server, photo, hole):
    cut = np.dstack([photo, 255 - hole])
    answer = post(http, server, encoded(cut, "PNG"), "alpha")
    assert answer.status_code == 200, answer.text
    found = np.asarray(opened(answer.content))
    assert found.shape[-1] == 4 and found[..., 3].min() == 255
    known = hole == 0
    np.testing.assert_array_equal(found[known][:, :3], photo[known])


def test_a_mask_of_another_size_is_resized_when_asked(http, server, photo, hole):
    half = encoded(hole[::2, ::2], "PNG")
    refused = post(http, server, encoded(photo, "PNG"), half)
    assert refused.status_code == 422
    assert "resize_mask=true" in refused.json()["error"]
    assert str(server.scratch) not in refused.text
    answer = post(http, server, encoded(photo, "PNG"), half, resize_mask="true")
    assert answer.status_code == 200


def test_notes_come_in_a_header(http, server, photo, hole):
    most = np.full_like(hole, 255)
    most[:20] = 0
    answer = post(http, server, encoded(photo, "PNG"), encoded(most, "PNG"))
    notes = json.loads(answer.headers["x-keras-inpaint-notes"])
    assert any("of the photo" in note for note in notes)


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"blend": "smear"}, 400, "blend must be one of none, feather, poisson, got 'smear'"),
        ({"grow": "-1"}, 400, "grow must be 0 to 1000"),
        ({"grow": "1e9"}, 400, "grow must be 0 to 1000"),
        ({"polarity": "grey"}, 400, "polarity must be one of white, black"),
        ({"coarse": "on"}, 400, "coarse must be one of"),
        ({"scale": "0"}, 400, "scale must be one of auto, 1, 2"),
        ({"texture": "much"}, 400, "texture must be one of auto, on, off"),
        ({"model": "auto"}, 400, "version goes with one model"),
        ({"resize_mask": "yes"}, 400, "resize_mask must be one of"),
        ({"model": None, "version": None}, 400, "several models are served"),
        ({"model": "none", "version": None}, 404, "Latest(none)"),
        ({"version": "9"}, 404, "Specific(tiny, 9)"),
        ({"version": "one"}, 400, "version must be a whole number"),
        ({"colour": "red"}, 400, "unknown field 'colour'"),
    ],
)
def test_options_that_are_none(http, server, photo, hole, fields, status, message):
    answer = post(http, server, encoded(photo, "PNG"), encoded(hole, "PNG"), **fields)
    assert answer.status_code == status
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    ("photo_file", "mask_file", "message"),
    [
        (b"", b"", "photo"),
        (b"no photo", b"no mask", "photo: is no JPEG, PNG"),
        ("good", b"no mask", "mask: is no JPEG, PNG"),
        ("cut", "good", "photo: cannot be read"),
        ("good", "nothing", "the mask has no hole"),
    ],
)
def test_files_that_cannot_be_used(http, server, photo, hole, photo_file, mask_file, message):
    files = {
        "good": encoded(photo, "PNG"),
        "cut": encoded(photo, "PNG")[:3000],
        "nothing": encoded(np.zeros_like(hole), "PNG"),
    }
    good_mask = encoded(hole, "PNG")
    mask = good_mask if mask_file == "good" else files.get(mask_file, mask_file)
    answer = post(http, server, files.get(photo_file, photo_file), mask)
    assert answer.status_code == 422, answer.text
    assert message in answer.json()["error"]
    assert str(server.scratch) not in answer.text


def test_forms_that_are_none(http, server, photo):
    url = f"{server.url}/complete"
    file = encoded(photo, "PNG")
    assert http.post(url).status_code == 415
    assert http.post(url, json={}).status_code == 415
    bare = {"content-type": "multipart/form-data"}
    assert http.post(url, data=b"x", headers=bare).status_code == 400
    broken = {"content-type": "multipart/form-data; boundary=b"}
    for body in (b"", b"--b\r\n", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"):
        assert http.post(url, data=body, headers=broken).status_code == 400
    assert http.post(url, files={"photo": file}).status_code == 400  # no mask
    twice = [("photo", file), ("photo", file)]
    assert http.post(url, files=twice).status_code == 400
    three = {"photo": file, "mask": file, "more": file}
    assert http.post(url, files=three).status_code == 400
    text = http.post(url, data={"photo": "text", "mask": "alpha"}, files={"x": file})
    assert text.status_code == 400


def test_uploads_are_removed(http, server, photo, hole):
    post(http, server, encoded(photo, "PNG"), encoded(hole, "PNG"))
    post(http, server, b"junk", b"junk")
    left = [path for path in server.scratch.rglob("*") if "upload" in path.name]
    assert left == []


def test_what_fits_is_chosen_among_the_served_models(http, server, photo, hole):
    answer = post(
        http, server, encoded(photo, "PNG"), encoded(hole, "PNG"), model="auto", version=None
    )
    assert answer.status_code == 200, answer.text
    assert any("chosen on" in note for note in json.loads(answer.headers["x-keras-inpaint-notes"]))
    found = np.asarray(opened(answer.content).convert("RGB"))
    np.testing.assert_array_equal(found[hole == 0], photo[hole == 0])


def test_scale_and_texture_reach_the_inpainter(http, server, photo, hole, model_folders):
    import keras_inpaint as ki

    answer = post(
        http, server, encoded(photo, "PNG"), encoded(hole, "PNG"), scale="2", texture="on"
    )
    inpainter = ki.Inpainter(
        *(model_folders / "tiny" / "1",),
        runtime="saved-model",
        blend="poisson",
        scale=2,
        texture="on",
    )
    wanted = inpainter(photo, hole)
    assert not np.array_equal(wanted, ki.Inpainter(inpainter.runtime, blend="poisson")(photo, hole))
    found = np.asarray(opened(answer.content).convert("RGB"))
    assert np.abs(found.astype(int) - wanted).mean() < 1
