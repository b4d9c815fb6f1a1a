"""A raw Modbus server that does what a script says, for tests of the client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from hil.adapters.modbus_client import TcpLink
from hil.domain.modbus_frame import FrameSplitter, encode_frame
from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    Request,
    Response,
    Table,
    WriteReply,
    WriteRequest,
    decode_request,
    encode_response,
)
from hil.domain.plant import Device
from hil.domain.snapshot import LinkStatus
from hil.ports import Exchange

LONG_S = 60.0  # longer than any test may take: what ends before was not this time-out
SHORT_S = 0.02
READ = ReadRequest(Table.HOLDING, 270, 3)
WRITE = WriteRequest(Table.HOLDING, 86, (7, 8), multiple=True)


class Peer(asyncio.Protocol):
    """The device's end of one connection; hands each request to the script."""

    def __init__(self, device: "ScriptedDevice") -> None:
        self.device = device
        self.splitter = FrameSplitter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.device.accepted += 1
        self.device.open.add(self)
        self.device.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.device.open.discard(self)
        self.device.changed.set()

    def data_received(self, data: bytes) -> None:
        self.splitter.feed(data)
        while (frame := self.splitter.next()) is not None:
            self.device.asked.append(frame)
            self.device.changed.set()
            self.device.script(self, *frame)

    def send(self, wire: bytes) -> None:
        self.transport.write(wire)


Script = Callable[[Peer, int, int, bytes], None]


class ScriptedDevice:
    """A raw server; `script` is called with peer, transaction id, unit id and PDU."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.port = 0
        self.accepted = 0
        self.asked: list[tuple[int, int, bytes]] = []
        self.open: set[Peer] = set()
        self.changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Peer(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for peer in tuple(self.open):
            peer.transport.abort()
        await self.until(lambda: not self.open)

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self.changed.clear()
            await self.changed.wait()

    def link(self, *, timeout_s: float = LONG_S, unit_id: int = 1) -> TcpLink:
        device = Device(host="127.0.0.1", port=self.port, unit_id=unit_id)
        return TcpLink(device, timeout_s=timeout_s)


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[ScriptedDevice]:
    device = ScriptedDevice(script)
    await device.start()
    try:
        yield device
    finally:
        await device.stop()


def right_answer(request: Request) -> Response:
    """Values that tell which request they answer."""
    if isinstance(request, ReadRequest):
        return ReadReply(tuple(range(request.address, request.address + request.count)))
    return WriteReply()


def right_frame(transaction: int, unit_id: int, pdu: bytes) -> bytes:
    request = decode_request(pdu)
    return encode_frame(transaction, unit_id, encode_response(request, right_answer(request)))


def answer(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
    peer.send(right_frame(transaction, unit_id, pdu))


def silence(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
    pass


async def ask(link: TcpLink, *requests: Request, within_s: float = LONG_S) -> Exchange:
    return await link.exchange(requests, within_s=within_s)


def assert_problem(outcome: Exchange, status: LinkStatus, *words: str) -> None:
    assert outcome.problem is not None, outcome
    assert outcome.problem.status is status, outcome.problem
    for word in words:
        assert word in outcome.problem.text, outcome.problem
