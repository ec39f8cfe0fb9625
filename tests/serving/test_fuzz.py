"""Requests that nobody meant: from the OpenAPI description, and from mutated files."""

import io
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from PIL import Image

requests = pytest.importorskip("requests", reason="pip install 'keras-inpaint[test-all]'")
schemathesis = pytest.importorskip("schemathesis", reason="pip install 'keras-inpaint[test-all]'")

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

CLEAR = {200, 400, 404, 405, 408, 413, 422, 429}


@pytest.fixture(scope="module")
def operations(server):
    """What the server's OpenAPI description offers, as schemathesis reads it."""
    document = schemathesis.openapi.from_url(
        f"{server.url}/openapi.json", headers=server.headers, timeout=60
    )
    document.config.update(base_url=server.url)
    return [result.ok() for result in document.get_all_operations()]


def explore(operations, server, examples):
    """Send what the description allows, and what it does not, to each operation."""
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def check(case):
                ask(case, server)

            try:
                check()
            except Unsatisfiable:  # nothing can be wrong with a request without parameters
                assert mode is schemathesis.GenerationMode.NEGATIVE
    assert len(operations) >= 5


def ask(case, server):
    from schemathesis.specs.openapi import checks

    response = case.call(headers=server.headers, timeout=120)
    assert response.status_code < 500, response.text[:500]
    case.validate_response(
        response,
        checks=[
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
        ],
    )


def test_the_description_holds(server, operations):
    explore(operations, server, 3)


@pytest.mark.slow
def test_the_description_holds_for_long(server, operations):
    explore(operations, server, 100)


def seeds():
    """Good files of many kinds."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[0:40, 0:52]
    colour = np.stack([4 * x, 5 * y, 255 - 3 * x], axis=-1).clip(0, 255).astype(np.uint8)
    colour = np.clip(colour + rng.normal(0, 8, colour.shape), 0, 255).astype(np.uint8)
    picture = Image.fromarray(colour)
    exif = Image.Exif()
    exif[274] = 6
    kinds = [
        (picture, "JPEG", {"quality": 85, "exif": exif, "dpi": (72, 72)}),
        (picture, "JPEG", {"progressive": True}),
        (picture.convert("CMYK"), "JPEG", {}),
        (picture, "PNG", {}),
        (picture.convert("P"), "PNG", {}),
        (picture.convert("LA"), "PNG", {}),
        (Image.fromarray(257 * colour[..., 0].astype(np.uint16)), "PNG", {}),
        (picture, "WEBP", {"lossless": True}),
        (picture, "WEBP", {"quality": 70}),
        (picture, "TIFF", {"compression": "tiff_lzw"}),
        (picture, "TIFF", {"compression": "jpeg"}),
        (picture, "BMP", {}),
        (picture, "GIF", {}),
    ]
    for image, kind, options in kinds:
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        yield stream.getvalue()


def mask_file():
    mask = np.zeros((40, 52), np.uint8)
    mask[10:25, 15:35] = 255
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    return stream.getvalue()


def mutated(contents, rng, files):
    """Return a file with some of its bytes changed."""
    data = bytearray(contents)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) or 1)
        # Headers and lengths are at the front: look there half of the time.
        at = rng.randrange(min(len(data), 64) or 1) if rng.random() < 0.5 else at
        kind = rng.randrange(8)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at : at + 1] = rng.randbytes(1)
        elif kind == 2:
            data[at : at + 4] = rng.choice([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff"])
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randint(1, 200))
        elif kind == 4:
            del data[at : at + rng.randint(1, 50)]
        elif kind == 5:
            other = rng.choice(files)
            data[at:] = other[rng.randrange(len(other)) :]
        elif kind == 6:
            data += data[: rng.randint(1, len(data) or 1)]
        else:
            data[at : at + 200] = bytes(200)
    return bytes(data)


def upload(server, photo, mask):
    return requests.post(
        f"{server.url}/complete",
        files={"photo": photo, "mask": mask},
        data={"model": "tiny"},
        headers=server.headers,
        timeout=120,
    )


def bombard(server, count, seed):
    rng = random.Random(seed)
    files, mask = list(seeds()), mask_file()
    codes = {}
    for number in range(count):
        photo, hole = rng.choice(files), mask
        if rng.random() < 0.75:
            photo = mutated(photo, rng, files)
        else:
            hole = mutated(mask, rng, files)
        answer = upload(server, photo, hole)
        assert answer.status_code in CLEAR, f"{seed}/{number}: {answer.text[:500]}"
        if answer.status_code != 200:
            assert answer.json().keys() == {"error"}
            assert str(server.scratch) not in answer.text
        codes[answer.status_code] = codes.get(answer.status_code, 0) + 1
    assert server.is_alive
    assert requests.get(f"{server.url}/health/ready", timeout=60).ok
    return codes


def test_mutated_uploads(server):
    codes = bombard(server, 40, seed=1)
    assert len(codes) > 1  # some are still photos, some are not


@pytest.mark.slow
def test_five_hundred_mutated_uploads(server):
    before = server.resident_bytes()
    codes = bombard(server, 500, seed=2)
    assert codes.get(200, 0) > 20 and codes.get(422, 0) + codes.get(400, 0) > 100
    assert server.resident_bytes() < before + 400 * 2**20
    assert list(server.scratch.rglob("*")) == []
    assert server.writes_outside() == []


def test_every_seed_is_a_good_file(server):
    for contents in seeds():
        answer = upload(server, contents, mask_file())
        if answer.status_code == 422:  # turned by its EXIF orientation
            assert "its size is 52x40" in answer.json()["error"]
        else:
            assert answer.status_code == 200, answer.text


def test_nothing_was_written_outside_the_temporary_folder(server):
    assert server.writes_outside() == []
