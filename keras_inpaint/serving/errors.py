"""What can be wrong with a request, and the HTTP status that says so."""

from fastapi import HTTPException


class ServingError(HTTPException):
    """A request that is not answered as asked, told to its sender in one sentence.

    Args:
        status: Int, HTTP status of the answer.
        message: String that says what is wrong, with the value that came; it is sent.
        retry_after: Int, seconds after which trying again makes sense, or None.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(status, message)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.detail)


class ClientGone(ServingError):
    """Who asked is not there any more; nobody reads an answer, and the log says 499."""

    def __init__(self) -> None:
        super().__init__(499, "the client has gone")
