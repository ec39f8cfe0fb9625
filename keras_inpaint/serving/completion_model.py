"""A served version of a model: KServe's `Model` over a SavedModel and the batcher."""

import asyncio
import functools
import logging
import time
import uuid
from concurrent.futures import Executor
from typing import Any

from keras_inpaint.serving import metrics, oip, tf_rest
from keras_inpaint.serving.batching import Arrays, Batcher
from keras_inpaint.serving.kserve_sdk import InferRequest, InferResponse, Model
from keras_inpaint.serving.logs import note
from keras_inpaint.serving.saved_models import LoadedModel
from keras_inpaint.serving.signatures import Signature, check_inputs

logger = logging.getLogger(__name__)


class CompletionModel(Model):
    """Answers requests of both protocols with one SavedModel.

    Args:
        name: String, the model's name.
        version: Int.
        loaded: The SavedModel.
        batcher: Where calls are joined.
        codec: Executor in which requests are read and answers written.
        max_pixels: Int, most pixels of a request.
        batch_pixels: Int, most pixels of a batch of several requests.
    """

    def __init__(
        self,
        name: str,
        version: int,
        loaded: LoadedModel,
        *,
        batcher: Batcher,
        codec: Executor,
        max_pixels: int,
        batch_pixels: int,
    ) -> None:
        super().__init__(f"{name}/{version}")
        self.model_name = name
        self.version = version
        self.loaded = loaded
        self.enable_latency_logging = False
        self._batcher = batcher
        self._codec = codec
        self._max_pixels = max_pixels
        self._batch_pixels = batch_pixels
        self.ready = True

    async def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> bytes | InferResponse:
        """Answer a request.

        Args:
            payload: A JSON object of TensorFlow Serving's REST protocol, or a request of the
                Open Inference Protocol.
            headers: Not used.
            response_headers: Not used.

        Returns:
            Bytes of JSON for the first kind, a response for the second.

        Raises:
            ServingError: If the request cannot be answered.
        """
        if isinstance(payload, dict):
            return await self._predict_rest(payload)
        return await self._infer(payload)

    async def _predict_rest(self, payload: dict[str, Any]) -> bytes:
        signature = self.loaded.signature(payload.get("signature_name"))
        arrays = await self._in_codec(self._read_rest, payload, signature)
        results = await self.complete(signature, arrays)
        return await self._in_codec(tf_rest.to_body, dict.fromkeys(payload), results)

    def _read_rest(self, payload: dict[str, Any], signature: Signature) -> Arrays:
        arrays = tf_rest.to_arrays(payload, signature)
        check_inputs(signature, arrays, self._max_pixels)
        return arrays

    async def _infer(self, request: InferRequest) -> InferResponse:
        signature = self.loaded.signature(oip.signature_name(request))
        oip.check_requested(request, signature)
        arrays = await self._in_codec(self._read_oip, request, signature)
        results = await self.complete(signature, arrays)
        return oip.to_response(
            request,
            results,
            request_id=request.id or uuid.uuid4().hex,
            name=self.model_name,
            version=str(self.version),
        )

    def _read_oip(self, request: InferRequest, signature: Signature) -> Arrays:
        arrays = oip.to_arrays(request)
        check_inputs(signature, arrays, self._max_pixels)
        return arrays

    async def _in_codec(self, function, *arguments):  # type: ignore[no-untyped-def]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._codec, function, *arguments)

    async def complete(self, signature: Signature, arrays: Arrays) -> Arrays:
        """Call a signature, together with other requests of the same size where that helps.

        Args:
            signature: One of the model's.
            arrays: As `LoadedModel.check` accepts them.

        Returns:
            From output name to array.
        """
        shapes = tuple(sorted((name, array.shape[1:]) for name, array in arrays.items()))
        note(
            model=self.model_name,
            version=self.version,
            signature=signature.name,
            batch=len(next(iter(arrays.values()))),
            shape=list(next(iter(arrays.values())).shape[1:]),
        )
        if not signature.is_batchable:
            return await self._batcher.submit(object(), arrays, self._call(signature))
        key = (id(self.loaded), signature.name, shapes)
        height, width = shapes[0][1][:2] if len(shapes[0][1]) >= 2 else (1, 1)
        rows = max(1, self._batch_pixels // max(1, height * width))
        return await self._batcher.submit(key, arrays, self._call(signature), max_rows=rows)

    def _call(self, signature: Signature):  # type: ignore[no-untyped-def]
        return functools.partial(self._timed_call, signature)

    def _timed_call(self, signature: Signature, arrays: Arrays) -> Arrays:
        started = time.monotonic()
        try:
            return self.loaded.run(signature, arrays)
        finally:
            metrics.CALL_SECONDS.labels(self.model_name).observe(time.monotonic() - started)

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return the default signature's inputs, as the Open Inference Protocol names them."""
        return [oip.describe(t) for t in self.loaded.signature(None).inputs.values()]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return the default signature's outputs, as the Open Inference Protocol names them."""
        return [oip.describe(t) for t in self.loaded.signature(None).outputs.values()]
