"""The routes of what was and what will be: recorded signals, files, setpoints in force."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from hil.api import Download, EngineApi, ExportForm, HistoryApi
from hil.domain.downsample import Buckets
from hil.domain.plant import PlantId
from hil.domain.schedule import EffectivePoint
from hil.web.answer import large_json_bytes, large_json_response
from hil.web.arguments import MAX_BUCKETS, Day, TimeRange
from hil.web.problem import problem_docs

_CSV_DOCS = {
    "description": "A CSV file.",
    "content": {"text/csv": {"schema": {"type": "string"}}},
}
_PARQUET_DOCS = {
    "description": "A Parquet file.",
    "content": {"application/vnd.apache.parquet": {"schema": {"type": "string"}}},
}


class TimeColumn(StrEnum):
    """How else the time of a row is written."""

    NUMERIC = "numeric"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingInfo:
    """A daily file and what it covers; null: not looked at yet, or nothing is in it."""

    name: str
    plant: PlantId
    day: date
    bytes: int
    rows: int | None
    first: datetime | None
    last: datetime | None
    sessions: int | None
    spans: list[tuple[datetime, datetime]] | None


def history_routes(engine: EngineApi, history: HistoryApi) -> APIRouter:
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
        responses=problem_docs(404, 422, 429, 503),
        tags=["history"],
    )
    async def measurements(
        request: Request,
        plant: str,
        within: TimeRange,
        points: Annotated[int, Query(ge=1, le=MAX_BUCKETS)] = 2000,
    ) -> Response:
        """Measured signals in at most `points` buckets; where nothing is known all are null.

        Buckets are as wide as `level_s` and begin at whole multiples of it, so that the first and
        the last may reach beyond the range; 0: every row stands for itself, and a value in force
        at the start stands there. A value holds until the next row, at most a quarter of an hour
        or `recording.compression.max_gap_s`.
        """
        found = await history.measurements(PlantId(plant), within.start, within.end, points=points)
        return await large_json_bytes(request, found)

    _add_exports(routes, history)
    _add_recordings(routes, history)
    return routes


def _add_exports(routes: APIRouter, history: HistoryApi) -> None:
    @routes.get(
        "/plants/{plant}/measurements.csv",
        response_class=Response,
        responses={200: _CSV_DOCS, **problem_docs(404, 422, 429, 503)},
        tags=["history"],
    )
    async def measurements_csv(
        plant: str, within: TimeRange, time: TimeColumn | None = None
    ) -> Response:
        """Every recorded row of the range, as in a recording.

        `time=numeric` adds a first column `time_s`, the seconds since 1970 in UTC, by which
        PlotJuggler and others open the file as it is.
        """
        is_numeric = time is TimeColumn.NUMERIC
        return _download(
            await history.export(
                PlantId(plant), within.start, within.end, ExportForm.CSV, is_numeric=is_numeric
            )
        )

    @routes.get(
        "/plants/{plant}/measurements.parquet",
        response_class=Response,
        responses={200: _PARQUET_DOCS, **problem_docs(404, 422, 429, 503)},
        tags=["history"],
    )
    async def measurements_parquet(plant: str, within: TimeRange) -> Response:
        """Every recorded row of the range; `time` in UTC, a session boundary is null in all."""
        return _download(
            await history.export(
                PlantId(plant), within.start, within.end, ExportForm.PARQUET, is_numeric=False
            )
        )


def _add_recordings(routes: APIRouter, history: HistoryApi) -> None:
    @routes.get(
        "/recordings",
        response_model=list[RecordingInfo],
        responses=problem_docs(404, 422, 429, 503),
        tags=["history"],
    )
    async def recordings(
        request: Request,
        plant: str | None = None,
        start: Annotated[Day | None, Query(description="The first day.")] = None,
        end: Annotated[Day | None, Query(description="The last day.")] = None,
    ) -> Response:
        """The daily files, newest first, and from when to when they know something."""
        found = await history.recordings(None if plant is None else PlantId(plant), start, end)
        return await large_json_bytes(request, found)

    @routes.get(
        "/recordings/{name}",
        response_class=Response,
        responses={200: _CSV_DOCS, **problem_docs(404, 422)},
        tags=["history"],
    )
    async def recording(name: str) -> Response:
        """One daily file as it is."""
        return _download(await history.recording(name))


def _download(download: Download) -> Response:
    headers: dict[str, Any] = {
        "Cache-Control": "no-store",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(download.name)}",
    }
    if download.length is not None:
        headers["Content-Length"] = str(download.length)
    return StreamingResponse(download.chunks, media_type=download.media_type, headers=headers)
