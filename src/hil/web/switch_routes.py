"""The routes that switch something over; each answers at once with its command."""

from typing import Any

from fastapi import APIRouter, Request, Response

from hil.api import EngineApi
from hil.domain.commands import Command, CommandKind
from hil.domain.plant import PlantId
from hil.web.arguments import (
    POSTING_BODY,
    SERVICE_BODY,
    SOURCE_BODY,
    TRANSPORT_BODY,
    Caller,
)
from hil.web.body import json_docs, read_json
from hil.web.command_routes import accepted
from hil.web.problem import problem_docs

_PROBLEMS = problem_docs(400, 403, 404, 409, 413, 415, 422, 429)


def switch_routes(engine: EngineApi) -> APIRouter:
    """The routes below `/api/v1` that queue a switch."""
    routes = APIRouter(tags=["switches"])

    @routes.put(
        "/source",
        status_code=202,
        response_model=Command,
        responses=_PROBLEMS,
        openapi_extra=json_docs("SourceBody"),
    )
    async def put_source(request: Request, by: Caller) -> Response:
        """Safe-stop all plants, then take the base schedule from here."""
        body = await read_json(request, SOURCE_BODY)
        asked = {"to": body.source.value}
        return accepted(engine.submit(CommandKind.SOURCE, None, by=by, asked=asked))

    @routes.put(
        "/transport",
        status_code=202,
        response_model=Command,
        responses=_PROBLEMS,
        openapi_extra=json_docs("TransportBody"),
    )
    async def put_transport(request: Request, by: Caller) -> Response:
        """Safe-stop all plants, then speak to these endpoints; recording stops."""
        body = await read_json(request, TRANSPORT_BODY)
        asked: dict[str, Any] = {"to": body.transport.value}
        if body.force:
            asked["force"] = True
        return accepted(engine.submit(CommandKind.TRANSPORT, None, by=by, asked=asked))

    @routes.put(
        "/posting",
        status_code=202,
        response_model=Command,
        responses=_PROBLEMS,
        openapi_extra=json_docs("PostingBody"),
    )
    async def put_posting(request: Request, by: Caller) -> Response:
        """Post measurements to the market API or not; off keeps the queue."""
        body = await read_json(request, POSTING_BODY)
        asked = {"enabled": body.enabled}
        return accepted(engine.submit(CommandKind.POSTING, None, by=by, asked=asked))

    @routes.put(
        "/plants/{plant}/service",
        status_code=202,
        response_model=Command,
        responses=_PROBLEMS,
        openapi_extra=json_docs("ServiceBody"),
    )
    async def put_service(request: Request, plant: str, by: Caller) -> Response:
        """Take a plant out of service or put it back."""
        engine.manual_schedule(PlantId(plant))  # a wrong plant is said before a body is read
        body = await read_json(request, SERVICE_BODY)
        asked = {"in_service": body.in_service, "note": body.note}
        return accepted(engine.submit(CommandKind.SERVICE, PlantId(plant), by=by, asked=asked))

    return routes
