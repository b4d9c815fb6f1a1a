"""Commands, manual schedules and history over HTTP."""

from collections.abc import AsyncIterator

import httpx
import pytest

from hil.domain.commands import CommandKind
from hil.domain.errors import HilError, Impossible, QueueFull
from web_support import LIB, NOON, FakeEngine, client_of

MANUAL = "/api/v1/plants/lib/schedules/manual"
POINTS = [
    {"time": "2026-01-15T12:00:00+00:00", "p_kw": 100.0, "q_kvar": 0.0},
    {"time": "2026-01-15T12:15:00+00:00", "p_kw": -50.0, "q_kvar": None},
]


@pytest.mark.parametrize(
    "action", ["start", "stop", "dispatch", "pause", "record", "stop-recording"]
)
async def test_a_plant_command_is_queued_and_can_be_followed(action: str) -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.post(f"/api/v1/plants/lib/{action}")
        followed = await client.get(reply.headers["location"])
        trail = await client.get("/api/v1/commands")

    assert reply.status_code == 202
    assert reply.json()["kind"] == action
    assert reply.json()["plant"] == "lib"
    assert reply.json()["status"] == "queued"
    assert followed.json() == reply.json()
    assert trail.json() == [reply.json()]
    assert engine.submitted[0].by == "local"


@pytest.mark.parametrize("action", ["start", "stop"])
async def test_a_fleet_command_has_no_plant(action: str) -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.post(f"/api/v1/fleet/{action}")

    assert reply.status_code == 202
    assert engine.submitted[0].kind is CommandKind(f"fleet-{action}")
    assert reply.json()["plant"] is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Impossible("LIB is not running. Start it first."), 409),
        (QueueFull("LIB has 100 commands waiting. Try again later."), 429),
        (HilError("The engine is stopping."), 503),
    ],
)
async def test_a_refusal_is_a_problem_with_its_sentence(error: HilError, status: int) -> None:
    engine = FakeEngine()
    engine.refuse = error
    async with client_of(engine) as client:
        reply = await client.post("/api/v1/plants/lib/dispatch")

    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["detail"] == str(error)
    assert reply.json()["status"] == status


@pytest.mark.parametrize(
    "path", ["/api/v1/plants/x/start", "/api/v1/plants/%00/start", "/api/v1/plants/%ff/stop"]
)
async def test_an_unknown_plant_is_not_found(path: str) -> None:
    async with client_of(FakeEngine()) as client:
        assert (await client.post(path)).status_code == 404


async def test_a_schedule_put_is_the_schedule_got() -> None:
    engine = FakeEngine()
    body = {"points": POINTS, "end": "2026-01-15T13:00:00+00:00"}
    async with client_of(engine) as client:
        empty = await client.get(MANUAL)
        put = await client.put(MANUAL, json=body)
        got = await client.get(MANUAL)
        deleted = await client.delete(MANUAL)

    assert empty.json() == {"points": [], "end": None}
    assert put.status_code == 200
    assert put.json() == got.json() == body
    assert put.headers["etag"] == got.headers["etag"] != empty.headers["etag"]
    assert deleted.json() == {"points": [], "end": None}
    assert engine.written_by == ["local", "local"]
    assert engine.schedules[LIB].schedule.p.at(NOON) is None


async def test_an_edit_of_an_older_version_is_refused() -> None:
    async with client_of(FakeEngine()) as client:
        tag = (await client.get(MANUAL)).headers["etag"]
        first = await client.put(MANUAL, json={"points": POINTS}, headers={"If-Match": tag})
        second = await client.put(MANUAL, json={"points": []}, headers={"If-Match": tag})
        any_version = await client.delete(MANUAL, headers={"If-Match": "*"})
        newest = (await client.get(MANUAL)).headers["etag"]
        listed = await client.delete(MANUAL, headers={"If-Match": f'"x", {newest}'})
        nonsense = await client.delete(MANUAL, headers={"If-Match": "v1"})

    statuses = [r.status_code for r in (first, second, any_version, listed, nonsense)]
    assert statuses == [200, 412, 200, 200, 400]


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [
        (b'{"points": [{"time": "2026-01-15T12:00:00", "p_kw": 1}]}', "points.0.time", "offset"),
        (b'{"points": [{"time": 5, "p_kw": 1}]}', "points.0.time", "as text"),
        (b'{"points": [{"time": "noon", "p_kw": 1}]}', "points.0.time", "no time"),
        (b'{"points": [{"time": "0001-01-01T00:00:00+14:00"}]}', "points.0.time", "within"),
        (b'{"points": [{"time": "9999-12-31T23:59:59-14:00"}]}', "points.0.time", "within"),
        (b'{"points": [{"time": "2026-01-15T12:00Z", "p_kw": NaN}]}', "points.0.p_kw", "finite"),
        (b'{"points": [{"time": "2026-01-15T12:00Z", "p_kw": 1e999}]}', "points.0.p_kw", "finite"),
        (
            b'{"points": [{"time": "2026-01-15T12:00Z", "p_kw": -1e300}]}',
            "points.0.p_kw",
            "greater",
        ),
        (b'{"points": [{"time": "2026-01-15T12:00Z", "p_kw": "1"}]}', "points.0.p_kw", "number"),
        (b'{"points": [{"time": "2026-01-15T12:00Z", "p_kw": true}]}', "points.0.p_kw", "number"),
        (b'{"points": [{"time": "2026-01-15T12:00Z", "pkw": 1}]}', "points.0.pkw", "Unexpected"),
        (b'{"points": [], "end": "2026-01-15"}', "end", "offset"),
        (b"{}", "points", "required"),
        (b"", "body", "JSON"),
        (b'{"points": [\xff]}', "body", "JSON"),
        (b'{"points": "\\ud800"}', "body", "JSON"),
        (b"[" * 100_000, "body", "JSON"),
        (b"9" * 100_000, "body", ""),
    ],
)
async def test_a_malformed_schedule_names_every_place(body: bytes, where: str, why: str) -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.put(MANUAL, content=body, headers={"Content-Type": "application/json"})

    assert reply.status_code == 422
    found = [(one["where"], one["why"]) for one in reply.json()["problems"]]
    assert any(place == where and why in reason for place, reason in found), found
    assert engine.schedules[LIB].etag == "v0"


async def test_points_that_contradict_each_other_are_all_named() -> None:
    same = {"time": "2026-01-15T13:00:00+01:00", "p_kw": 2.0}  # noon in UTC again
    body = {"points": [*POINTS, same], "end": "2026-01-15T12:15:00Z"}
    async with client_of(FakeEngine()) as client:
        reply = await client.put(MANUAL, json=body)

    assert reply.status_code == 422
    places = [one["where"] for one in reply.json()["problems"]]
    assert places == ["points.1.time", "points.2.time"]


async def test_a_list_of_mistakes_is_cut() -> None:
    body = {"points": [{"time": "x"}] * 5000}
    async with client_of(FakeEngine()) as client:
        reply = await client.put(MANUAL, json=body)

    assert len(reply.json()["problems"]) == 100


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("start=2026-01-15T12:00:00Z&end=2026-01-15T13:00:00Z", 200, ""),
        ("start=2026-01-15T12:00:00+01:00&end=2026-01-15T13:00:00%2B01:00", 200, ""),
        ("start=2026-01-15T12:00:00&end=2026-01-15T13:00:00Z", 422, "offset"),
        ("start=1768478400&end=2026-01-15T13:00:00Z", 422, "no time"),
        ("start=2026-01-15T12:00:00Z", 422, "required"),
        ("start=2026-01-15T12:00:00Z&end=2026-01-15T12:00:00Z", 422, "after the start"),
        ("start=2020-01-15T12:00:00Z&end=2026-01-15T12:00:00Z", 422, "366 days"),
        ("start=%00&end=%ff", 422, "no time"),
    ],
)
@pytest.mark.parametrize("route", ["schedule", "measurements"])
async def test_a_range_needs_two_instants(route: str, query: str, status: int, said: str) -> None:
    async with client_of(FakeEngine()) as client:
        reply = await client.get(f"/api/v1/plants/lib/{route}?{query}")

    assert reply.status_code == status
    assert said in reply.text


async def test_measurements_are_buckets_of_each_signal() -> None:
    async with client_of(FakeEngine()) as client:
        path = "/api/v1/plants/lib/measurements"
        query = "?start=2026-01-15T12:00:00Z&end=2026-01-15T12:10:00Z"
        reply = await client.get(f"{path}{query}&points=100")
        wrong = await client.get(f"{path}{query}&points=0")
        unknown = await client.get(f"/api/v1/plants/x/measurements{query}")

        plain = await client.get(f"{path}{query}", headers={"Accept-Encoding": "identity"})
        whole = await client.get(f"{path}{query}")

    assert whole.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert whole.json() == plain.json()
    assert len(reply.json()["time"]) == 100
    assert set(reply.json()["signals"]["soc_pu"]) == {"min", "max", "mean", "last"}
    assert (wrong.status_code, unknown.status_code) == (422, 404)


async def test_a_body_too_large_is_cut_off_while_it_streams() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65_536

    async with client_of(FakeEngine()) as client:
        reply = await client.put(
            MANUAL, content=endless(), headers={"Content-Type": "application/json"}
        )
        stated = await client.put(
            MANUAL,
            content=b"{}",
            headers={"Content-Type": "application/json", "Content-Length": str(10**30)},
        )

    assert reply.status_code == stated.status_code == 413
    assert "4 MiB" in reply.json()["detail"]
    assert sent < 100


async def test_another_media_type_is_named() -> None:
    async with client_of(FakeEngine()) as client:
        reply = await client.put(MANUAL, content=b"{}", headers={"Content-Type": "text/html"})
        none = await client.put(MANUAL, content=b"{}")

    assert reply.status_code == none.status_code == 415
    assert "application/json" in reply.json()["detail"]
    assert "text/html" in reply.json()["detail"]


async def test_errors_of_the_paths_are_problems() -> None:
    async with client_of(FakeEngine()) as client:
        replies = [
            await client.get("/nothing"),
            await client.get("/api/v1/commands/nothing"),
            await client.request("BREW", "/api/v1/state"),
            await client.get("/api/v1/plants/lib/start"),
            await client.get("/static/%00"),
            await client.get("/static/../app.py"),
        ]

    assert [r.status_code for r in replies] == [404, 404, 405, 405, 404, 404]
    assert {r.headers["content-type"] for r in replies} == {"application/problem+json"}
    assert all(len(r.json()["detail"]) > 10 for r in replies)


async def test_a_mistake_of_ours_is_a_500_that_tells_nothing() -> None:
    engine = FakeEngine()
    engine.refuse = ZeroDivisionError("secret")
    async with client_of(engine) as client:
        client._transport = httpx.ASGITransport(
            app=client._transport.app,  # type: ignore[attr-defined] # the same app, errors kept in
            raise_app_exceptions=False,
        )
        reply = await client.post("/api/v1/plants/lib/start")

    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert "nosniff" in reply.headers["x-content-type-options"]
