"""The routes that ask for something to be done; each answers at once with its command."""

from enum import StrEnum

from fastapi import APIRouter, Response

from hil.domain.commands import Command, CommandKind
from hil.domain.plant import PlantId
from hil.ports import EngineApi
from hil.web.answer import json_response
from hil.web.arguments import Caller
from hil.web.problem import problem_docs

_DOCS = problem_docs(403, 404, 409, 422, 429)


class PlantAction(StrEnum):
    """What one plant can be asked to do."""

    START = "start"
    STOP = "stop"
    DISPATCH = "dispatch"
    PAUSE = "pause"
    RECORD = "record"
    STOP_RECORDING = "stop-recording"


class FleetAction(StrEnum):
    """What all plants can be asked to do together."""

    START = "start"
    STOP = "stop"


def command_routes(engine: EngineApi) -> APIRouter:
    """The routes below `/api/v1` that queue a command."""
    routes = APIRouter(tags=["commands"])

    @routes.post(
        "/plants/{plant}/{action}", status_code=202, response_model=Command, responses=_DOCS
    )
    async def plant_command(plant: str, action: PlantAction, by: Caller) -> Response:
        """Queue a command for one plant."""
        return _accepted(engine.submit(CommandKind(action.value), PlantId(plant), by=by))

    @routes.post("/fleet/{action}", status_code=202, response_model=Command, responses=_DOCS)
    async def fleet_command(action: FleetAction, by: Caller) -> Response:
        """Queue a command for the whole site."""
        return _accepted(engine.submit(CommandKind(f"fleet-{action.value}"), None, by=by))

    return routes


def _accepted(command: Command) -> Response:
    headers = {"Location": f"/api/v1/commands/{command.id}"}
    return json_response(command, status=202, headers=headers)
