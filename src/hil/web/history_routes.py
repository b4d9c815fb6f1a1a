"""The routes of what was and what will be: recorded signals, setpoints in force."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hil.domain.downsample import Buckets
from hil.domain.plant import PlantId
from hil.domain.schedule import EffectivePoint
from hil.ports import EngineApi
from hil.web.answer import large_json_response
from hil.web.arguments import MAX_BUCKETS, TimeRange
from hil.web.problem import problem_docs


def history_routes(engine: EngineApi) -> APIRouter:
    """The routes below `/api/v1/plants/{plant}` that look at a range of time."""
    routes = APIRouter()

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
