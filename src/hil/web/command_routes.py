"""The routes that ask for something to be done; each answers at once with its command."""

from enum import StrEnum

from fastapi import APIRouter, Response

from hil.api import EngineApi
from hil.domain.commands import Command, CommandKind
from hil.domain.plant import PlantId
from hil.web.answer import json_response
from hil.web.arguments import Caller
from hil.web.problem import problem_docs

COMMAND_PROBLEMS = problem_docs(403, 404, 409, 422, 429)


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
    ESTOP = "estop"
    ESTOP_RESET = "estop-reset"


def command_routes(engine: EngineApi) -> APIRouter:
    """The routes below `/api/v1` that queue a command."""
    routes = APIRouter(tags=["commands"])

    @routes.post(
        "/plants/{plant}/{action}",
        status_code=202,
        response_model=Command,
        responses=COMMAND_PROBLEMS,
    )
    async def plant_command(plant: str, action: PlantAction, by: Caller) -> Response:
        """Queue a command for one plant."""
        return accepted(engine.submit(CommandKind(action.value), PlantId(plant), by=by))

    @routes.post(
        "/fleet/{action}", status_code=202, response_model=Command, responses=COMMAND_PROBLEMS
    )
    async def fleet_command(action: FleetAction, by: Caller) -> Response:
        """Queue a command for the whole site; a body is ignored unread."""
        # Nothing here waits: an emergency stop reaches the engine in the pass that it came in.
        return accepted(engine.submit(CommandKind(f"fleet-{action.value}"), None, by=by))

    return routes


def accepted(command: Command) -> Response:
    """The answer to a command that was queued: where it can be followed."""
    headers = {"Location": f"/api/v1/commands/{command.id}"}
    return json_response(command, status=202, headers=headers)
