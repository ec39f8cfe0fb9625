"""Complete a photo with TensorFlow Serving, over its REST or its gRPC interface.

    python client.py rest PHOTO MASK RESULT.png --url http://127.0.0.1:8501 --model faces
    python client.py grpc PHOTO MASK RESULT.png --address 127.0.0.1:8500 --model faces

White in the mask is the hole. Both send the unchanged files to the signature `complete_bytes` and
receive a PNG. REST requires `requests`; gRPC requires `tensorflow-serving-api`. `--arrays` sends
pixels to the signature `complete` instead and requires `numpy` and `pillow`.
"""

import argparse
import base64
import sys
from pathlib import Path

SECONDS = 60.0


def main() -> int:
    """Parse the command line, complete the photo and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("protocol", choices=["rest", "grpc"])
    parser.add_argument("photo", type=Path, help="JPEG, PNG, GIF or BMP")
    parser.add_argument("mask", type=Path, help="of the photo's size, white in the hole")
    parser.add_argument("result", type=Path, help="PNG to write")
    parser.add_argument("--url", default="http://127.0.0.1:8501")
    parser.add_argument("--address", default="127.0.0.1:8500")
    parser.add_argument("--model", default="faces")
    parser.add_argument("--version", type=int, help="default: the highest served version")
    parser.add_argument("--arrays", action="store_true", help="send pixels instead of files")
    parser.add_argument(
        "--header", action="append", default=[], metavar="NAME: VALUE", help="for a proxy"
    )
    options = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in options.header)
    if options.protocol == "rest":
        service = Rest(options.url, options.model, options.version, headers)
    else:
        service = Rpc(options.address, options.model, options.version, headers)
    complete = complete_arrays if options.arrays else complete_files
    try:
        contents = complete(service, options.photo.read_bytes(), options.mask.read_bytes())
    except RuntimeError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    options.result.write_bytes(contents)
    return 0


class Rest:
    """A client of `POST /v1/models/NAME:predict`, with rows in JSON.

    Args:
        url: String, scheme, host and port.
        model: String, the model's name.
        version: Int, or None for the highest served version.
        headers: Dict of additional headers.
    """

    def __init__(
        self, url: str, model: str, version: int | None = None, headers: dict | None = None
    ) -> None:
        rest = f"/versions/{version}" if version is not None else ""
        self._url = f"{url.rstrip('/')}/v1/models/{model}{rest}:predict"
        self._headers = headers or {}

    def predict(self, signature: str, row: dict) -> object:
        """Return the prediction for one row.

        Args:
            signature: String, the signature's name.
            row: Dict from input name to bytes or an array, without the batch axis.

        Returns:
            Bytes, or nested lists of numbers.

        Raises:
            RuntimeError: If the server returns an error.
        """
        import requests

        values = {name: _to_json(value) for name, value in row.items()}
        payload = {"signature_name": signature, "instances": [values]}
        answer = requests.post(self._url, json=payload, headers=self._headers, timeout=SECONDS)
        if not answer.ok:
            raise RuntimeError(f"{answer.status_code}: {answer.json().get('error', answer.text)}")
        prediction = answer.json()["predictions"][0]
        # A single output is returned bare, several as an object; strings as {"b64": ...}.
        return base64.b64decode(prediction["b64"]) if isinstance(prediction, dict) else prediction


class Rpc:
    """A client of `tensorflow.serving.PredictionService/Predict`.

    Args:
        address: String, host and port.
        model: String, the model's name.
        version: Int, or None for the highest served version.
        headers: Dict of additional metadata.
    """

    def __init__(
        self, address: str, model: str, version: int | None = None, headers: dict | None = None
    ) -> None:
        self._address, self._model, self._version = address, model, version
        self._metadata = [(name.lower(), value) for name, value in (headers or {}).items()]

    def predict(self, signature: str, row: dict) -> object:
        """Return the prediction for one row; see `Rest.predict`."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        request.model_spec.signature_name = signature
        if self._version is not None:
            request.model_spec.version.value = self._version
        for name, value in row.items():
            batch = [value] if isinstance(value, bytes) else value[None]
            request.inputs[name].CopyFrom(tf.make_tensor_proto(batch))
        # gRPC's default limit for a response is 4 MiB; a photo may be larger.
        limits = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
        with grpc.insecure_channel(self._address, options=limits) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            try:
                answer = stub.Predict(request, timeout=SECONDS, metadata=self._metadata)
            except grpc.RpcError as error:
                raise RuntimeError(f"{error.code().name}: {error.details()}") from error
        (output,) = answer.outputs.values()
        return tf.make_ndarray(output)[0]


def complete_files(service: Rest | Rpc, photo: bytes, mask: bytes) -> bytes:
    """Return the completed photo as a PNG file.

    Args:
        service: The client.
        photo: Contents of a JPEG, PNG, GIF or BMP file.
        mask: Contents of a file of the same size, white in the hole.
    """
    return service.predict("complete_bytes", {"image": photo, "mask": mask})


def complete_arrays(service: Rest | Rpc, photo: bytes, mask: bytes) -> bytes:
    """Return the completed photo; pixels take several times the bytes, and even more in JSON."""
    import io

    import numpy as np
    from PIL import Image

    image = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB"))
    hole = np.asarray(Image.open(io.BytesIO(mask)).convert("L")) >= 128
    row = {"image": image, "mask": hole[..., None].astype(np.uint8)}
    completed = np.asarray(service.predict("complete", row), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(completed).save(stream, "PNG")
    return stream.getvalue()


def _to_json(value: object) -> object:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value.tolist()


if __name__ == "__main__":
    sys.exit(main())
