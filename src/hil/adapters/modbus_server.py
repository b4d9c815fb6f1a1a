"""A Modbus TCP server: one unit whose answers come from a handler."""

import asyncio
from collections.abc import Callable
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

# A plant has one master, and a few tools look in. A device has single digits; more than this
# many connections are a client that leaks them.
MAX_CONNECTIONS = 32

Handler = Callable[[Request], Response | None]


class ModbusServer:
    """Serves one unit id; other units are answered as a gateway would, with exception 11.

    Args:
        handle: Answers a request at once; None is no answer at all, as of a silent device.
    """

    def __init__(self, handle: Handler, *, unit_id: int) -> None:
        self._handle = handle
        self._unit_id = unit_id
        self._server: asyncio.Server | None = None
        self._clients = _Clients()

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port, which matters when `port` is 0.

        Raises:
            HilError: The port is in use or may not be used.
        """
        loop = asyncio.get_running_loop()
        self._clients = _Clients(limit=MAX_CONNECTIONS)
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self._handle, self._unit_id, self._clients), host, port
            )
        except OSError as error:
            reason = error.strerror or error
            raise HilError(
                f"cannot serve Modbus on {host}:{port} ({reason});"
                " stop the program that uses the port or configure another one"
            ) from error
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

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


@dataclass(slots=True)
class _Clients:
    """The connections of one server, and how many it takes: none before start and after close."""

    limit: int = 0
    connections: set["_Connection"] = field(default_factory=set)


class _Connection(asyncio.Protocol):
    """One client: its requests are answered in order, no faster than it takes the answers."""

    _transport: asyncio.Transport

    def __init__(self, handle: Handler, unit_id: int, clients: _Clients) -> None:
        self._handle = handle
        self._unit_id = unit_id
        self._clients = clients
        self._splitter = FrameSplitter()
        self._is_full = False
        self.closed = asyncio.Event()

    def drop(self) -> None:
        """Close the socket at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        connections = self._clients.connections
        connections.add(self)
        if len(connections) > self._clients.limit:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.connections.discard(self)
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        self._splitter.feed(data)
        self._answer()

    def pause_writing(self) -> None:
        self._is_full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_full = False
        self._transport.resume_reading()
        self._answer()

    def _answer(self) -> None:
        """Answer what has come in, until the client must first take what was answered."""
        while not self._is_full:
            try:
                frame = self._splitter.next()
            except ProtocolError:
                self.drop()  # where the next frame starts is anybody's guess
                return
            if frame is None:
                return
            transaction, unit_id, pdu = frame
            answer = self._answer_to(unit_id, pdu)
            if answer is not None:
                self._transport.write(encode_frame(transaction, unit_id, answer))

    def _answer_to(self, unit_id: int, pdu: bytes) -> bytes | None:
        if unit_id != self._unit_id:
            return encode_refusal(pdu[0], ExceptionCode.GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND)
        try:
            request = decode_request(pdu)
        except ProtocolError as error:
            return encode_refusal(pdu[0], error.code)
        response = self._handle(request)
        return None if response is None else encode_response(request, response)
