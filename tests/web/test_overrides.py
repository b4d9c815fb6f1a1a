"""Overrides of a signal over HTTP."""

from datetime import timedelta

import pytest

from hil.domain.schedule import Signal
from web_support import LIB, NOON, FakeEngine, client_of

OVERRIDE = "/api/v1/plants/lib/overrides/p"
POINTS = [
    {"time": "2026-01-15T12:00:00+00:00", "value": 100.0},
    {"time": "2026-01-15T12:05:00+00:00", "value": 0.0},
]
END = "2026-01-15T12:15:00+00:00"


async def test_an_override_put_is_the_override_got() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        none = await client.get(OVERRIDE)
        put = await client.put(OVERRIDE, json={"points": POINTS[::-1], "end": END})
        got = await client.get(OVERRIDE)
        back = await client.put(OVERRIDE, json=got.json())
        other = await client.get("/api/v1/plants/lib/overrides/q")
        deleted = await client.delete(OVERRIDE)

    assert none.json() == other.json() == {"active": False, "points": [], "end": None}
    assert put.status_code == back.status_code == 200
    assert put.json() == got.json() == back.json() == {"active": True, "points": POINTS, "end": END}
    assert put.headers["etag"] == got.headers["etag"] != none.headers["etag"]
    assert deleted.json() == none.json()
    assert engine.written_by == ["local"] * 3


async def test_the_end_of_an_override_is_where_nothing_holds() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        await client.put(OVERRIDE, json={"points": POINTS, "end": END})
        series = engine.overrides[LIB, Signal.P].series
        open_ended = await client.put(OVERRIDE, json={"points": POINTS})
        removed = await client.put(OVERRIDE, json={"points": [], "end": END})

    assert series.values == (100.0, 0.0, None)
    assert series.at(NOON + timedelta(minutes=14)) == 0.0
    assert series.at(NOON + timedelta(minutes=15)) is None
    assert open_ended.json()["end"] is None
    assert removed.json() == {"active": False, "points": [], "end": None}


async def test_an_override_edited_by_somebody_else_is_refused() -> None:
    async with client_of(FakeEngine()) as client:
        tag = (await client.get(OVERRIDE)).headers["etag"]
        first = await client.put(OVERRIDE, json={"points": POINTS}, headers={"If-Match": tag})
        second = await client.put(OVERRIDE, json={"points": []}, headers={"If-Match": tag})
        gone = await client.delete(OVERRIDE, headers={"If-Match": tag})
        whatever = await client.delete(OVERRIDE, headers={"If-Match": "*"})

    assert [r.status_code for r in (first, second, gone, whatever)] == [200, 412, 412, 200]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"points": [{"time": "2026-01-15T12:00Z", "value": null}]}', "points.0.value"),
        (b'{"points": [{"time": "2026-01-15T12:00Z"}]}', "points.0.value"),
        (b'{"points": [{"time": "2026-01-15T12:00Z", "value": NaN}]}', "points.0.value"),
        (b'{"points": [{"time": "2026-01-15T12:00Z", "value": 1e12}]}', "points.0.value"),
        (b'{"points": [{"time": "2026-01-15T12:00Z", "value": "1"}]}', "points.0.value"),
        (b'{"points": [{"time": "2026-01-15T12:00", "value": 1}]}', "points.0.time"),
        (b'{"points": [{"time": "2026-01-15T12:00Z", "p_kw": 1}]}', "points.0.p_kw"),
        (b'{"points": [], "active": "yes"}', "active"),
        (b'{"active": true}', "points"),
        (
            (
                b'{"points": [{"time": "2026-01-15T12:00Z", "value": 1},'
                b' {"time": "2026-01-15T13:00+01:00", "value": 2}]}'
            ),
            "points.1.time",
        ),
        (
            b'{"points": [{"time": "2026-01-15T12:00Z", "value": 1}], "end": "2026-01-15T12:00Z"}',
            "points.0.time",
        ),
    ],
)
async def test_a_malformed_override_names_the_place(body: bytes, where: str) -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        headers = {"Content-Type": "application/json"}
        reply = await client.put(OVERRIDE, content=body, headers=headers)

    assert reply.status_code == 422
    assert where in [one["where"] for one in reply.json()["problems"]]
    assert engine.overrides[LIB, Signal.P].etag == "v0"


async def test_an_override_of_nothing_known_is_refused() -> None:
    async with client_of(FakeEngine()) as client:
        plant = await client.put("/api/v1/plants/x/overrides/p", content=b"no json")
        signal = await client.get("/api/v1/plants/lib/overrides/soc")

    assert (plant.status_code, signal.status_code) == (404, 422)
