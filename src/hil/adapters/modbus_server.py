"""A Modbus TCP server: one unit whose answers come from a handler."""

import asyncio
import errno
import logging
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from hil.domain.errors import HilError
from hil.domain.modbus_frame import FrameSplitter, encode_frame
from hil.domain.modbus_pdu import (
    ExceptionCode,
    ProtocolError,
    Request,
    Response,
    decode_request,
    encode_refusal,
    encode_response,
)
from hil.ports import Answer, Door, Manner

log = logging.getLogger(__name__)

# A plant has one master, and a few tools look in. A device has single digits; more than this
# many connections are a client that leaks them.
MAX_CONNECTIONS = 32

# Late answers on their way on one connection; a client that asks on gets no more of them.
LATE_ANSWERS_MAX = 256
# Another program has taken the port while connections were refused: it is tried for again.
RETRY_S = 1.0
# Closing with this sends RST.
_LINGER_NOT = struct.pack("ii", 1, 0)

Handler = Callable[[Request], Response | Answer | None]
DoorOf = Callable[[], tuple[Door, float | None]]


class ModbusServer:
    """Serves one unit id; other units are answered as a gateway would, with exception 11.

    Args:
        handle: Answers a request at once; None is no answer at all, as of a silent device, and
            an `Answer` is given in its manner.
    """

    def __init__(self, handle: Handler, *, unit_id: int) -> None:
        self._handle = handle
        self._unit_id = unit_id
        self._server: asyncio.Server | None = None
        self._clients = _Clients()
        self._place = ("", 0)
        self._bell = asyncio.Event()

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port, which matters when `port` is 0.

        Raises:
            HilError: The port is in use or may not be used, or the address is not of this machine.
        """
        self._clients = _Clients(limit=MAX_CONNECTIONS)
        try:
            self._server = await self._listen(host, port)
        except OSError as error:
            raise HilError(f"cannot serve Modbus on {host}:{port}: {_why(error)}") from error
        bound: int = self._server.sockets[0].getsockname()[1]
        self._place = (host, bound)
        return bound

    async def attend(self, door_of: DoorOf) -> None:
        """Take connections as the door says, for ever, once started.

        Args:
            door_of: The door, and the seconds until it may change by itself; `knock` when it
                changes otherwise.
        """
        while True:
            self._bell.clear()
            door, for_s = door_of()
            self._clients.door = door
            if door.refuses:
                self._shut()
            elif self._server is None:
                for_s = await self._open(for_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(for_s):
                    await self._bell.wait()

    def knock(self) -> None:
        """The door has changed."""
        self._bell.set()

    def _shut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in tuple(self._clients.connections):
            connection.drop()

    async def _open(self, for_s: float | None) -> float | None:
        """Listen again; the seconds until the door is to be looked at."""
        try:
            self._server = await self._listen(*self._place)
        except OSError as error:
            log.warning("port=%d cannot be opened again: %s", self._place[1], error)
            return RETRY_S
        return for_s

    async def _listen(self, host: str, port: int) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: _Connection(self._handle, self._unit_id, self._clients), host, port
        )

    async def close(self) -> None:
        """Stop listening and drop every connection; returns once their sockets are closed."""
        if self._server is None:
            return
        server, self._server = self._server, None
        self._clients.limit = 0
        server.close()
        for connection in tuple(self._clients.connections):
            connection.drop()
            await connection.closed.wait()
        await server.wait_closed()


def _why(error: OSError) -> str:
    """Why nothing can listen there, and what to do about it."""
    if isinstance(error, socket.gaierror):
        return "the host name is not known; configure an address of this machine"
    # Where no address of the host can be bound, asyncio tells so without an error number.
    match error.errno:
        case errno.EADDRINUSE:
            return "address already in use; stop the program that has it, or configure another port"
        case errno.EADDRNOTAVAIL | None:
            return "this machine does not have the address; configure one that it has"
        case errno.EACCES:
            return "the port needs privileges; configure one from 1024 on"
        case _:
            return f"{os.strerror(error.errno)}; configure another address"


@dataclass(slots=True)
class _Clients:
    """The connections of one server, and how many it takes: none before start and after close."""

    limit: int = 0
    connections: set["_Connection"] = field(default_factory=set)
    door: Door = field(default_factory=Door)
    held_until_s: list[float] = field(default_factory=list)

    def has_place(self, now_s: float) -> bool:
        """Whether one more may come in."""
        inside = len(self.connections)
        if self.door.places is None:
            return inside < self.limit
        self.held_until_s = [until_s for until_s in self.held_until_s if until_s > now_s]
        return inside + len(self.held_until_s) < min(self.door.places, self.limit)

    def leave(self, now_s: float) -> None:
        """One has gone, and may keep its place for a while."""
        if self.door.places is not None and self.door.hold_s > 0:
            held = [*self.held_until_s, now_s + self.door.hold_s]
            self.held_until_s = held[-self.door.places :]


class _Connection(asyncio.Protocol):
    """One client: its requests are answered in order, no faster than it takes the answers."""

    _transport: asyncio.Transport

    def __init__(self, handle: Handler, unit_id: int, clients: _Clients) -> None:
        self._handle = handle
        self._unit_id = unit_id
        self._clients = clients
        self._splitter = FrameSplitter()
        self._is_full = False
        self._is_held = False
        self._made_s = 0.0
        self._before = b""
        self._timers: set[asyncio.TimerHandle] = set()
        self._loop = asyncio.get_running_loop()
        self.closed = asyncio.Event()

    def drop(self) -> None:
        """Close the socket at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._made_s = self._loop.time()
        is_welcome = self._clients.has_place(self._made_s)
        if not is_welcome:
            self.drop()
            return
        self._clients.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._clients.connections:
            self._clients.connections.discard(self)
            self._clients.leave(self._loop.time())
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        self._splitter.feed(data)
        self._answer()

    def pause_writing(self) -> None:
        self._is_full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_full = False
        self._go_on()

    def _go_on(self) -> None:
        if self._is_full or self._is_held or self._transport.is_closing():
            return
        self._transport.resume_reading()
        self._answer()

    def _answer(self) -> None:
        """Answer what has come in, until the client must first take what was answered."""
        while not self._is_full and not self._is_held:
            try:
                frame = self._splitter.next()
            except ProtocolError:
                self.drop()  # where the next frame starts is anybody's guess
                return
            if frame is None:
                return
            self._answer_to(*frame)

    def _answer_to(self, transaction: int, unit_id: int, pdu: bytes) -> None:
        silent_s = self._clients.door.silent_s
        if silent_s > 0 and self._loop.time() - self._made_s < silent_s:
            return
        if unit_id != self._unit_id:
            code = ExceptionCode.GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND
            self._send(encode_frame(transaction, unit_id, encode_refusal(pdu[0], code)))
            return
        try:
            request = decode_request(pdu)
        except ProtocolError as error:
            refusal = encode_refusal(pdu[0], error.code)
            self._send(encode_frame(transaction, unit_id, refusal))
            return
        response = self._handle(request)
        if response is None:
            return
        if not isinstance(response, Answer):
            self._send(encode_frame(transaction, unit_id, encode_response(request, response)))
            return
        if response.unit_id is not None:
            unit_id = response.unit_id
        frame = b""
        if response.response is not None:
            frame = encode_frame(transaction, unit_id, encode_response(request, response.response))
        self._answer_oddly(response, frame)

    def _send(self, frame: bytes) -> None:
        self._before = frame
        self._transport.write(frame)

    def _answer_oddly(self, answer: Answer, frame: bytes) -> None:
        """Give an answer in its manner, after its time."""
        if answer.manner is Manner.LATE:
            if len(self._timers) < LATE_ANSWERS_MAX:
                self._later(answer.after_s, lambda: self._send(frame))
        elif answer.after_s > 0:
            self._is_held = True
            self._transport.pause_reading()
            self._later(answer.after_s, lambda: self._release(answer, frame))
        else:
            self._end(answer.manner, frame)

    def _later(self, after_s: float, work: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            if not self._transport.is_closing():
                work()

        timer = self._loop.call_later(after_s, run)
        self._timers.add(timer)

    def _release(self, answer: Answer, frame: bytes) -> None:
        self._end(answer.manner, frame)
        self._is_held = False
        self._go_on()

    def _end(self, manner: Manner, frame: bytes) -> None:
        if manner is Manner.CLOSE:
            self._transport.close()
        elif manner is Manner.REFUSE:
            self.drop()
        elif manner is Manner.RESET:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            self.drop()
        elif manner is Manner.STALE:
            before, self._before = self._before, frame
            self._transport.write(before)
        else:
            self._send(frame)
