"""The trace of a link: every frame as it went over a real wire, and what it means."""

from collections.abc import Callable

import pytest

from emulated_bench import LIB_POINTS, VRFB_POINTS
from faulty_server import faulty_server, show
from hil.adapters.shared_link import TcpLinks
from hil.checkup.trace import TracingLink
from hil.domain.modbus_pdu import ReadRequest, Request, Table, WriteRequest
from hil.domain.plant import Device, Quirks
from hil.domain.point import Point
from hil.domain.registers import RegisterMap
from scripted_device import Peer, scripted

pytestmark = pytest.mark.real_time

SOC = ReadRequest(Table.HOLDING, 281, 1)


async def trace_of(
    port: int, *requests: Request, points: list[Point] = LIB_POINTS, shared: bool = False
) -> list[str]:
    """The lines of exchanges of one request each."""
    lines: list[str] = []
    quirks = Quirks(single_connection=shared)
    device = Device(host="127.0.0.1", port=port, unit_id=1, quirks=quirks)
    registers = RegisterMap(points={point.name: point for point in points}, v_nominal_kv=20.0)
    inner = TcpLinks(timeout_s=0.4).link(device)
    link = TracingLink(inner, registers, unit_id=1, lines=lines)
    for request in requests:
        await link.exchange([request], within_s=1)
    await link.close()
    return lines


@pytest.mark.parametrize("shared", [False, True])
async def test_reads_and_writes_have_every_byte_and_every_field(shared: bool) -> None:
    setpoints = WriteRequest(Table.HOLDING, 1, (500, 65036), multiple=True)
    async with faulty_server(VRFB_POINTS) as (port, _):
        lines = await trace_of(
            port,
            ReadRequest(Table.HOLDING, 22, 1),
            setpoints,
            ReadRequest(Table.HOLDING, 1, 2),
            points=VRFB_POINTS,
            shared=shared,
        )

    assert lines == [
        (
            "-> 00 01 00 00 00 06 01 03 00 16 00 01  "
            "transaction 1 unit 1 FC3 read of 1 holding register from 22"
        ),
        "<- 00 01 00 00 00 05 01 03 02 13 88  transaction 1 unit 1 FC3 soc=0.5",
        (
            "-> 00 02 00 00 00 0b 01 10 00 01 00 02 04 01 f4 fe 0c  "
            "transaction 2 unit 1 FC16 write of 2 holding registers from 1: 500 65036"
        ),
        (
            "<- 00 02 00 00 00 06 01 10 00 01 00 02  "
            "transaction 2 unit 1 FC16 acknowledged: write of 2 holding registers from 1"
        ),
        (
            "-> 00 03 00 00 00 06 01 03 00 01 00 02  "
            "transaction 3 unit 1 FC3 read of 2 holding registers from 1"
        ),
        (
            "<- 00 03 00 00 00 07 01 03 04 01 f4 fe 0c  "
            "transaction 3 unit 1 FC3 p_setpoint=50 q_setpoint=-50"
        ),
    ]


@pytest.mark.parametrize(
    ("kind", "params", "answer"),
    [
        (
            "exception",
            {"code": 3},
            (
                "<- 00 01 00 00 00 03 01 83 03  "
                "transaction 1 unit 1 FC3 refused: illegal data value (exception 3)"
            ),
        ),
        (
            "wrong_unit_id",
            {"unit_id": 9},
            "<- 00 01 00 00 00 05 09 03 02 13 88  transaction 1 unit 9 FC3 soc=0.5",
        ),
    ],
)
async def test_what_the_device_said_is_shown_also_when_it_is_not_taken(
    kind: str, params: dict[str, float], answer: str
) -> None:
    async with faulty_server() as (port, plant):
        show(plant, kind, **params)
        lines = await trace_of(port, SOC)

    assert lines[1] == answer
    assert [line for line in lines if "unit id 9 instead of 1" in line] == lines[2:]


@pytest.mark.parametrize(
    ("send", "shown"),
    [
        (
            lambda peer, _: peer.send(b"HTTP/1.1 400"),
            "48 54 54 50 2f 31 2e 31 20 34 30 30  no Modb",
        ),
        (lambda peer, _: peer.send(b"\0\1\0\0"), "00 01 00 00  a part of a frame"),
        (
            lambda peer, _: peer.send(bytes.fromhex("0001 0000 0005 01 04 02 1388")),
            "00 01 00 00 00 05 01 04 02 13 88  transaction 1 unit 1 FC4 no answer to this request",
        ),
    ],
)
async def test_garbage_is_shown_as_it_came(send: Callable[[Peer, int], None], shown: str) -> None:
    async with scripted(lambda peer, transaction, *_: send(peer, transaction)) as device:
        lines = await trace_of(device.port, SOC)

    assert lines[1].startswith(f"<- {shown}")
    assert len(lines) == 3


async def test_silence_is_said() -> None:
    async with faulty_server() as (port, plant):
        show(plant, "silent_accept")
        lines = await trace_of(port, SOC)

    assert len(lines) == 2
    assert lines[1].startswith("<- nothing: 127.0.0.1")
