"""The control port of the emulated plants on real loopback sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson
import pytest

from hil.adapters.data_directory import listen_tcp
from hil.adapters.emulator_control import (
    CONNECTIONS_MAX,
    LINE_BYTES_MAX,
    ControlClient,
    EmulatorControlServer,
)
from hil.domain.errors import HilError, Impossible
from hil.domain.faults import Fault, FaultKind, parse_faults
from hil.domain.plant import PlantId
from hil.ports import EmulatorControl

pytestmark = pytest.mark.real_time
LIB = PlantId("lib")


class FakePlants:
    """Remembers what it was told; refuses a full store."""

    def __init__(self) -> None:
        self.soc_pu: dict[PlantId, float] = {}
        self.shown: dict[FaultKind, Fault] = {}

    async def set_soc(self, plant: PlantId, soc_pu: float) -> None:
        if soc_pu == 1:
            raise Impossible(f"plant {plant} is not idle")
        self.soc_pu[plant] = soc_pu

    async def set_fault(self, plant: PlantId, fault: Fault) -> None:
        self.shown[fault.kind] = fault

    async def clear_fault(self, plant: PlantId, kind: FaultKind | None) -> None:
        for each in list(self.shown) if kind is None else [kind]:
            self.shown.pop(each, None)

    async def faults(self, plant: PlantId) -> tuple[Fault, ...]:
        return tuple(self.shown.values())


@asynccontextmanager
async def served() -> AsyncIterator[tuple[int, FakePlants]]:
    plants = FakePlants()
    server = EmulatorControlServer(plants)
    port = await server.start(0)
    try:
        yield port, plants
    finally:
        await server.close()


async def answers(port: int, data: bytes) -> list[dict[str, object]]:
    """What comes back until the server closes; our end stays open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    got = await reader.read()
    writer.close()
    return [orjson.loads(line) for line in got.splitlines()]


async def test_client_sets_the_charge_of_a_plant() -> None:
    async with served() as (port, plants):
        client: EmulatorControl = ControlClient(port)
        await client.set_soc(LIB, 0.25)
        await client.set_soc(PlantId("vrfb"), 0)

        assert plants.soc_pu == {"lib": 0.25, "vrfb": 0.0}


async def test_refusal_of_a_plant_reaches_the_client_in_its_words() -> None:
    async with served() as (port, _):
        with pytest.raises(HilError, match=r"^plant lib is not idle$"):
            await ControlClient(port).set_soc(LIB, 1)


async def test_connection_goes_on_after_a_refusal() -> None:
    lines = b"".join(
        orjson.dumps({"request": "set_soc", "plant": "lib", "soc_pu": soc}) + b"\n"
        for soc in (1, 0.5)
    )
    async with served() as (port, plants):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(lines)
        writer.write_eof()
        got = (await reader.read()).splitlines()
        writer.close()

        assert [orjson.loads(line)["ok"] for line in got] == [False, True]
        assert plants.soc_pu == {"lib": 0.5}


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"hello\n",
        b"GET / HTTP/1.1\r\n",
        b"[1]\n",
        b"[" * 4000 + b"\n",
        b"\xff\xfe\n",
        b'{"request": "trip", "plant": "lib"}\n',
        b'{"request": "set_soc", "plant": "lib"}\n',
        b'{"request": "set_soc", "plant": "lib", "soc_pu": true}\n',
        b'{"request": "set_soc", "plant": "lib", "soc_pu": "0.5"}\n',
        b'{"request": "set_soc", "plant": "lib", "soc_pu": NaN}\n',
        b'{"request": "set_soc", "plant": 1, "soc_pu": 0.5}\n',
        b'{"request": "set_soc", "plant": "lib", "soc_pu": 0.5, "more": 1}\n',
        b"x" * (LINE_BYTES_MAX + 1),
    ],
)
async def test_line_that_is_no_request_is_answered_and_ends_the_connection(line: bytes) -> None:
    async with served() as (port, plants):
        (answer,) = await answers(port, line)

        assert answer["ok"] is False
        assert answer["error"]
        assert plants.soc_pu == {}


async def test_connections_are_bounded() -> None:
    async with served() as (port, _):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
        (answer,) = await answers(port, b"")

        assert answer["error"] == "too many connections; close one"
        held[0][1].close()
        assert await held[0][0].read() == b""
        for _, writer in held:
            writer.close()


async def test_closing_ends_open_connections() -> None:
    async with served() as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b'{"request": "set_soc", "plant": "lib", "soc_pu": 0.5}\n')
        await reader.readline()

    assert await reader.read() == b""
    writer.close()
    with pytest.raises(HilError, match="cannot be used"):
        await ControlClient(port).set_soc(LIB, 0.5)


async def test_taken_port_is_named() -> None:
    listener = listen_tcp("127.0.0.1", 0, what="another program")
    port = listener.getsockname()[1]

    with pytest.raises(HilError, match=f"emulated plants cannot listen on 127.0.0.1:{port}"):
        await EmulatorControlServer(FakePlants()).start(port)
    listener.close()


@pytest.mark.parametrize(
    "answer", [b"", b"hello\n", b"[]\n", b"{}\n", b'{"ok": 1}\n', b"x" * 10_000, b"silence"]
)
async def test_client_gives_up_on_what_is_no_answer(answer: bytes) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        if answer == b"silence":
            await reader.read()
        writer.write(answer)
        writer.close()
        gone.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(HilError, match=f"127.0.0.1:{port} cannot be used"):
        await ControlClient(port, within_s=0.2).set_soc(LIB, 0.5)
    await gone.wait()
    server.close()
    await server.wait_closed()


async def test_faults_are_set_listed_and_cleared() -> None:
    (delay,) = parse_faults({"kind": "delay", "ms": 40, "for_s": 9})
    async with served() as (port, plants):
        client: EmulatorControl = ControlClient(port)
        await client.set_fault(LIB, delay)
        request = {"request": "set_fault", "plant": "lib", "fault": {"kind": "old_gateway"}}
        await answers_one(port, request)

        listed = await client.faults(LIB)
        assert listed == tuple(plants.shown.values())
        assert {str(fault) for fault in listed} == {
            "delay ms=50",
            "max_block registers=16 code=3",
            "gap_refusal code=2",
            "fc6_only",
        }

        await client.clear_fault(LIB, FaultKind.DELAY)
        assert FaultKind.DELAY not in plants.shown
        await client.clear_fault(LIB, None)
        assert await client.faults(LIB) == ()


async def test_wrong_fault_is_named() -> None:
    async with served() as (port, _):
        request = {"request": "set_fault", "plant": "lib", "fault": {"kind": "delay", "ms": -1}}
        answer = await answers_one(port, request)

    assert answer["ok"] is False
    assert "ms: must be from 0 to 600000" in str(answer["error"])


async def answers_one(port: int, request: Mapping[str, object]) -> dict[str, object]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(orjson.dumps(request) + b"\n")
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    answer: dict[str, object] = orjson.loads(line)
    return answer
