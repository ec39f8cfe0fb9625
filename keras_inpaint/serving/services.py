"""What a running server is made of, for the routes to share."""

import asyncio
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keras_inpaint.serving import metrics
from keras_inpaint.serving.batching import Batcher
from keras_inpaint.serving.completion_model import CompletionModel
from keras_inpaint.serving.dataplane import ModelDataPlane
from keras_inpaint.serving.gate import Gate, PixelBudget
from keras_inpaint.serving.registry import ModelRegistry
from keras_inpaint.serving.saved_models import LoadedModel
from keras_inpaint.serving.settings import Settings

#: Requests that are read and answers that are written at a time; bounds memory, and the
#: interpreter does one at a time anyway.
_CODEC_THREADS = 2

#: Photos of the largest size that may be in memory at a time.
_LARGEST_PHOTOS = 2


@dataclasses.dataclass
class Services:
    """The parts of a server.

    Attributes:
        settings: What it was told.
        gate: Admission.
        registry: The models.
        dataplane: KServe's view of them.
        batcher: Where calls are joined.
        codec: Threads that read requests and write answers.
        photos: Threads that complete photo files.
        pixels: Bounds the photos in memory.
        scratch: Folder for uploads and exported models.
        loop: The event loop it runs on.
    """

    settings: Settings
    gate: Gate
    registry: ModelRegistry
    dataplane: ModelDataPlane
    batcher: Batcher
    codec: ThreadPoolExecutor
    photos: ThreadPoolExecutor
    inference: ThreadPoolExecutor
    pixels: PixelBudget
    scratch: Path
    loop: asyncio.AbstractEventLoop

    def served(self, name: str, version: int, loaded: LoadedModel) -> CompletionModel:
        """Return a model that works with these parts.

        Args:
            name: String.
            version: Int.
            loaded: The SavedModel.
        """
        return CompletionModel(
            name,
            version,
            loaded,
            batcher=self.batcher,
            codec=self.codec,
            max_pixels=self.settings.max_tensor_pixels,
            batch_pixels=self.settings.batch_pixels(loaded.on_accelerator),
        )

    def close(self) -> None:
        """Stop the threads; what they are at is not interrupted."""
        for pool in (self.codec, self.photos, self.inference):
            pool.shutdown(wait=False, cancel_futures=True)


def build(settings: Settings, scratch: Path) -> Services:
    """Return the parts of a server; to be called on its event loop.

    Args:
        settings: What it is told.
        scratch: Folder that the server may write to.
    """
    gate = Gate(settings.max_concurrency, settings.max_queue, settings.request_seconds)
    metrics.ADMITTED.set_function(lambda: gate.admitted)
    metrics.IN_WORK.set_function(lambda: gate.in_work)
    registry = ModelRegistry()
    inference = ThreadPoolExecutor(settings.inference_threads, "inference")
    return Services(
        settings=settings,
        gate=gate,
        registry=registry,
        dataplane=ModelDataPlane(registry, gate),
        batcher=Batcher(
            inference,
            slots=settings.inference_threads,
            max_batch_size=settings.max_batch_size,
            window_seconds=settings.batch_window_seconds,
            observe=metrics.observe_batch,
        ),
        codec=ThreadPoolExecutor(_CODEC_THREADS, "codec"),
        photos=ThreadPoolExecutor(max(2, settings.max_batch_size), "photos"),
        inference=inference,
        pixels=PixelBudget(_LARGEST_PHOTOS * settings.max_photo_pixels),
        scratch=scratch,
        loop=asyncio.get_running_loop(),
    )
