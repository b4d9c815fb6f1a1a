"""Query parameters that a route does not know are refused, whatever the route."""

from typing import Any

import pytest

from web_support import LIB, FakeEngine, app_of, client_of

CSV = "/api/v1/plants/lib/schedules/manual/csv"
TEXT = {"Content-Type": "text/csv"}
HOURS = b"hours,minutes,seconds,setpoint\n0,0,0,10\n"
ROWS = b"time,p_kw\n2026-01-15T12:00:00Z,100\n"
START = "start=2026-01-15T12:00:00Z"


def operations() -> list[tuple[str, str]]:
    """Every method and path of the document."""
    paths: dict[str, dict[str, Any]] = app_of(FakeEngine()).openapi()["paths"]
    return [(method, path) for path, each in paths.items() for method in each]


@pytest.mark.parametrize(("method", "path"), operations())
async def test_no_route_takes_a_parameter_that_it_does_not_know(method: str, path: str) -> None:
    engine = FakeEngine()
    place = path.format(
        plant="lib",
        signal="p",
        action="start",
        command_id="c1",
        alarm_id="a1",
        name="delay",
        uid="s1",
    )
    async with client_of(engine) as client:
        reply = await client.request(method, f"{place}?zz=1&start={START[6:]}&end=2026-01-16T00Z")

    assert reply.status_code == 422, reply.text
    assert "query.zz" in [problem["where"] for problem in reply.json()["problems"]]
    assert (engine.submitted, engine.written_by) == ([], [])


async def test_a_slip_in_a_parameter_is_named_and_loads_nothing() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.post(f"{CSV}?{START}&sginal=q", content=HOURS, headers=TEXT)

    assert reply.status_code == 422
    [problem] = reply.json()["problems"]
    assert problem["where"] == "query.sginal"
    assert problem["why"] == 'is not known; did you mean "signal"?'
    assert engine.schedules[LIB].etag == "v0"


async def test_an_emergency_stop_is_never_refused_for_its_query() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.post("/api/v1/fleet/estop?reason=smoke")

    assert reply.status_code == 202
    assert len(engine.submitted) == 1


@pytest.mark.parametrize("query", [START, "signal=p", f"{START}&signal=q"])
async def test_a_file_with_times_takes_no_start_and_no_signal(query: str) -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.post(f"{CSV}?{query}", content=ROWS, headers=TEXT)

    assert reply.status_code == 422
    assert "leave out start and signal" in reply.json()["detail"]
    assert engine.schedules[LIB].etag == "v0"
