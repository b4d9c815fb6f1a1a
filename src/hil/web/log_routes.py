"""The routes of the log: its last lines, and which level is logged."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hil.api import LogApi
from hil.domain.errors import InvalidInput, Problem
from hil.domain.log_line import LogLevel, LogPage
from hil.web.answer import json_response, large_json_response
from hil.web.arguments import LOG_LEVEL_BODY, Caller
from hil.web.body import json_docs, read_json
from hil.web.problem import problem_docs

# More is a download, and seconds to draw.
MAX_TAIL = 5_000
MAX_TEXT = 200
TODAY = "today"


@dataclass(frozen=True, slots=True)
class LevelAnswer:
    """The least severe level that is logged now."""

    level: LogLevel


def log_routes(logs: LogApi) -> APIRouter:
    """The routes below `/api/v1/logs`."""
    routes = APIRouter(prefix="/logs", tags=["logs"])

    @routes.get("", response_model=LogPage, responses=problem_docs(404, 422, 429))
    async def page(
        request: Request,
        file: Annotated[
            str, Query(description="A site date such as 2026-01-15, or today.")
        ] = TODAY,
        tail: Annotated[int, Query(ge=1, le=MAX_TAIL)] = 500,
        level: Annotated[
            LogLevel | None, Query(description="This level and those above it.")
        ] = None,
        text: Annotated[
            str, Query(max_length=MAX_TEXT, description="What a line contains, in any case.")
        ] = "",
    ) -> Response:
        """The last `tail` lines of a day that match, the oldest first, and which days there are.

        Of a large file only the end is searched: `complete` false says that older lines may match.
        """
        found = await logs.page(_day(file), tail=tail, level=level, text=text)
        return await large_json_response(request, found)

    @routes.put(
        "/level",
        response_model=LevelAnswer,
        responses=problem_docs(400, 403, 413, 415, 422),
        openapi_extra=json_docs("LogLevelBody"),
    )
    async def put_level(request: Request, by: Caller) -> Response:
        """Log this level and those above it until the program ends."""
        body = await read_json(request, LOG_LEVEL_BODY)
        logs.set_level(body.level, by=by)
        return json_response(LevelAnswer(logs.level))

    return routes


def _day(file: str) -> date | None:
    """The day that is meant; None is today. Raises `InvalidInput`."""
    if file == TODAY:
        return None
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", file):
            return date.fromisoformat(file)
    except ValueError:
        pass
    why = f'write "{TODAY}" or a date such as 2026-01-15'
    raise InvalidInput("The log is chosen by its date.", [Problem(where="query.file", why=why)])
