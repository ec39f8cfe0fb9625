"""Clients of the load test: good and bad requests, each with the answer that is right."""

import base64
import io
import random
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import numpy as np
import requests
import tritonclient.grpc as triton
from PIL import Image
from tritonclient.utils import InferenceServerException

SECONDS = 120


@dataclass
class Job:
    """A photo with its hole, and what the network makes of it.

    Attributes:
        image: Uint8 `(height, width, 3)`.
        mask: Uint8 `(height, width)`, 255 in the hole.
        wanted: Uint8 `(height, width, 3)`.
    """

    image: np.ndarray
    mask: np.ndarray
    wanted: np.ndarray | None = None

    def is_right(self, found: np.ndarray) -> bool:
        """Tell whether an answer is right: exact outside, float rounding inside."""
        if self.wanted is None or found.shape != self.image.shape:
            return False
        known = self.mask == 0
        if not (found[known] == self.image[known]).all():
            return False
        return int(np.abs(found.astype(np.int16) - self.wanted).max()) <= 1


@dataclass
class Tally:
    """What a client saw, one entry a request: kind, seconds, whether it was right."""

    good: list[tuple[str, float]] = field(default_factory=list)
    bad: list[tuple[str, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def make_jobs(size: int, count: int, seed: int = 0) -> list[Job]:
    """Return photos of one size with a hole of a quarter of a side each.

    Args:
        size: Int, side in pixels.
        count: Int, how many.
        seed: Int.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] * (255 / size)
    jobs = []
    for _ in range(count):
        base = np.stack([x, y, 255 - x], axis=-1) + rng.normal(0, 12, (size, size, 3))
        mask = np.zeros((size, size), np.uint8)
        top, left = rng.integers(0, size - size // 4, 2)
        mask[top : top + size // 4, left : left + size // 4] = 255
        jobs.append(Job(np.clip(base, 0, 255).astype(np.uint8), mask))
    return jobs


class Client(threading.Thread):
    """Sends one request after the other until told to stop.

    Args:
        http: String, URL of the server.
        rpc: String, gRPC address.
        name: String, the model.
        jobs: What to ask for.
        kinds: Names of requests to choose from; see `GOOD` and `BAD`.
        bad_share: Float, share of bad requests.
        seed: Int.
    """

    def __init__(
        self,
        http: str,
        rpc: str,
        name: str,
        jobs: list[Job],
        kinds: tuple[str, ...],
        bad_share: float,
        seed: int,
    ) -> None:
        super().__init__(daemon=True)
        self.http, self.model, self.jobs = http, name, jobs
        self.kinds, self.bad_share = kinds, bad_share
        self.random = random.Random(seed)
        self.session = requests.Session()
        self.rpc = triton.InferenceServerClient(rpc)
        self.tally = Tally()
        self.end = threading.Event()

    def run(self) -> None:
        """Ask and check, until `end` is set."""
        while not self.end.is_set():
            if self.random.random() < self.bad_share:
                kind = self.random.choice(list(BAD))
                self._once(kind, BAD[kind], self.tally.bad)
            else:
                kind = self.random.choice(self.kinds)
                self._once(kind, GOOD[kind], self.tally.good)
        self.session.close()
        self.rpc.close()

    def _once(
        self,
        kind: str,
        ask: Callable[["Client", Job], bool],
        entries: list[tuple[str, float]],
    ) -> None:
        job = self.random.choice(self.jobs)
        began = time.perf_counter()
        try:
            right = ask(self, job)
        except (requests.RequestException, InferenceServerException, ValueError, OSError) as error:
            self.tally.wrong.append(f"{kind}: {error}"[:300])
            return
        if right:
            entries.append((kind, time.perf_counter() - began))
        else:
            self.tally.wrong.append(f"{kind}: not the answer that is right")

    def post(self, path: str, **options: object) -> requests.Response:
        """Send a request and return the answer."""
        return self.session.post(f"{self.http}{path}", timeout=SECONDS, **options)


def encoded(pixels: np.ndarray) -> bytes:
    """Return an array as a PNG file, compressed little."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def decoded(contents: bytes) -> np.ndarray:
    """Return an image file as an RGB array."""
    return np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))


def tensors(image: np.ndarray, mask: np.ndarray) -> list[triton.InferInput]:
    """Return a photo and its mask as the tensors of a request."""
    inputs = []
    for name, array in (("image", image[None]), ("mask", mask[None, ..., None])):
        tensor = triton.InferInput(name, list(array.shape), "UINT8")
        tensor.set_data_from_numpy(np.ascontiguousarray(array))
        inputs.append(tensor)
    return inputs


def ask_grpc(client: Client, job: Job) -> bool:
    """Arrays over gRPC."""
    answer = client.rpc.infer(
        client.model, tensors(job.image, job.mask), client_timeout=SECONDS
    ).as_numpy("completed")
    if job.wanted is None:
        job.wanted = answer[0]
    return job.is_right(answer[0])


def ask_rest(client: Client, job: Job) -> bool:
    """Files as base64 over TensorFlow Serving's REST protocol."""
    answer = client.post(f"/v1/models/{client.model}:predict", json=_row(job))
    contents = base64.b64decode(answer.json()["predictions"][0]["b64"])
    return answer.status_code == 200 and job.is_right(decoded(contents))


def ask_upload(client: Client, job: Job) -> bool:
    """Files over `/complete`."""
    files = {"photo": encoded(job.image), "mask": encoded(job.mask)}
    answer = client.post("/complete", files=files)
    return answer.status_code == 200 and job.is_right(decoded(answer.content))


def bad_file(client: Client, job: Job) -> bool:
    """A photo that is cut off."""
    files = {"photo": encoded(job.image)[:-1000], "mask": encoded(job.mask)}
    answer = client.post("/complete", files=files)
    return answer.status_code == 422 and "photo" in answer.json()["error"]


def bad_base64(client: Client, job: Job) -> bool:
    """A string that is no image."""
    payload = _row(job)
    payload["instances"][0]["image"] = {"b64": base64.b64encode(b"no photo").decode()}
    answer = client.post(f"/v1/models/{client.model}:predict", json=payload)
    return answer.status_code == 400 and "index 0" in answer.json()["error"]


def bad_json(client: Client, job: Job) -> bool:
    """A body that ends early."""
    answer = client.post(f"/v1/models/{client.model}:predict", data=b'{"instances": [[[')
    return answer.status_code == 400 and "JSON" in answer.json()["error"]


def bad_model(client: Client, job: Job) -> bool:
    """A model that is not served."""
    answer = client.post("/v1/models/nobody:predict", json={"instances": []})
    return answer.status_code == 404


def bad_shape(client: Client, job: Job) -> bool:
    """A mask of another size, over gRPC."""
    try:
        client.rpc.infer(client.model, tensors(job.image, job.mask[:, :-4]), client_timeout=SECONDS)
    except InferenceServerException as error:
        return str(grpc.StatusCode.INVALID_ARGUMENT) in str(error)
    return False


def bad_size(client: Client, job: Job) -> bool:
    """A file that declares more pixels than are taken."""
    huge = bytearray(encoded(job.mask[:8, :8]))
    huge[16:24] = b"\x00\x00\xea\x60" * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    answer = client.post("/complete", files={"photo": bytes(huge), "mask": bytes(huge)})
    return answer.status_code == 413


def _row(job: Job) -> dict:
    row = {
        "image": {"b64": base64.b64encode(encoded(job.image)).decode()},
        "mask": {"b64": base64.b64encode(encoded(job.mask)).decode()},
    }
    return {"signature_name": "complete_bytes", "instances": [row]}


GOOD = {"grpc": ask_grpc, "rest": ask_rest, "upload": ask_upload}
BAD = {
    "cut file": bad_file,
    "bad base64": bad_base64,
    "bad json": bad_json,
    "no model": bad_model,
    "bad shape": bad_shape,
    "too large": bad_size,
}
