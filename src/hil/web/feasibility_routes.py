"""The route that says what will become of a schedule; it changes nothing."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass

from hil.api import FeasibilityApi
from hil.domain.errors import InvalidInput
from hil.domain.feasibility import Forecast
from hil.domain.plant import PlantId
from hil.web.answer import large_json_response
from hil.web.arguments import CHECKED, Instant, PointBody, schedule_of_points
from hil.web.body import json_docs, read_optional_json
from hil.web.problem import problem_docs


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class CheckBody:
    """A schedule to check, as a manual one; without points that which would be dispatched.

    `soc` is the state of charge at its beginning in per unit; null: the one measured now.
    """

    points: list[PointBody] | None = None
    end: Instant | None = None
    soc: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None


CHECK_BODY = TypeAdapter(CheckBody)


def feasibility_routes(feasibility: FeasibilityApi) -> APIRouter:
    """The route below `/api/v1/plants/{plant}/schedule`."""
    routes = APIRouter(tags=["schedules"])

    @routes.post(
        "/plants/{plant}/schedule/check",
        response_model=Forecast,
        responses=problem_docs(400, 403, 404, 409, 413, 415, 422, 429),
        openapi_extra=json_docs("CheckBody", required=False),
    )
    async def check(request: Request, plant: str) -> Response:
        """State of charge, limits and missing energy of the next 48 h, or of a posted schedule."""
        body = await read_optional_json(request, CHECK_BODY, CheckBody())
        schedule = None
        if body.points is None and body.end is not None:
            raise InvalidInput("An end belongs to points: give both, or neither.")
        if body.points is not None:
            schedule = schedule_of_points(body.points, body.end)
        forecast = await feasibility.check(PlantId(plant), schedule, soc_pu=body.soc)
        return await large_json_response(request, forecast)

    return routes
