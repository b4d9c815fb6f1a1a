"""The routes of the alarms: what is wrong, and that somebody has seen it."""

from fastapi import APIRouter, Request, Response

from hil.api import EngineApi
from hil.domain.snapshot import Alarm
from hil.web.answer import json_response
from hil.web.arguments import ACK_BODY, AckBody, Caller
from hil.web.body import json_docs, read_optional_json
from hil.web.problem import problem_docs


def alarm_routes(engine: EngineApi) -> APIRouter:
    """The routes below `/api/v1/alarms`."""
    routes = APIRouter(prefix="/alarms", tags=["alarms"])

    @routes.get("", response_model=list[Alarm], responses=problem_docs(422))
    async def alarms() -> Response:
        """Every alarm that is active or not acknowledged."""
        return json_response(engine.snapshot().alarms)

    @routes.post(
        "/{alarm_id}/ack",
        response_model=Alarm,
        responses=problem_docs(400, 403, 404, 413, 415, 422),
        openapi_extra=json_docs("AckBody", required=False),
    )
    async def acknowledge(request: Request, alarm_id: str, by: Caller) -> Response:
        """Acknowledge an alarm; it leaves the list when it is cleared as well."""
        body = await read_optional_json(request, ACK_BODY, AckBody())
        return json_response(await engine.acknowledge(alarm_id, by=by, note=body.note))

    return routes
