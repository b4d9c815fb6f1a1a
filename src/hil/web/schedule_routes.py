"""The routes of manual schedules: read, replace, empty; a version is an ETag."""

from fastapi import APIRouter, Request, Response

from hil.api import EngineApi
from hil.domain.plant import PlantId
from hil.domain.schedule import Schedule
from hil.web.answer import json_response
from hil.web.arguments import (
    MANUAL_BODY,
    Caller,
    LoadedSchedule,
    ManualSchedule,
    if_match,
    schedule_of,
)
from hil.web.body import json_docs, read_json
from hil.web.problem import problem_docs

PATH = "/plants/{plant}/schedules/manual"
WRITE_PROBLEMS = problem_docs(400, 403, 404, 409, 412, 413, 415, 422)


def schedule_routes(engine: EngineApi) -> APIRouter:
    """The routes below `/api/v1` that read and write a manual schedule as JSON."""
    routes = APIRouter(tags=["schedules"])

    @routes.get(PATH, response_model=ManualSchedule, responses=problem_docs(404, 422))
    async def get_manual(plant: str) -> Response:
        """The manual schedule in force; its ETag goes into If-Match."""
        present = engine.manual_schedule(PlantId(plant))
        return json_response(
            ManualSchedule.of(present.schedule), headers={"ETag": f'"{present.etag}"'}
        )

    @routes.put(
        PATH,
        response_model=ManualSchedule,
        responses=WRITE_PROBLEMS,
        openapi_extra=json_docs("ManualBody"),
    )
    async def put_manual(request: Request, plant: str, by: Caller) -> Response:
        """Replace the manual schedule at once and whole."""
        engine.manual_schedule(PlantId(plant))  # a wrong plant is said before a body is read
        schedule = schedule_of(await read_json(request, MANUAL_BODY))
        return await replace_manual(engine, request, PlantId(plant), schedule, by=by)

    @routes.delete(PATH, response_model=ManualSchedule, responses=WRITE_PROBLEMS)
    async def delete_manual(request: Request, plant: str, by: Caller) -> Response:
        """Empty the manual schedule."""
        return await replace_manual(engine, request, PlantId(plant), Schedule(), by=by)

    return routes


async def replace_manual(
    engine: EngineApi,
    request: Request,
    plant: PlantId,
    schedule: Schedule,
    *,
    by: str,
    notes: tuple[str, ...] | None = None,
) -> Response:
    """Put the schedule in force and show it; raises `EditConflict` when If-Match says so.

    Args:
        notes: What the answer says of a schedule that was loaded; None is an answer without notes.
    """
    wanted = if_match(request, engine.manual_schedule(plant).etag)
    present = await engine.put_manual_schedule(plant, schedule, by=by, if_match=wanted)
    shown = ManualSchedule.of(present.schedule)
    answer = shown if notes is None else LoadedSchedule.of(shown, notes)
    return json_response(answer, headers={"ETag": f'"{present.etag}"'})
