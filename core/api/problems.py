"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from core.errors import DeskError, InvalidRequest, RequestError, StoreAway, TooManyAttempts

log = structlog.get_logger()


def problem(
    status: int,
    detail: str,
    *,
    title: str | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem answer; ``errors`` name fields."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = [dict(error) for error in errors]
    return JSONResponse(
        body, status, headers=dict(headers or {}), media_type="application/problem+json"
    )


_PROBLEMS = {
    400: "The body is no JSON",
    401: "Not signed in",
    403: "Not allowed",
    404: "Unknown page, link, run or other thing",
    409: "It is there already, or was changed meanwhile",
    413: "The body is too large",
    422: "A field has an unusable value",
    429: "Too many attempts",
    431: "The headers are too long",
    503: "The document store does not answer",
}


def documented_problems() -> dict[int | str, dict[str, Any]]:
    """What any call may answer beside what it is for, for the OpenAPI document."""
    text = {"type": "string"}
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "errors": {
                "type": "array",
                "items": {"type": "object", "properties": {"field": text, "message": text}},
            },
        },
    }
    return {
        status: {"description": words, "content": {"application/problem+json": {"schema": schema}}}
        for status, words in _PROBLEMS.items()
    }


def answer_problems(app: FastAPI) -> None:
    """Make every error of ``app`` a problem answer."""

    @app.exception_handler(RequestError)
    def request_error(_: Request, error: RequestError) -> JSONResponse:
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
        if isinstance(error, TooManyAttempts):
            headers = {"Retry-After": str(error.retry_after)}
        errors = []
        if isinstance(error, InvalidRequest):
            errors = [{"field": error.field, "message": str(error)}]
        return problem(error.status, str(error), title=error.title, errors=errors, headers=headers)

    @app.exception_handler(RequestValidationError)
    def validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        if any(item["type"] == "json_invalid" for item in found):
            reason = next(i for i in found if i["type"] == "json_invalid")
            where = reason["loc"][-1] if reason["loc"] else 0
            what = reason.get("ctx", {}).get("error", "not valid JSON")
            return problem(
                400, f"The body is not valid JSON: {what} (at character {where}).", title="Bad JSON"
            )
        errors = [{"field": _field(item["loc"]), "message": _words(item)} for item in found]
        detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
        return problem(422, detail, title="Invalid field", errors=errors)

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> JSONResponse:
        details = {
            404: f"There is nothing at {request.url.path}. /api/docs lists the calls.",
            405: f"{request.method} is not possible here. /api/docs lists the calls.",
            400: "The body could not be read: send JSON in UTF-8, not nested too deep.",
        }
        detail = details.get(error.status_code, str(error.detail))
        return problem(error.status_code, detail, headers=error.headers)

    @app.exception_handler(PyMongoError)
    def store_error(_: Request, error: PyMongoError) -> JSONResponse:
        log.error("The document store failed", error=type(error).__name__)
        return problem(
            503,
            "The document store does not answer; nothing was changed. Try again shortly.",
            title=StoreAway.title,
            headers={"Retry-After": "5"},
        )

    @app.exception_handler(DeskError)
    def desk_error(_: Request, error: DeskError) -> JSONResponse:
        return problem(500, str(error))

    @app.exception_handler(Exception)
    def unexpected(_: Request, __: Exception) -> JSONResponse:
        # Starlette raises it on to the server, which logs it; nothing of it goes out.
        return problem(500, "Something went wrong inside the product; its log has the details.")


def _field(location: Sequence[str | int]) -> str:
    inner = [str(part) for part in location if part not in ("body", "query", "path")]
    return ".".join(inner) or "body"


def _words(item: Mapping[str, Any]) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:] if message else "is not usable"
