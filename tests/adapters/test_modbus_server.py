"""Our Modbus server against raw clients on real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from hil.adapters.modbus_server import MAX_CONNECTIONS, ModbusServer
from hil.domain.errors import HilError
from hil.domain.modbus_frame import encode_frame
from hil.domain.modbus_pdu import (
    ExceptionCode,
    ReadRequest,
    Refusal,
    Request,
    Response,
    Table,
    WriteRequest,
    encode_request,
    encode_response,
)
from scripted_device import right_answer

pytestmark = pytest.mark.real_time

READ = ReadRequest(Table.HOLDING, 270, 3)
SILENT_AT = 999
REFUSED_AT = 998


class Bank:
    """A handler that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def handle(self, request: Request) -> Response | None:
        self.asked.append(request)
        if isinstance(request, ReadRequest) and request.address == SILENT_AT:
            return None
        if isinstance(request, ReadRequest) and request.address == REFUSED_AT:
            return Refusal(ExceptionCode.ILLEGAL_DATA_ADDRESS)
        return right_answer(request)


class RawClient:
    """A socket's end without any Modbus in it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, wire: bytes | str) -> None:
        self.writer.write(bytes.fromhex(wire) if isinstance(wire, str) else wire)

    async def take(self, wire: bytes | str) -> None:
        """Assert that exactly these bytes come next."""
        wanted = bytes.fromhex(wire) if isinstance(wire, str) else wire
        assert await self.reader.readexactly(len(wanted)) == wanted

    async def is_closed(self) -> bool:
        """Wait for what comes next; True when it is the end of the connection."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(bank: Bank) -> AsyncIterator[int]:
    server = ModbusServer(bank.handle, unit_id=1)
    port = await server.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def raw_client(port: int) -> AsyncIterator[RawClient]:
    client = RawClient(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield client
    finally:
        await client.close()


def asked(transaction: int, request: Request) -> bytes:
    return encode_frame(transaction, 1, encode_request(request))


def answered(transaction: int, request: Request) -> bytes:
    return encode_frame(transaction, 1, encode_response(request, right_answer(request)))


async def test_several_requests_in_one_segment_are_answered_in_order() -> None:
    bank = Bank()
    requests = [ReadRequest(Table.HOLDING, address, 2) for address in range(50)]
    async with serving(bank) as port, raw_client(port) as client:
        client.send(b"".join(asked(index, request) for index, request in enumerate(requests)))
        for index, request in enumerate(requests):
            await client.take(answered(index, request))
    assert bank.asked == requests


async def test_a_request_byte_by_byte_is_one_request() -> None:
    bank = Bank()
    async with serving(bank) as port, raw_client(port) as client:
        for byte in asked(7, READ):
            client.send(bytes((byte,)))
            await asyncio.sleep(0)
        await client.take(answered(7, READ))
    assert bank.asked == [READ]


@pytest.mark.parametrize(
    ("wire", "reply"),
    [
        ("0001 0000 0002 01 07", "0001 0000 0003 01 87 01"),
        ("0002 0000 0005 01 2B 0E 01 00", "0002 0000 0003 01 AB 01"),
        ("0003 0000 0006 01 03 0000 0000", "0003 0000 0003 01 83 03"),
        ("0004 0000 0006 01 03 0000 007E", "0004 0000 0003 01 83 03"),
        ("0005 0000 0006 01 03 FFFF 0002", "0005 0000 0003 01 83 02"),
        ("0006 0000 0006 01 05 0000 0001", "0006 0000 0003 01 85 03"),
        ("0007 0000 0009 01 10 0000 0002 02 0001", "0007 0000 0003 01 90 03"),
        ("0008 0000 0006 02 03 0000 0001", "0008 0000 0003 02 83 0B"),
        ("0009 0000 0006 00 03 0000 0001", "0009 0000 0003 00 83 0B"),
        ("000A 0000 0002 02 07", "000A 0000 0003 02 87 0B"),
    ],
)
async def test_what_cannot_be_granted_is_refused_without_asking_the_plant(
    wire: str, reply: str
) -> None:
    bank = Bank()
    async with serving(bank) as port, raw_client(port) as client:
        client.send(wire)
        await client.take(reply)
        client.send(asked(9, READ))  # and the connection goes on
        await client.take(answered(9, READ))
    assert bank.asked == [READ]


async def test_a_refusal_of_the_plant_goes_out_as_an_exception() -> None:
    async with serving(Bank()) as port, raw_client(port) as client:
        client.send(asked(1, ReadRequest(Table.HOLDING, REFUSED_AT, 1)))
        await client.take("0001 0000 0003 01 83 02")


async def test_a_silent_plant_gets_no_answer_sent() -> None:
    async with serving(Bank()) as port, raw_client(port) as client:
        client.send(asked(1, ReadRequest(Table.HOLDING, SILENT_AT, 1)) + asked(2, READ))
        await client.take(answered(2, READ))


@pytest.mark.parametrize(
    "garbage", ["474554202F", "0001 0001 0006 01 03 0000 0001", "0001 0000 0001 01", "0001 0000 FF"]
)
async def test_garbage_closes_the_connection_after_what_came_before_it(garbage: str) -> None:
    async with serving(Bank()) as port, raw_client(port) as client:
        client.send(asked(1, READ) + bytes.fromhex(garbage))
        await client.take(answered(1, READ))
        assert await client.is_closed()
        async with raw_client(port) as other:  # the server goes on
            other.send(asked(2, READ))
            await other.take(answered(2, READ))


async def test_a_client_that_does_not_read_is_not_read_from() -> None:
    bank = Bank()
    read = ReadRequest(Table.HOLDING, 0, 125)
    count = 60_000  # answers of 15 MB, more than the system's buffers hold
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with contextlib.AsyncExitStack() as stack:
            server = ModbusServer(bank.handle, unit_id=1)
            port = await server.start("127.0.0.1", 0)
            stack.push_async_callback(server.close)
            loop = asyncio.get_running_loop()
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", port))
            wire = b"".join(asked(index & 0xFFFF, read) for index in range(count))
            sending = asyncio.create_task(loop.sock_sendall(sock, wire))
            still = 0
            while still < 200:  # turns of the loop in which nothing more was handled
                before = len(bank.asked)
                await asyncio.sleep(0)
                still = still + 1 if len(bank.asked) == before else 0
            assert len(bank.asked) < count
            (connection,) = server._clients.connections
            assert not connection._transport.is_reading()
            assert connection._transport.get_write_buffer_size() < 70_000

            got = bytearray()
            wanted = b"".join(answered(index & 0xFFFF, read) for index in range(count))
            while len(got) < len(wanted):
                got += await loop.sock_recv(sock, 1 << 20)
            assert bytes(got) == wanted
            await sending
    assert len(bank.asked) == count


async def test_the_newest_connection_beyond_the_bound_is_closed() -> None:
    async with serving(Bank()) as port, contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(raw_client(port)) for _ in range(MAX_CONNECTIONS)
        ]
        for client in clients:
            client.send(asked(1, READ))
            await client.take(answered(1, READ))
        async with raw_client(port) as newest:
            assert await newest.is_closed()
        clients[0].send(asked(2, READ))
        await clients[0].take(answered(2, READ))

        await clients[0].close()
        while True:  # until the server has seen that one leave
            async with raw_client(port) as newest:
                newest.send(asked(3, READ))
                if not await newest.is_closed():
                    break


async def test_a_port_in_use_is_named_with_what_to_do() -> None:
    async with serving(Bank()) as port:
        second = ModbusServer(Bank().handle, unit_id=1)
        with pytest.raises(HilError, match=rf"127\.0\.0\.1:{port}: address already in use; stop"):
            await second.start("127.0.0.1", port)
        await second.close()


async def test_an_address_of_another_machine_is_not_said_to_be_in_use() -> None:
    server = ModbusServer(Bank().handle, unit_id=1)
    with pytest.raises(HilError) as refused:
        await server.start("192.0.2.1", 0)

    assert str(refused.value) == (
        "cannot serve Modbus on 192.0.2.1:0: this machine does not have the address;"
        " configure one that it has"
    )


async def test_close_drops_every_connection_and_the_port_is_free_again() -> None:
    bank = Bank()
    server = ModbusServer(bank.handle, unit_id=1)
    port = await server.start("127.0.0.1", 0)
    async with raw_client(port) as client:
        client.send(asked(1, READ))
        await client.take(answered(1, READ))
        await server.close()
        assert await client.is_closed()
    await server.close()

    assert await server.start("127.0.0.1", port) == port
    async with raw_client(port) as client:
        client.send(asked(2, WriteRequest(Table.HOLDING, 86, (1,), multiple=False)))
        await client.take("0002 0000 0006 01 06 0056 0001")
    await server.close()
