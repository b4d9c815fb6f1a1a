"""The routes that make a manual schedule from a CSV file or at random."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from hil.api import EngineApi
from hil.domain.errors import InvalidInput
from hil.domain.plant import Nameplate, PlantId
from hil.domain.schedule import Schedule, Signal
from hil.domain.schedule_check import nameplate_notes
from hil.domain.schedule_csv import ScheduleUpdate, parse_schedule_csv
from hil.domain.schedule_random import random_schedule
from hil.web.arguments import RANDOM_BODY, Caller, Instant, LoadedSchedule
from hil.web.body import json_docs, off_loop, read_csv, read_json
from hil.web.schedule_routes import PATH, WRITE_PROBLEMS, replace_manual
from hil.web.settings import WebSettings

_CSV_DOCS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "contentMediaType": "text/csv"}},
                    "required": ["file"],
                }
            },
        },
    }
}


def _read(
    data: bytes,
    zone: ZoneInfo,
    start: datetime | None,
    signal: Signal | None,
    nameplate: Nameplate,
) -> tuple[ScheduleUpdate, tuple[str, ...]]:
    """What the file says, and notes on it; raises `InvalidInput`."""
    update = parse_schedule_csv(data, zone=zone, start=start, signal=signal or Signal.P)
    if not update.is_relative and (start or signal):
        raise InvalidInput(
            "The file has its own times and signals: leave out start and signal, which belong"
            " to a file with hours, minutes and seconds."
        )
    return update, nameplate_notes(update.applied_to(Schedule()), nameplate)


def loading_routes(engine: EngineApi, settings: WebSettings) -> APIRouter:
    """The routes below `/api/v1/plants/{plant}/schedules/manual`."""
    routes = APIRouter(tags=["schedules"])

    @routes.post(
        f"{PATH}/csv",
        response_model=LoadedSchedule,
        responses=WRITE_PROBLEMS,
        openapi_extra=_CSV_DOCS,
    )
    async def post_csv(
        request: Request,
        plant: str,
        by: Caller,
        start: Annotated[Instant | None, Query(description="Of a file with hours.")] = None,
        signal: Annotated[
            Signal | None, Query(description="Of a file with hours; p by default.")
        ] = None,
    ) -> Response:
        """Load a CSV; a file of one signal keeps the other. A bad row refuses the whole file."""
        engine.manual_schedule(PlantId(plant))  # a wrong plant is said before a body is read
        data = await read_csv(request)
        nameplate = engine.snapshot().plants[PlantId(plant)].limits
        update, notes = await off_loop(lambda: _read(data, settings.zone, start, signal, nameplate))
        # The engine replaces it before its first wait: what is read here is what is replaced.
        schedule = update.applied_to(engine.manual_schedule(PlantId(plant)).schedule)
        return await replace_manual(engine, request, PlantId(plant), schedule, by=by, notes=notes)

    @routes.post(
        f"{PATH}/random",
        response_model=LoadedSchedule,
        responses=WRITE_PROBLEMS,
        openapi_extra=json_docs("RandomBody"),
    )
    async def post_random(request: Request, plant: str, by: Caller) -> Response:
        """Replace the manual schedule by a random one inside the nameplate."""
        engine.manual_schedule(PlantId(plant))
        wanted = await read_json(request, RANDOM_BODY)
        nameplate = engine.snapshot().plants[PlantId(plant)].limits
        schedule = await off_loop(
            lambda: random_schedule(
                start=wanted.start,
                duration_h=wanted.duration_h,
                resolution_min=wanted.resolution_min,
                seed=wanted.seed,
                nameplate=nameplate,
            )
        )
        return await replace_manual(engine, request, PlantId(plant), schedule, by=by, notes=())

    return routes
