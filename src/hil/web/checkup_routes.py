"""The routes that look at a plant through the engine's link: registers and the smoke check."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hil.api import CheckupApi
from hil.domain.plant import PlantId
from hil.domain.smoke_report import Reading, SmokeReport
from hil.web.answer import json_response
from hil.web.arguments import SMOKE_BODY, SmokeBody
from hil.web.body import json_docs, read_optional_json
from hil.web.problem import problem_docs


def checkup_routes(checkups: CheckupApi) -> APIRouter:
    """The routes below `/api/v1/plants/{plant}` that ask the plant itself."""
    routes = APIRouter(prefix="/plants/{plant}", tags=["checkup"])

    @routes.get(
        "/registers",
        response_model=dict[str, list[Reading]],
        responses=problem_docs(404, 422, 429),
    )
    async def registers(
        plant: str,
        points: Annotated[
            str, Query(description="Names with commas between; all by default.")
        ] = "",
    ) -> Response:
        """Raw and decoded registers, read now: `{"registers": [..]}`."""
        names = [name.strip() for name in points.split(",") if name.strip()]
        found = await checkups.registers(PlantId(plant), names)
        return json_response({"registers": found})

    @routes.post(
        "/smoke",
        response_model=SmokeReport,
        responses=problem_docs(400, 403, 404, 409, 413, 415, 422, 429),
        openapi_extra=json_docs("SmokeBody", required=False),
    )
    async def smoke(request: Request, plant: str) -> Response:
        """Check the plant's present endpoint or a `device` there; answers when it has ended."""
        body = await read_optional_json(request, SMOKE_BODY, SmokeBody())
        report = await checkups.smoke(
            PlantId(plant), device=body.device, write_zero=body.write_zero, trace=body.trace
        )
        return json_response(report)

    return routes
