"""The routes of overrides: read, replace, remove; a version is an ETag."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response

from hil.api import EngineApi, VersionedOverride
from hil.domain.plant import PlantId
from hil.domain.schedule import Series, Signal
from hil.web.answer import json_response
from hil.web.arguments import OVERRIDE_BODY, Caller, if_match, override_of
from hil.web.body import json_docs, read_json
from hil.web.problem import problem_docs
from hil.web.schedule_routes import WRITE_PROBLEMS

_PATH = "/plants/{plant}/overrides/{signal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverridePoint:
    """From `time` on this value holds, in kW or kvar; null: the base schedule does."""

    time: datetime
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An override of one signal until `end`; null: until it is removed.

    `active`: it replaces the base schedule at this moment.
    """

    active: bool
    points: tuple[OverridePoint, ...]
    end: datetime | None

    @classmethod
    def of(cls, present: VersionedOverride) -> "Override":
        """The override as it is shown; its closing point, where nothing holds, becomes `end`."""
        rows = list(zip(present.series.times, present.series.values, strict=True))
        end = rows.pop()[0] if rows and rows[-1][1] is None else None
        points = tuple(OverridePoint(time=time, value=value) for time, value in rows)
        return cls(active=present.is_active, points=points, end=end)


def override_routes(engine: EngineApi) -> APIRouter:
    """The routes below `/api/v1` that read and write the override of a signal."""
    routes = APIRouter(tags=["schedules"])

    @routes.get(_PATH, response_model=Override, responses=problem_docs(404, 422))
    async def get_override(plant: str, signal: Signal) -> Response:
        """The override of a signal; its ETag goes into If-Match."""
        return _shown(engine.override(PlantId(plant), signal))

    @routes.put(
        _PATH,
        response_model=Override,
        responses=WRITE_PROBLEMS,
        openapi_extra=json_docs("OverrideBody"),
    )
    async def put_override(request: Request, plant: str, signal: Signal, by: Caller) -> Response:
        """Replace the override of a signal at once and whole; no points remove it."""
        engine.override(PlantId(plant), signal)  # a wrong plant is said before a body is read
        series = override_of(await read_json(request, OVERRIDE_BODY))
        return await _replaced(engine, request, PlantId(plant), signal, series, by=by)

    @routes.delete(_PATH, response_model=Override, responses=WRITE_PROBLEMS)
    async def delete_override(request: Request, plant: str, signal: Signal, by: Caller) -> Response:
        """Remove the override: the base schedule is followed again."""
        return await _replaced(engine, request, PlantId(plant), signal, Series(), by=by)

    return routes


async def _replaced(
    engine: EngineApi, request: Request, plant: PlantId, signal: Signal, series: Series, *, by: str
) -> Response:
    wanted = if_match(request, engine.override(plant, signal).etag)
    return _shown(await engine.put_override(plant, signal, series, by=by, if_match=wanted))


def _shown(present: VersionedOverride) -> Response:
    return json_response(Override.of(present), headers={"ETag": f'"{present.etag}"'})
