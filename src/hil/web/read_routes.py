"""The routes that read the present: the picture, the stream, the audit trail."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from hil.api import EngineApi
from hil.domain.commands import Command
from hil.domain.snapshot import Snapshot
from hil.web.answer import json_response
from hil.web.arguments import Plants
from hil.web.problem import problem_docs
from hil.web.stream import Feed, selected

MAX_COMMANDS = 1_000  # a quarter of a megabyte, encoded on the loop within some milliseconds

_STREAM_DOCS = {
    "description": "Events: `state` with the body of GET /state at each change, at most 2 a second;"
    " `ping` with the time at least every 2 s; `end` at shutdown.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


def read_routes(engine: EngineApi, feed: Feed) -> APIRouter:
    """The routes below `/api/v1` that change nothing."""
    routes = APIRouter()

    @routes.get("/state", response_model=Snapshot, responses=problem_docs(404, 422), tags=["state"])
    async def state(plants: Plants) -> Response:
        """The whole picture; `plants` narrows it."""
        return json_response(selected(engine.snapshot(), plants))

    @routes.get(
        "/stream",
        response_class=Response,
        responses={200: _STREAM_DOCS, **problem_docs(404, 422, 503)},
        tags=["state"],
    )
    async def stream(plants: Plants) -> Response:
        """The picture as server-sent events."""
        return feed.respond(plants)

    @routes.get(
        "/commands",
        response_model=list[Command],
        responses=problem_docs(422),
        tags=["commands"],
    )
    async def commands(
        limit: Annotated[int, Query(ge=1, le=MAX_COMMANDS)] = 200,
    ) -> Response:
        """The newest `limit` entries of the audit trail, newest first."""
        return json_response(engine.commands()[:limit])

    @routes.get(
        "/commands/{command_id}",
        response_model=Command,
        responses=problem_docs(404, 422),
        tags=["commands"],
    )
    async def command(command_id: str) -> Response:
        """What became of one command."""
        return json_response(engine.command(command_id))

    return routes
