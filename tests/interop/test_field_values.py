"""Values of every format and order as an independent client sees them on the wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import pytest
from pymodbus.client import AsyncModbusTcpClient

from emulated_bench import LIB_POINTS, spec_of
from faulty_server import LeapingClock, faulty_server, show
from hil.adapters.modbus_client import TcpLink
from hil.domain.modbus_pdu import ReadReply, ReadRequest
from hil.domain.plant import Device, Transport
from hil.domain.point import ByteOrder, Format, Point, WordOrder
from hil.domain.registers import WORDS, RegisterMap, WriteFunction
from hil.emulation.faulty import FaultyPlant

pytestmark = pytest.mark.real_time

P_SETPOINT, P_BATTERY = 600, 700
ORDERS = [(bytes_, words) for bytes_ in ByteOrder for words in WordOrder]
THEIRS = {
    Format.INT16: AsyncModbusTcpClient.DATATYPE.INT16,
    Format.UINT16: AsyncModbusTcpClient.DATATYPE.UINT16,
    Format.INT32: AsyncModbusTcpClient.DATATYPE.INT32,
    Format.UINT32: AsyncModbusTcpClient.DATATYPE.UINT32,
    Format.INT64: AsyncModbusTcpClient.DATATYPE.INT64,
    Format.UINT64: AsyncModbusTcpClient.DATATYPE.UINT64,
    Format.FLOAT32: AsyncModbusTcpClient.DATATYPE.FLOAT32,
    Format.FLOAT64: AsyncModbusTcpClient.DATATYPE.FLOAT64,
}


def changed(**keys: Any) -> list[Point]:
    """The map of the LIB with its active power in another format, at addresses with room."""
    at = {"p_setpoint": P_SETPOINT, "p_battery": P_BATTERY}
    return [
        replace(point, address=at[point.name], **{"scale": 1.0, **keys})
        if point.name in at
        else point
        for point in LIB_POINTS
    ]


def map_of(points: list[Point]) -> RegisterMap:
    return spec_of(points).endpoints[Transport.LOCAL].registers


@asynccontextmanager
async def served(
    points: list[Point],
) -> AsyncIterator[tuple[AsyncModbusTcpClient, TcpLink, FaultyPlant, LeapingClock]]:
    """The plant, their client and ours."""
    clock = LeapingClock()
    async with faulty_server(points, clock=clock) as (port, plant):
        theirs = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=3.0, retries=0)
        ours = TcpLink(Device(host="127.0.0.1", port=port, unit_id=1), timeout_s=5)
        assert await theirs.connect()
        try:
            yield theirs, ours, plant, clock
        finally:
            theirs.close()
            await ours.close()


async def write(link: TcpLink, registers: RegisterMap, **values: float) -> None:
    requests = registers.write_requests(values, function=WriteFunction.MULTIPLE)
    outcome = await link.exchange(requests, within_s=10)
    assert outcome.problem is None, outcome


async def read(client: AsyncModbusTcpClient, address: int, count: int) -> list[int]:
    return list((await client.read_holding_registers(address, count=count)).registers)


def in_big_endian(words: list[int], order: ByteOrder) -> list[int]:
    if order is ByteOrder.BIG:
        return words
    return [(word & 0xFF) << 8 | word >> 8 for word in words]


@pytest.mark.parametrize("format_", Format)
@pytest.mark.parametrize(("byte_order", "word_order"), ORDERS)
async def test_what_we_write_is_what_they_read_and_the_other_way_round(
    format_: Format, byte_order: ByteOrder, word_order: WordOrder
) -> None:
    points = changed(format=format_, byte_order=byte_order, word_order=word_order)
    registers, length = map_of(points), WORDS[format_]
    value = 404.0 if format_.startswith("uint") else -221.0
    their_order: Literal["big", "little"] = "big" if word_order is WordOrder.MSW_FIRST else "little"
    async with served(points) as (client, link, _, __):
        await write(link, registers, p_setpoint=value)
        words = in_big_endian(await read(client, P_SETPOINT, length), byte_order)
        got = client.convert_from_registers(words, THEIRS[format_], word_order=their_order)
        assert got == value

        other = 221.0 if format_.startswith("float") else 221
        sent = client.convert_to_registers(other, THEIRS[format_], word_order=their_order)
        await client.write_registers(P_SETPOINT, in_big_endian(sent, byte_order))
        reply = await link.exchange([_read_of(registers.points["p_setpoint"])], within_s=10)
        assert isinstance(reply.responses[0], ReadReply)
        assert registers.decode("p_setpoint", reply.responses[0].values) == 221.0


def _read_of(point: Point) -> ReadRequest:
    return ReadRequest(point.table, point.address, point.length)


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        ({"format": Format.INT32, "word_order": WordOrder.LSW_FIRST}, -221.0, [0xFF23, 0xFFFF]),
        ({"format": Format.INT32}, -14417921.0, [0xFF23, 0xFFFF]),
        ({"format": Format.FLOAT32}, 404.17, [0x43CA, 0x15C3]),
    ],
)
async def test_the_words_on_the_wire_are_those_of_the_sheet(
    keys: dict[str, Any], value: float, words: list[int]
) -> None:
    points = changed(**keys)
    async with served(points) as (client, link, _, __):
        await write(link, map_of(points), p_setpoint=value)

        assert await read(client, P_SETPOINT, 2) == words


async def test_a_measurement_is_served_as_the_map_says() -> None:
    points = changed(format=Format.FLOAT32)
    async with served(points) as (client, link, _, clock):
        await write(link, map_of(points), enable=1.0, p_setpoint=404.5)
        clock.leap(20)

        words = await read(client, P_BATTERY, 2)
        got = client.convert_from_registers(words, THEIRS[Format.FLOAT32])
        assert got == pytest.approx(404.5, abs=0.01)


async def test_a_torn_value_mixes_two_readings_and_one_request_reads_it_whole() -> None:
    points = changed(format=Format.INT32, scale=0.0001)
    async with served(points) as (client, link, plant, clock):
        await write(link, map_of(points), enable=1.0, p_setpoint=300.0)
        clock.leap(20)
        before = await read(client, P_BATTERY, 2)
        await write(link, map_of(points), p_setpoint=900.0)
        first = await read(client, P_BATTERY, 1)
        clock.leap(20)
        second = await read(client, P_BATTERY + 1, 1)
        whole = await read(client, P_BATTERY, 2)
        assert first + second == [before[0], whole[1]]  # two requests tear it by themselves
        assert first + second != whole

        show(plant, "torn_32bit")
        await write(link, map_of(points), p_setpoint=300.0)
        clock.leap(20)
        assert await read(client, P_BATTERY, 2) == [whole[0], before[1]]
