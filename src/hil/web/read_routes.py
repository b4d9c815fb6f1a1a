"""The routes that read: the picture, the stream, the audit trail, schedules in force, history."""

import gzip
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from hil.domain.commands import Command
from hil.domain.downsample import Buckets
from hil.domain.plant import PlantId
from hil.domain.schedule import EffectivePoint
from hil.domain.snapshot import Snapshot
from hil.ports import EngineApi
from hil.web.arguments import MAX_BUCKETS, Plants, TimeRange
from hil.web.assets import takes_gzip
from hil.web.body import off_loop
from hil.web.problem import problem_docs
from hil.web.stream import Feed, selected

# A history of minutes is 100 kB and more, of which four arrays a signal are nearly alike.
GZIP_FROM_BYTES = 8_192
GZIP_LEVEL = 5

_STREAM_DOCS = {
    "description": "Events: `state` with the body of GET /state at each change, at most 2 a second;"
    " `ping` with the time at least every 2 s; `end` at shutdown.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


def json_response(
    value: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The value as JSON; dataclasses have the shape of their fields."""
    return Response(
        orjson.dumps(value),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


async def large_json_response(request: Request, value: Any) -> Response:
    """The value as JSON, gzipped off the loop where that saves something."""
    response = json_response(value)
    response.headers["Vary"] = "Accept-Encoding"
    if len(response.body) >= GZIP_FROM_BYTES and takes_gzip(request):
        plain = bytes(response.body)
        response.body = await off_loop(lambda: gzip.compress(plain, GZIP_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
    return response


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

    @routes.get("/commands", response_model=list[Command], tags=["commands"])
    async def commands() -> Response:
        """The audit trail, newest first."""
        return json_response(engine.commands())

    @routes.get(
        "/commands/{command_id}",
        response_model=Command,
        responses=problem_docs(404, 422),
        tags=["commands"],
    )
    async def command(command_id: str) -> Response:
        """What became of one command."""
        return json_response(engine.command(command_id))

    @routes.get(
        "/plants/{plant}/schedule",
        response_model=dict[str, list[EffectivePoint]],
        responses=problem_docs(404, 422),
        tags=["schedules"],
    )
    async def schedule(request: Request, plant: str, within: TimeRange) -> Response:
        """What would be dispatched, one point a change: `{"points": [..]}`."""
        points = engine.effective_schedule(PlantId(plant), within.start, within.end)
        return await large_json_response(request, {"points": points})

    @routes.get(
        "/plants/{plant}/measurements",
        response_model=Buckets,
        responses=problem_docs(404, 422),
        tags=["history"],
    )
    async def measurements(
        request: Request,
        plant: str,
        within: TimeRange,
        points: Annotated[int, Query(ge=1, le=MAX_BUCKETS)] = 2000,
    ) -> Response:
        """Recorded signals in at most `points` buckets; a session boundary is null in all."""
        found = await engine.measurements(PlantId(plant), within.start, within.end, points=points)
        return await large_json_response(request, found)

    return routes
