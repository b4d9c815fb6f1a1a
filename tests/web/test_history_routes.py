"""Routes of recordings and of ranges as files."""

from datetime import UTC, date, datetime

import pytest

from hil.api import ExportForm
from hil.domain.plant import PlantId
from web_history import FakeHistory
from web_support import LIB, FakeEngine, client_of

RANGE = "start=2026-01-15T12:00:00Z&end=2026-01-15T13:00:00Z"
START, END = datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 1, 15, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "form", "is_numeric"),
    [
        ("csv", ExportForm.CSV, False),
        ("csv?time=numeric", ExportForm.CSV, True),
        ("parquet", ExportForm.PARQUET, False),
    ],
)
async def test_range_comes_as_a_file(query: str, form: ExportForm, *, is_numeric: bool) -> None:
    engine = FakeEngine()
    history = FakeHistory(engine)
    path, _, options = query.partition("?")
    async with client_of(engine, history=history) as client:
        reply = await client.get(f"/api/v1/plants/lib/measurements.{path}?{RANGE}&{options}")

    assert reply.content == b"ab"
    assert f"20260115_lib.{path}" in reply.headers["content-disposition"]
    assert history.asked == [(LIB, START, END, form, is_numeric)]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        (f"plants/x/measurements.csv?{RANGE}", 404, "no plant"),
        (f"plants/lib/measurements.csv?{RANGE}&time=roman", 422, "time"),
        (f"plants/lib/measurements.parquet?{RANGE}&time=numeric", 422, "not known"),
        ("plants/lib/measurements.parquet?start=2026-01-15T12:00:00Z", 422, "required"),
        ("recordings?plant=x", 404, "no plant"),
        ("recordings?start=yesterday", 422, "no date"),
        ("recordings?start=2026-02-30", 422, "no date"),
        ("recordings/20260116_lib.csv", 404, "no recording"),
        ("recordings/..%2F..%2Fetc%2Fpasswd", 404, "nothing at"),
        ("recordings/%00", 404, "no recording"),
    ],
)
async def test_what_is_not_there_is_said(path: str, status: int, said: str) -> None:
    async with client_of(FakeEngine()) as client:
        reply = await client.get(f"/api/v1/{path}")

    assert reply.status_code == status
    assert said in reply.text


async def test_too_many_exports_are_asked_for_again_later() -> None:
    engine = FakeEngine()
    history = FakeHistory(engine)
    history.is_full = True
    async with client_of(engine, history=history) as client:
        reply = await client.get(f"/api/v1/plants/lib/measurements.csv?{RANGE}")

    assert reply.status_code == 429
    assert reply.headers["retry-after"] == "1"


async def test_recordings_are_listed_and_fetched() -> None:
    engine = FakeEngine()
    history = FakeHistory(engine)
    async with client_of(engine, history=history) as client:
        listed = await client.get("/api/v1/recordings?plant=lib&start=2026-01-01&end=2026-01-31")
        file = await client.get(f"/api/v1/recordings/{listed.json()[0]['name']}")

    assert history.asked == [(PlantId("lib"), date(2026, 1, 1), date(2026, 1, 31))]
    assert file.text.startswith("timestamp,")
    assert file.headers["content-length"] == str(len(file.content))
    assert file.headers["content-type"].startswith("text/csv")
