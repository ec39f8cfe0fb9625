"""What the OpenAPI description says of bodies and errors that routes read and write by hand."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

JSON = "application/json"

ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}

_MEANINGS = {
    400: "The request does not fit; the message says why",
    401: "The API key is missing or wrong",
    404: "No such model, version or signature",
    408: "The body did not arrive in time",
    413: "Too many bytes or pixels",
    415: "A content type or encoding that is not read",
    421: "The server does not answer to this host name",
    422: "The photo or mask cannot be worked with; the message says why",
    429: "Work and queue are full",
    500: "Internal error; the message names the request in the log",
    503: "The model or the server is not ready, or is stopping",
    504: "Not done in time",
}

READ_ERRORS = (400, 401, 404, 421, 500, 503)
WORK_ERRORS = (400, 401, 404, 408, 413, 415, 421, 429, 500, 503, 504)


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's `responses` for status codes that carry an error.

    Args:
        *codes: Ints, HTTP status codes.
    """
    return {
        code: {"description": _MEANINGS[code], "content": {JSON: {"schema": ERROR}}}
        for code in codes
    }


def json_answer(description: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's `responses` entry of a good answer in JSON.

    Args:
        description: String.
        schema: JSON schema.
    """
    return {200: {"description": description, "content": {JSON: {"schema": schema}}}}


def body(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return FastAPI's `openapi_extra` for a body that the route reads itself.

    Args:
        schemas: From content type to JSON schema.
    """
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI, with_key: bool) -> dict[str, Any]:
    """Return an application's OpenAPI description.

    Args:
        app: The application.
        with_key: Bool, whether requests need the API key.
    """
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    if with_key:
        document.setdefault("components", {})["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer"}
        }
        document["security"] = [{"key": []}]
    for path in document["paths"].values():
        for operation in path.values():
            # FastAPI's own shape of validation errors; here they are 400 with "error".
            answer = operation["responses"].get("422", {})
            schema = answer.get("content", {}).get(JSON, {}).get("schema", {})
            if "$ref" in schema:
                del operation["responses"]["422"]
    schemas = document.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document
