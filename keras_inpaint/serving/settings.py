"""What a server is told at its start: addresses, limits, batching, who may ask."""

import dataclasses
import math

from keras_inpaint.serving.loopback import is_loopback

#: Environment variable that holds the API key.
API_KEY_VARIABLE = "KERAS_INPAINT_API_KEY"

#: Names by which a machine calls itself.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

#: A call costs some milliseconds whatever its size. From about here on a processor spends more on
#: the photo itself, and joining photos only makes the first of them wait for the last.
_PROCESSOR_BATCH_PIXELS = 256 * 256

_POSITIVE = (
    "max_batch_size",
    "inference_threads",
    "max_body_bytes",
    "max_photo_pixels",
    "max_tensor_pixels",
    "max_concurrency",
    "request_seconds",
    "body_seconds",
    "grace_seconds",
    "grpc_max_message_bytes",
)
_NOT_NEGATIVE = ("max_queue", "batch_window_seconds", "poll_seconds", "drain_seconds")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything about a server but its models.

    Attributes:
        host: String, address to listen on.
        port: Int, HTTP port; 0 takes a free one.
        grpc_port: Int, gRPC port; 0 takes a free one, None serves no gRPC.
        max_batch_size: Int, most photos completed in one call of the network; 1 turns
            batching off.
        max_batch_pixels: Int, most pixels of a batch; None takes 256 * 256 on processors, where
            one such photo already keeps them busy, and `max_tensor_pixels` on an accelerator.
        batch_window_seconds: Float, how long the first of a batch waits for others.
        inference_threads: Int, calls of networks at a time. Two keep the processors busy where
            one alone would wait for its slowest thread.
        processor_threads: Int, threads that share one operation of a call, or None for
            TensorFlow's choice: as many as the machine has processors.
        max_body_bytes: Int, largest HTTP request body.
        max_photo_pixels: Int, largest photo that `/complete` takes.
        max_tensor_pixels: Int, most pixels (batch times height times width) of one tensor
            request.
        max_concurrency: Int, requests in work at a time.
        max_queue: Int, further requests that may wait.
        request_seconds: Float, longest time in work and in the queue.
        body_seconds: Float, longest time that a body may take to arrive.
        drain_seconds: Float, how long a stopping server still takes new requests while it
            says that it is not ready, so that load balancers turn away from it.
        grace_seconds: Float, how long a stopping server waits for what is in work.
        poll_seconds: Float, how often the model folders are searched for new versions; 0
            never.
        grpc_max_message_bytes: Int, largest gRPC message, both ways.
        allow_origins: Tuple of strings, web origins that may ask (CORS); none by default.
        allowed_hosts: Tuple of strings, names in the `Host` header that are answered. Empty
            means loopback names where the server listens on loopback, else any.
        api_key: String that every request but health checks must carry, or None.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    grpc_port: int | None = 8500
    max_batch_size: int = 8
    max_batch_pixels: int | None = None
    batch_window_seconds: float = 0.005
    inference_threads: int = 2
    processor_threads: int | None = None
    max_body_bytes: int = 32 * 2**20
    max_photo_pixels: int = 40_000_000
    max_tensor_pixels: int = 4 * 2**20
    max_concurrency: int = 16
    max_queue: int = 64
    request_seconds: float = 120.0
    body_seconds: float = 30.0
    drain_seconds: float = 1.0
    grace_seconds: float = 30.0
    poll_seconds: float = 10.0
    grpc_max_message_bytes: int = 32 * 2**20
    allow_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    api_key: str | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in _POSITIVE + _NOT_NEGATIVE:
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0 or (value == 0 and name in _POSITIVE):
                bound = "above 0" if name in _POSITIVE else "0 or more"
                raise ValueError(f"{name} must be {bound}, got {value}")
        for name in ("processor_threads", "max_batch_pixels"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be above 0, got {value}")
        if self.max_concurrency < self.max_batch_size:
            raise ValueError(
                f"max_concurrency ({self.max_concurrency}) must not be less than max_batch_size "
                f"({self.max_batch_size}): a batch is made of requests in work"
            )
        for name in ("port", "grpc_port"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 65535:
                raise ValueError(f"{name} must be 0 to 65535, got {value}")
        if self.grpc_port == self.port and self.port:
            raise ValueError(f"port and grpc_port must differ, both are {self.port}")
        if self.api_key is not None and (not self.api_key.strip() or not self.api_key.isascii()):
            raise ValueError(f"{API_KEY_VARIABLE} must be ASCII text, and not blank")

    def batch_pixels(self, on_accelerator: bool) -> int:
        """Return the most pixels of a batch.

        Args:
            on_accelerator: Bool, whether networks run on a GPU or TPU.
        """
        if self.max_batch_pixels is not None:
            return self.max_batch_pixels
        return self.max_tensor_pixels if on_accelerator else _PROCESSOR_BATCH_PIXELS

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def answered_hosts(self) -> tuple[str, ...]:
        """Host names that are answered; empty means any.

        A server on loopback that answered to any name could be read by a web page through a
        name that its owner points at 127.0.0.1 (DNS rebinding).
        """
        if self.allowed_hosts:
            return () if "*" in self.allowed_hosts else self.allowed_hosts
        return (*LOOPBACK_NAMES, self.host) if self.on_loopback else ()
