"""Errors as `application/problem+json`: one sentence that a person can act on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from hil.domain.errors import (
    EditConflict,
    HilError,
    Impossible,
    InvalidInput,
    NotFound,
    Problem,
    QueueFull,
)

MEDIA_TYPE = "application/problem+json"
# A client needs the first few to mend its input; a bad file of 100,000 rows must not echo all.
MAX_PROBLEMS = 100

_STATUS: tuple[tuple[type[HilError], int], ...] = (
    (InvalidInput, 422),
    (NotFound, 404),
    (Impossible, 409),
    (EditConflict, 412),
    (QueueFull, 429),
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemBody:
    """RFC 9457. `problems` lists what is wrong with an input, at most the first 100."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    problems: Sequence[Problem] = field(default=())


class Refused(Exception):
    """A request that is turned away with this status and sentence."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem_response(
    status: int,
    detail: str,
    *,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response that says what is wrong."""
    shown = tuple(
        Problem(where=_text(one.where), why=_text(one.why), line=one.line)
        for one in problems[:MAX_PROBLEMS]
    )
    body = ProblemBody(
        title=HTTPStatus(status).phrase, status=status, detail=_text(detail), problems=shown
    )
    return Response(
        orjson.dumps(body),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def add_problem_handlers(app: FastAPI, *, headers: Mapping[str, str]) -> None:
    """Answer every error of a route as a problem; `headers` go on those that no middleware sees."""

    async def on_bug(request: Request, error: Exception) -> Response:
        path = request.url.path
        _log.error("request failed method=%s path=%r error=%r", request.method, path, error)
        detail = "The server made a mistake; its log says more."
        return problem_response(500, detail, headers=headers)

    app.add_exception_handler(HilError, _on_hil_error)
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, on_bug)


def problem_docs(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        for status in statuses
    }


def _text(text: str) -> str:
    """Encodable text: half of a surrogate pair, as some inputs carry, becomes a question mark."""
    return text.encode(errors="replace").decode()


async def _on_hil_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HilError)
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 503)
    problems = error.problems if isinstance(error, InvalidInput) else ()
    headers = {"Retry-After": "1"} if status in {429, 503} else None
    return problem_response(status, str(error.args[0]), problems=problems, headers=headers)


async def _on_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem_response(error.status, error.detail, headers=error.headers)


async def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = problems_of(error.errors())
    return problem_response(422, "The request has a wrong or missing value.", problems=problems)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {
        404: f"There is nothing at {request.url.path}.",
        405: f"{request.method} is not possible at {request.url.path}.",
    }
    detail = sentences.get(error.status_code, str(error.detail))
    return problem_response(error.status_code, detail, headers=error.headers)


def problems_of(errors: Sequence[Any]) -> tuple[Problem, ...]:
    """What pydantic found, as places and reasons."""
    return tuple(
        Problem(
            where=".".join(str(part) for part in error["loc"]) or "body",
            why=str(error["msg"]).removeprefix("Value error, "),
        )
        for error in errors
    )
