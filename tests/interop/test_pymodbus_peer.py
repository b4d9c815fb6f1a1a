"""Our client and server against an independent implementation, over all functions both know."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hil.adapters.modbus_client import TcpLink
from hil.adapters.modbus_server import ModbusServer
from hil.domain.modbus_pdu import (
    MAX_READ_BITS,
    MAX_READ_REGISTERS,
    MAX_READ_WRITE_REGISTERS,
    MAX_WRITE_BITS,
    MAX_WRITE_REGISTERS,
    ExceptionCode,
    ReadReply,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Request,
    Response,
    Table,
    WriteReply,
    WriteRequest,
)
from hil.domain.plant import Device
from hil.domain.snapshot import LinkStatus
from hil.ports import Exchange

pytestmark = pytest.mark.real_time

SIZE = 2500  # elements in each table
WORDS = tuple(index * 523 & 0xFFFF for index in range(SIZE))
BITS = tuple(1 if index % 3 == 0 or index % 7 == 0 else 0 for index in range(SIZE))
BUSY_AT = 77


class Bank:
    """Four tables of `SIZE` elements, as the peer's device has them."""

    def __init__(self) -> None:
        self.tables = {
            Table.COIL: list(BITS),
            Table.DISCRETE: list(BITS),
            Table.HOLDING: list(WORDS),
            Table.INPUT: list(WORDS),
        }

    def handle(self, request: Request) -> Response | None:
        if isinstance(request, ReadWriteRequest):
            self._write(Table.HOLDING, request.write_address, request.values)
            return self._read(Table.HOLDING, request.read_address, request.read_count)
        if isinstance(request, WriteRequest):
            return self._write(request.table, request.address, request.values)
        return self._read(request.table, request.address, request.count)

    def _read(self, table: Table, address: int, count: int) -> Response:
        if table is Table.INPUT and address == BUSY_AT:
            return Refusal(ExceptionCode.SERVER_DEVICE_BUSY)
        if address + count > SIZE:
            return Refusal(ExceptionCode.ILLEGAL_DATA_ADDRESS)
        return ReadReply(tuple(self.tables[table][address : address + count]))

    def _write(self, table: Table, address: int, values: tuple[int, ...]) -> Response:
        if address + len(values) > SIZE:
            return Refusal(ExceptionCode.ILLEGAL_DATA_ADDRESS)
        self.tables[table][address : address + len(values)] = values
        return WriteReply()


async def busy_at(
    function: int, _start: int, address: int, _count: int, _now: object, _values: object
) -> ExcCodes | None:
    return ExcCodes.DEVICE_BUSY if function == 4 and address == BUSY_AT else None


@contextlib.asynccontextmanager
async def our_client() -> AsyncIterator[TcpLink]:
    """Our client, connected to the peer's server."""
    bits = [SimData(0, values=[bool(bit) for bit in BITS], datatype=DataType.BITS)]
    words = [SimData(0, values=list(WORDS), datatype=DataType.REGISTERS)]
    device = SimDevice(1, simdata=(bits, bits, words, words), action=busy_at)
    server = ModbusTcpServer(device, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    assert isinstance(server.transport, asyncio.Server)
    port = server.transport.sockets[0].getsockname()[1]
    link = TcpLink(Device(host="127.0.0.1", port=port), timeout_s=5.0)
    try:
        yield link
    finally:
        await link.close()
        await server.shutdown()  # type: ignore[no-untyped-call]  # the peer has it untyped


@contextlib.asynccontextmanager
async def their_client(bank: Bank) -> AsyncIterator[AsyncModbusTcpClient]:
    """The peer's client, connected to our server."""
    server = ModbusServer(bank.handle, unit_id=1)
    port = await server.start("127.0.0.1", 0)
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5.0, retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()
        await server.close()


async def test_our_client_reads_every_table_of_their_server() -> None:
    requests = [
        ReadRequest(table, address, count)
        for table, limit in (
            (Table.COIL, MAX_READ_BITS),
            (Table.DISCRETE, MAX_READ_BITS),
            (Table.HOLDING, MAX_READ_REGISTERS),
            (Table.INPUT, MAX_READ_REGISTERS),
        )
        for address, count in ((0, 1), (3, 7), (5, 8), (11, 17), (270, limit))
    ]
    bank = Bank()
    async with our_client() as link:
        outcome = await link.exchange(requests, within_s=10.0)

    assert outcome == Exchange(tuple(_granted(bank, request) for request in requests))


async def test_our_client_writes_what_their_server_then_holds() -> None:
    requests: list[Request] = [
        WriteRequest(Table.COIL, 4, (1,), multiple=False),
        WriteRequest(Table.COIL, 3, (0,), multiple=False),
        WriteRequest(Table.HOLDING, 86, (0xFE0C,), multiple=False),
        WriteRequest(Table.COIL, 20, (1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1), multiple=True),
        WriteRequest(Table.COIL, 100, BITS[:MAX_WRITE_BITS], multiple=True),
        WriteRequest(Table.HOLDING, 300, (1, 0xFFFF), multiple=True),
        WriteRequest(Table.HOLDING, 400, WORDS[-MAX_WRITE_REGISTERS:], multiple=True),
        ReadWriteRequest(298, 4, 301, (7, 8, 9)),
        ReadWriteRequest(600, MAX_READ_REGISTERS, 600, WORDS[-MAX_READ_WRITE_REGISTERS:]),
    ]
    requests += [ReadRequest(Table.HOLDING, start, 100) for start in range(0, 1000, 100)]
    requests += [ReadRequest(Table.COIL, 0, MAX_READ_BITS)]
    bank = Bank()
    async with our_client() as link:
        outcome = await link.exchange(requests, within_s=10.0)

    assert outcome == Exchange(tuple(_granted(bank, request) for request in requests))


async def test_our_client_takes_their_exceptions_as_refusals() -> None:
    async with our_client() as link:
        outcome = await link.exchange(
            [
                ReadRequest(Table.HOLDING, SIZE - 1, 2),
                WriteRequest(Table.HOLDING, SIZE, (1,), multiple=False),
                WriteRequest(Table.COIL, SIZE + 1000, (1, 1), multiple=True),
                ReadRequest(Table.INPUT, BUSY_AT, 1),
                ReadRequest(Table.HOLDING, 0, 1),
            ],
            within_s=10.0,
        )

    refused = [Refusal(code) for code in (2, 2, 2, 6)]
    assert outcome == Exchange((*refused, ReadReply((0,))))


async def test_our_client_names_their_server_going_away() -> None:
    async with our_client() as link:
        await link.exchange([ReadRequest(Table.HOLDING, 0, 1)], within_s=10.0)
        assert ModbusTcpServer.active_server is not None
        await ModbusTcpServer.active_server.shutdown()  # type: ignore[no-untyped-call]  # as above
        outcome = await link.exchange([ReadRequest(Table.HOLDING, 0, 1)], within_s=10.0)

    assert outcome.problem is not None
    assert outcome.problem.status in (LinkStatus.ERROR, LinkStatus.REFUSED)


async def test_their_client_reads_every_table_of_our_server() -> None:
    async with their_client(Bank()) as client:
        for address, count in ((0, 1), (3, 7), (5, 8), (11, 17), (270, MAX_READ_BITS)):
            wanted = [bool(bit) for bit in BITS[address : address + count]]
            for read_bits in (client.read_coils, client.read_discrete_inputs):
                got = await read_bits(address, count=count)
                assert not got.isError()
                assert got.bits[:count] == wanted
        for address, count in ((0, 1), (3, 7), (270, MAX_READ_REGISTERS)):
            for read_words in (client.read_holding_registers, client.read_input_registers):
                got = await read_words(address, count=count)
                assert not got.isError()
                assert got.registers == list(WORDS[address : address + count])


async def test_their_client_writes_what_our_server_then_holds() -> None:
    bank = Bank()
    wanted = Bank()
    async with their_client(bank) as client:
        bits, words = list(BITS[:MAX_WRITE_BITS]), list(WORDS[-MAX_WRITE_REGISTERS:])
        answers = [
            await client.write_coil(4, True),
            await client.write_coil(3, False),
            await client.write_register(86, 0xFE0C),
            await client.write_coils(100, [bool(bit) for bit in bits]),
            await client.write_registers(400, words),
        ]
        both = await client.readwrite_registers(
            read_address=298, read_count=4, write_address=300, values=[7, 8]
        )
        assert not any(answer.isError() for answer in (*answers, both))

    wanted.tables[Table.COIL][3:5] = [0, 1]
    wanted.tables[Table.COIL][100 : 100 + len(bits)] = bits
    wanted.tables[Table.HOLDING][86] = 0xFE0C
    wanted.tables[Table.HOLDING][400 : 400 + len(words)] = words
    wanted.tables[Table.HOLDING][300:302] = [7, 8]
    assert bank.tables == wanted.tables
    assert both.registers == wanted.tables[Table.HOLDING][298:302]


async def test_their_client_gets_our_exceptions() -> None:
    async with their_client(Bank()) as client:
        for answer, code in (
            (await client.read_holding_registers(SIZE - 1, count=2), 2),
            (await client.write_register(SIZE, 1), 2),
            (await client.read_input_registers(BUSY_AT), 6),
            (await client.mask_write_register(address=0), 1),  # a function we do not serve
            (await client.report_device_id(), 1),
            (await client.read_holding_registers(0, count=1, device_id=2), 11),
        ):
            assert answer.isError()
            assert answer.exception_code == code
        assert (await client.read_holding_registers(1)).registers == [WORDS[1]]


def _granted(bank: Bank, request: Request) -> Response:
    response = bank.handle(request)
    assert isinstance(response, ReadReply | WriteReply)
    return response
