"""The routes of the market API: its connection, and the plan that has come from it."""

from fastapi import APIRouter, Request, Response

from hil.api import EngineApi
from hil.domain.plant import PlantId
from hil.domain.snapshot import ScheduleApiState
from hil.web.answer import json_response
from hil.web.arguments import CONNECTION_BODY, Caller, ConnectionBody, ManualSchedule
from hil.web.body import json_docs, read_optional_json
from hil.web.problem import problem_docs

_CONNECTION = "/schedule-api/connection"


def market_routes(engine: EngineApi) -> APIRouter:
    """The routes below `/api/v1` of the schedule API."""
    routes = APIRouter(tags=["market"])

    @routes.put(
        _CONNECTION,
        response_model=ScheduleApiState,
        responses=problem_docs(400, 403, 409, 413, 415, 422),
        openapi_extra=json_docs("ConnectionBody", required=False),
    )
    async def connect(request: Request, by: Caller) -> Response:
        """Connect, with the password that is held in memory when none is sent.

        409 says why it failed; the connection is wanted all the same, and tried again.
        """
        body = await read_optional_json(request, CONNECTION_BODY, ConnectionBody())
        return json_response(await engine.connect_schedule_api(body.password, by=by))

    @routes.delete(
        _CONNECTION, response_model=ScheduleApiState, responses=problem_docs(403, 409, 422)
    )
    async def disconnect(by: Caller) -> Response:
        """Disconnect and forget the password: nothing is fetched or posted any more."""
        return json_response(await engine.disconnect_schedule_api(by=by))

    @routes.get(
        "/plants/{plant}/schedules/api",
        response_model=ManualSchedule,
        responses=problem_docs(404, 422),
    )
    async def api_schedule(plant: str) -> Response:
        """The plan of today and tomorrow, as much of it as has come; it cannot be edited."""
        return json_response(ManualSchedule.of(engine.api_schedule(PlantId(plant))))

    return routes
