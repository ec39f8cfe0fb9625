"""What can go wrong with a request, and the HTTP and gRPC code that says so."""

from http import HTTPStatus

_GRPC_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class ServingError(Exception):
    """A request that cannot be answered, told to its sender in one sentence.

    Args:
        message: String that says what is wrong, with the value that came; it is sent.
        status: Int, HTTP status of the answer.
        retry_after: Int, seconds after which trying again makes sense, or None.
    """

    status = 500

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
        self.retry_after = retry_after

    @property
    def grpc_code(self) -> str:
        """Name of the gRPC status code that corresponds to the HTTP status."""
        return _GRPC_CODES.get(self.status, "INTERNAL")

    @property
    def reason(self) -> str:
        """The HTTP status in words."""
        return HTTPStatus(self.status).phrase


class BadRequest(ServingError):
    """What came cannot be understood, or does not fit the model."""

    status = 400


class Unauthorized(ServingError):
    """The API key is missing or wrong."""

    status = 401


class NotFound(ServingError):
    """No such model, version or signature."""

    status = 404


class TooLarge(ServingError):
    """More bytes or pixels than the server takes."""

    status = 413


class Unsupported(ServingError):
    """A content type or encoding that the server does not read."""

    status = 415


class Busy(ServingError):
    """More requests than the server queues."""

    status = 429


class NotReady(ServingError):
    """The server or the model is starting or stopping."""

    status = 503


class TimedOut(ServingError):
    """The request took longer than the server allows."""

    status = 504
