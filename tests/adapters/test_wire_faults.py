"""Faults of the way to a plant: what a raw client and our own link see on real sockets."""

import asyncio
from contextlib import suppress

import pytest

from faulty_server import faulty_server, show
from hil.adapters.modbus_client import TcpLink
from hil.domain.faults import FaultKind
from hil.domain.modbus_frame import encode_frame
from hil.domain.modbus_pdu import ReadReply, ReadRequest, Request, Table, WriteRequest
from hil.domain.modbus_pdu import encode_request as pdu_of
from hil.domain.plant import Device
from hil.domain.snapshot import LinkStatus
from hil.emulation.faulty import FaultyPlant

pytestmark = pytest.mark.real_time

SOC = ReadRequest(Table.HOLDING, 281, 1)
SETPOINT = ReadRequest(Table.HOLDING, 86, 1)
WRITE = WriteRequest(Table.HOLDING, 86, (70,), multiple=False)
SOC_REPLY = bytes.fromhex("03 02 1388")
LATER_S = 0.08


class Raw:
    """A client that shows what comes, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Raw":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def ask(self, transaction: int, request: Request) -> None:
        self._writer.write(encode_frame(transaction, 1, pdu_of(request)))

    async def frame(self) -> tuple[int, int, bytes]:
        """Transaction, unit and PDU of the next answer."""
        head = await self._reader.readexactly(7)
        pdu = await self._reader.readexactly(int.from_bytes(head[4:6], "big") - 1)
        return int.from_bytes(head[:2], "big"), head[6], pdu

    async def end(self) -> str:
        """How the connection ends: `closed` or `reset`."""
        try:
            return "closed" if await self._reader.read(1) == b"" else "open"
        except ConnectionResetError:
            return "reset"

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def link_status(port: int, *requests: Request, timeout_s: float = 0.3) -> str:
    """How an exchange of our own link goes."""
    link = TcpLink(Device(host="127.0.0.1", port=port), timeout_s=timeout_s)
    outcome = await link.exchange(requests, within_s=2 * timeout_s)
    await link.close()
    return "ok" if outcome.problem is None else outcome.problem.status.value


def holds(plant: FaultyPlant) -> int:
    """The number in the setpoint register."""
    plant.clear_fault(None)
    reply = plant.handle(SETPOINT)
    assert isinstance(reply, ReadReply)
    return reply.values[0]


async def test_delayed_answers_come_in_order_and_late() -> None:
    async with faulty_server() as (port, plant):
        show(plant, "delay", ms=1000 * LATER_S)
        raw = await Raw.open(port)
        began_s = asyncio.get_running_loop().time()
        raw.ask(1, SOC)
        raw.ask(2, SOC)

        assert [(await raw.frame())[0], (await raw.frame())[0]] == [1, 2]
        assert asyncio.get_running_loop().time() - began_s >= 1.9 * LATER_S
        plant.clear_fault(FaultKind.DELAY)
        raw.ask(3, SOC)
        assert await raw.frame() == (3, 1, SOC_REPLY)
        await raw.close()


async def test_answers_that_are_slow_together_are_told_from_a_silent_device() -> None:
    async with faulty_server() as (port, plant):
        show(plant, "delay", ms=100)
        link = TcpLink(Device(host="127.0.0.1", port=port, unit_id=1), timeout_s=0.4)
        slow = await link.exchange([SOC] * 9, within_s=0.65)
        show(plant, "silent_accept")
        silent = await link.exchange([SOC] * 9, within_s=0.65)
        await link.close()

        assert slow.problem is not None
        assert "use longer periods, or quirks.max_fill" in slow.problem.text
        assert 0 < len(slow.responses) < 9
        assert silent.problem is not None
        assert "check that it serves unit id 1" in silent.problem.text


async def test_late_answer_is_overtaken() -> None:
    async with faulty_server() as (port, plant):
        show(plant, "late_answer", s=LATER_S, every=2)
        raw = await Raw.open(port)
        for transaction in (1, 2, 3):
            raw.ask(transaction, SOC)

        assert [(await raw.frame())[0] for _ in range(3)] == [1, 3, 2]
        await raw.close()


async def test_stale_answer_has_the_transaction_of_the_one_before() -> None:
    async with faulty_server() as (port, plant):
        raw = await Raw.open(port)
        raw.ask(1, SOC)
        await raw.frame()
        show(plant, "stale_answer")
        raw.ask(2, SETPOINT)
        raw.ask(3, SOC)

        assert await raw.frame() == (1, 1, SOC_REPLY)
        assert (await raw.frame())[0] == 2
        await raw.close()
        assert await link_status(port, SOC, SOC) in {LinkStatus.ERROR, LinkStatus.TIMEOUT}


async def test_answers_of_another_unit_are_not_taken() -> None:
    async with faulty_server() as (port, plant):
        show(plant, "wrong_unit_id", unit_id=9)
        raw = await Raw.open(port)
        raw.ask(1, SOC)

        assert await raw.frame() == (1, 9, SOC_REPLY)
        await raw.close()
        assert await link_status(port, SOC) == LinkStatus.ERROR


@pytest.mark.parametrize(("kind", "end"), [("drop", "closed"), ("reset", "reset")])
async def test_connection_ends_after_the_write_was_carried_out(kind: str, end: str) -> None:
    async with faulty_server() as (port, plant):
        show(plant, kind)
        raw = await Raw.open(port)
        raw.ask(1, WRITE)

        assert await raw.end() == end
        await raw.close()
        assert await link_status(port, SOC) == LinkStatus.ERROR
        assert holds(plant) == 70


async def test_silent_device_takes_connections_and_carries_nothing_out() -> None:
    async with faulty_server() as (port, plant):
        show(plant, "silent_accept")

        assert await link_status(port, WRITE, timeout_s=0.1) == LinkStatus.TIMEOUT
        assert holds(plant) == 0


async def test_device_is_silent_for_a_while_after_connecting() -> None:
    async with faulty_server() as (port, plant):
        show(plant, "silent_accept", first_s=LATER_S)
        await listened(port)
        raw = await Raw.open(port)
        raw.ask(1, SOC)
        await asyncio.sleep(2 * LATER_S)
        raw.ask(2, SOC)

        assert await raw.frame() == (2, 1, SOC_REPLY)
        await raw.close()


async def test_refusing_device_drops_its_connections_and_comes_back_in_its_time() -> None:
    async with faulty_server() as (port, plant):
        raw = await Raw.open(port)
        raw.ask(1, SOC)
        await raw.frame()
        show(plant, "refuse", for_s=0.4)

        assert await raw.end() in {"closed", "reset"}
        await raw.close()
        assert await link_status(port, SOC) == LinkStatus.REFUSED
        await listened(port)
        assert await link_status(port, SOC) == "ok"
        assert plant.faults() == ()


async def listened(port: int) -> None:
    """Return once somebody takes connections."""
    while True:
        with suppress(ConnectionError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(0.01)


async def test_only_place_is_taken_until_a_while_after_its_connection() -> None:
    async with faulty_server() as (port, plant):
        await asyncio.sleep(0)
        show(plant, "single_connection", hold_s=LATER_S)
        await asyncio.sleep(0.01)
        first = await Raw.open(port)
        first.ask(1, SOC)
        await first.frame()

        second = await Raw.open(port)
        assert await second.end() in {"closed", "reset"}
        await second.close()
        await first.close()
        third = await Raw.open(port)
        assert await third.end() in {"closed", "reset"}
        await third.close()
        await asyncio.sleep(2 * LATER_S)
        assert await link_status(port, SOC) == "ok"
