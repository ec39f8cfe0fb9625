"""Errors of requests, with their HTTP status."""

from fastapi import HTTPException


class ServingError(HTTPException):
    """A request that failed.

    Args:
        status: Int, HTTP status of the response.
        message: String, one sentence that names the wrong value; it is sent to the client.
        retry_after: Int, seconds after which to retry, or None.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(status, message)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.detail)


class ClientGone(ServingError):
    """The client has disconnected; nothing is sent, and the log has the status 499."""

    def __init__(self) -> None:
        super().__init__(499, "the client has disconnected")
