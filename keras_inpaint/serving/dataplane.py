"""KServe's data plane over the registry: reading, inference, metadata, for HTTP and gRPC."""

from typing import Any

import keras_inpaint
from keras_inpaint.serving import oip, tf_rest
from keras_inpaint.serving.completion_model import CompletionModel
from keras_inpaint.serving.gate import Gate
from keras_inpaint.serving.kserve_sdk import DataPlane, InferRequest
from keras_inpaint.serving.registry import ModelRegistry

SERVER_NAME = "keras-inpaint"
PLATFORM = "tensorflow_savedmodel"


class ModelDataPlane(DataPlane):
    """What KServe's endpoints ask, answered with versions and without loading on demand.

    Args:
        registry: The models.
        gate: Tells whether the server is stopping.
    """

    def __init__(self, registry: ModelRegistry, gate: Gate) -> None:
        super().__init__(registry)
        self._registry = registry
        self._gate = gate

    async def get_model(self, name: str) -> CompletionModel:
        """Return a served model by KServe's one name, `NAME` or `NAME/VERSION`.

        Raises:
            NotFound: If it is not known.
            NotReady: If it is not served (yet).
        """
        base, _, version = name.partition("/")
        return self._registry.find(base, int(version) if version else None)

    def decode(
        self,
        body: bytes,
        headers: dict[str, str],
        protocol_version: str = "v1",
        model_name: str = "",
    ) -> tuple[dict[str, Any] | InferRequest, dict[str, Any]]:
        """Read a request.

        Args:
            body: Bytes.
            headers: Lower-case names to values.
            protocol_version: String, `"v1"` or `"v2"`.
            model_name: String.

        Returns:
            A JSON object for `"v1"`, a request for `"v2"`; and no attributes.

        Raises:
            BadRequest: If it cannot be read.
        """
        if protocol_version == "v2":
            return oip.read_request(body, headers, model_name), {}
        return tf_rest.parse_body(body), {}

    def metadata(self) -> dict[str, Any]:
        """Return the server's name, version and protocol extensions."""
        return {
            "name": SERVER_NAME,
            "version": keras_inpaint.__version__,
            "extensions": ["binary_tensor_data"],
        }

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        """Return the name, versions, inputs and outputs of a model's default signature.

        Args:
            model_name: String, `NAME` or `NAME/VERSION`.
        """
        model = await self.get_model(model_name)
        return {
            "name": model.model_name,
            "versions": [str(version) for version in self._registry.available(model.model_name)],
            "platform": PLATFORM,
            "inputs": model.get_input_types(),
            "outputs": model.get_output_types(),
        }

    async def ready(self) -> bool:
        """Return whether every model is served and the server is not stopping."""
        return self._registry.is_ready and not self._gate.draining

    async def model_ready(
        self, model_name: str, disable_predictor_health_check: bool = False
    ) -> bool:
        """Return whether a model is served.

        Args:
            model_name: String, `NAME` or `NAME/VERSION`.
            disable_predictor_health_check: Not used.

        Raises:
            NotFound: If it is not known.
        """
        base, _, version = model_name.partition("/")
        self._registry.status(base, int(version) if version else None)
        model = self._registry.get_model(model_name)
        return model is not None and await model.healthy() and not self._gate.draining
