"""The picture and its stream, in virtual time."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise

import orjson
import pytest

from asgi_stream import AsgiStream, names
from hil.web import stream as stream_module
from web_support import LIB, VRFB, FakeEngine, app_of, client_of

STREAM = "/api/v1/stream"


async def test_state_is_the_snapshot_as_json() -> None:
    engine = FakeEngine()
    async with client_of(engine) as client:
        reply = await client.get("/api/v1/state")

    assert reply.status_code == 200
    assert reply.json() == orjson.loads(orjson.dumps(engine.picture))
    assert reply.json()["plants"]["lib"]["measurement"]["v_poi_kV"] == 20.01
    assert reply.headers["cache-control"] == "no-store"


async def test_a_filter_narrows_plants_and_posting() -> None:
    async with client_of(FakeEngine()) as client:
        body = (await client.get("/api/v1/state?plants=vrfb")).json()
        unknown = await client.get("/api/v1/state?plants=lib,flywheel")

    assert list(body["plants"]) == list(body["posting"]["plants"]) == ["vrfb"]
    assert unknown.status_code == 404
    assert "'flywheel'" in unknown.json()["detail"]


async def test_the_first_event_is_the_present_state_and_pings_follow() -> None:
    engine = FakeEngine()
    async with AsgiStream(app_of(engine), STREAM) as reader:
        loop = asyncio.get_running_loop()
        first = await reader.event()
        at = [loop.time()]
        for _ in range(3):
            assert (await reader.event())[0] == "ping"
            at.append(loop.time())

    assert reader.headers["content-type"].startswith("text/event-stream")
    assert reader.headers["x-accel-buffering"] == "no"
    assert first == ("state", orjson.loads(orjson.dumps(engine.picture)))
    assert max(later - earlier for earlier, later in pairwise(at)) <= 2.0


async def test_changes_come_at_most_twice_a_second_and_the_newest_always_comes() -> None:
    engine = FakeEngine()
    seen: list[tuple[float, int]] = []
    async with AsgiStream(app_of(engine), STREAM) as reader:
        loop = asyncio.get_running_loop()

        async def read() -> None:
            while not seen or seen[-1][1] < 101:
                name, data = await reader.event()
                if name == "state":
                    seen.append((loop.time(), data["seq"]))

        reading = asyncio.create_task(read())
        for _ in range(100):
            await asyncio.sleep(0.03)
            engine.publish()
        await reading

    times = [at for at, _ in seen]
    assert min(b - a for a, b in pairwise(times)) >= 0.499
    assert seen[-1][1] == 101
    assert len(seen) <= 8


async def test_pings_come_between_states_too() -> None:
    engine = FakeEngine()
    pinged_at = [0.0]
    async with AsgiStream(app_of(engine), STREAM) as reader:

        async def read() -> None:
            while pinged_at[-1] < 9:
                if (await reader.event())[0] == "ping":
                    pinged_at.append(asyncio.get_running_loop().time())

        reading = asyncio.create_task(read())
        while not reading.done():
            await asyncio.sleep(0.1)
            engine.publish()
        await reading

    assert max(b - a for a, b in pairwise(pinged_at)) <= 2.0


async def test_a_slow_reader_skips_to_the_newest() -> None:
    engine = FakeEngine()
    app = app_of(engine)
    async with AsgiStream(app, STREAM) as reader:
        await reader.event()
        for _ in range(20):
            engine.publish()
        name, data = await reader.event()

    assert (name, data["seq"]) == ("state", 21)


async def test_every_one_of_many_readers_gets_every_newest_picture() -> None:
    engine = FakeEngine()
    app = app_of(engine)
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(AsgiStream(app, STREAM)) for _ in range(45)]
        for reader in readers:
            await reader.event()
        for seq in range(2, 6):
            engine.publish()
            states = [await _next_state(reader) for reader in readers]
            assert {state["seq"] for state in states} == {seq}


async def _next_state(reader: AsgiStream) -> dict[str, int]:
    while True:
        name, data = await reader.event()
        if name == "state":
            found: dict[str, int] = data
            return found


async def test_filters_of_two_readers_do_not_mix() -> None:
    engine = FakeEngine()
    app = app_of(engine)
    async with (
        AsgiStream(app, STREAM, "plants=lib") as one,
        AsgiStream(app, STREAM, "plants=vrfb") as other,
    ):
        first, second = (await one.event())[1], (await other.event())[1]

    assert list(first["plants"]) == [LIB]
    assert list(second["plants"]) == [VRFB]


async def test_one_reader_too_many_is_told_when_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "MAX_READERS", 2)
    app = app_of(FakeEngine())
    first, second = AsgiStream(app, STREAM), AsgiStream(app, STREAM)
    async with first, second, AsgiStream(app, STREAM) as refused:
        pass
    async with AsgiStream(app, STREAM) as later:
        pass

    assert refused.status == 503
    assert refused.headers["retry-after"] == "5"
    assert refused.headers["content-type"] == "application/problem+json"
    assert later.status == 200


async def test_shutdown_ends_every_stream_at_once() -> None:
    app = app_of(FakeEngine())
    async with AsgiStream(app, STREAM) as one, AsgiStream(app, STREAM) as other:
        await one.event()
        await other.event()
        started = asyncio.get_running_loop().time()
        app.state.feed.end()
        ends = names([*await one.events(2), *await other.events(2)])

        assert ends == ["end", "", "end", ""]
        assert asyncio.get_running_loop().time() == started
    async with AsgiStream(app, STREAM) as late:
        assert late.status == 503


async def test_an_unknown_plant_is_said_before_the_stream_begins() -> None:
    async with AsgiStream(app_of(FakeEngine()), STREAM, "plants=x") as reader:
        assert reader.status == 404
