"""The Modbus TCP client: one strict connection to one device, outcomes as values."""

import asyncio
import socket
from collections.abc import Sequence

from hil.domain.modbus_frame import (
    FrameSplitter,
    check_reply_start,
    decode_reply,
    encode_frame,
)
from hil.domain.modbus_pdu import ProtocolError, Request, Response, describe, encode_request
from hil.domain.plant import Device
from hil.domain.snapshot import LinkStatus
from hil.ports import Exchange, LinkProblem

# Only what fails fast is held back: a time-out has already spaced the attempts by its wait.
# The first try after a failure is free, so that a controller that was restarted is back at the
# next step. Then half a second, so that a plant stepped every 0.1 s is not met with a storm of
# connects by which a small device's table of dead sessions never empties; at most 5 s, so that
# a pending stop reaches a plant that came back while the operator still looks at it.
FIRST_BACK_OFF_S = 0.5
MAX_BACK_OFF_S = 5.0


class TcpLink:
    """A `PlantLink` over TCP to one device, used by one task.

    Whatever leaves doubt about the next bytes (a time-out, a cancellation, an answer that does
    not match) drops the connection at once; the next exchange makes a new one.

    Args:
        timeout_s: Seconds that a connect, or the answer to one request, may take.
    """

    def __init__(self, device: Device, *, timeout_s: float) -> None:
        self._device = device
        self._timeout_s = timeout_s
        self._connection: _Connection | None = None
        self._failures = 0
        self._retry_at_s = 0.0  # on the loop's clock
        self._last_problem: LinkProblem | None = None

    async def exchange(self, requests: Sequence[Request], *, within_s: float) -> Exchange:
        """See `PlantLink.exchange`; without requests nothing is sent and no connection made."""
        if not requests:
            return Exchange(())
        loop = asyncio.get_running_loop()
        ends_at_s = loop.time() + within_s
        connection = self._connection
        if connection is None or connection.is_lost:
            opened = await self._connect(loop, ends_at_s)
            if isinstance(opened, LinkProblem):
                return Exchange((), opened)
            connection = self._connection = opened
        try:
            outcome = await connection.ask(requests, self._timeout_s, ends_at_s)
        except asyncio.CancelledError:
            connection.drop()
            raise
        if outcome.responses:
            self._failures = 0
        elif outcome.problem is not None:
            self._hold_back(loop, outcome.problem)
        return outcome

    async def close(self) -> None:
        """See `PlantLink.close`; returns once the socket is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()
            await connection.closed.wait()

    async def _connect(
        self, loop: asyncio.AbstractEventLoop, ends_at_s: float
    ) -> "_Connection | LinkProblem":
        device = self._device
        started_s = loop.time()
        held_s = self._retry_at_s - started_s
        if held_s > 0 and self._last_problem is not None:
            last = self._last_problem
            return LinkProblem(last.status, f"{last.text} (not tried again for {held_s:.1f} s)")
        until_s = min(started_s + self._timeout_s, ends_at_s)
        where = f"{device.host}:{device.port}"
        try:
            async with asyncio.timeout_at(until_s):
                _, connection = await loop.create_connection(
                    lambda: _Connection(loop, where, device.unit_id), device.host, device.port
                )
        except TimeoutError:
            return LinkProblem(
                LinkStatus.TIMEOUT,
                f"{where} accepted no connection within {until_s - started_s:.3g} s;"
                " check the address, the network and the firewall",
            )
        except (OSError, UnicodeError) as error:  # UnicodeError: no host has such a name
            reason = getattr(error, "strerror", None) or error
            problem = LinkProblem(
                LinkStatus.REFUSED,
                f"{where} refused the connection ({reason});"
                " check the address and that the device is on and serves Modbus TCP",
            )
            self._hold_back(loop, problem)
            return problem
        return connection

    def _hold_back(self, loop: asyncio.AbstractEventLoop, problem: LinkProblem) -> None:
        if problem.status is LinkStatus.TIMEOUT:
            return
        self._failures += 1
        self._last_problem = problem
        wait_s = 0.0
        if self._failures > 1:
            doublings = min(self._failures - 2, 10)
            wait_s = min(FIRST_BACK_OFF_S * 2**doublings, MAX_BACK_OFF_S)
        self._retry_at_s = loop.time() + wait_s


class _Connection(asyncio.Protocol):
    """One TCP connection: sends the requests of an exchange, each once the last is answered.

    The exchange runs in the callbacks, so that its task wakes once, and one timer serves all
    its requests: waking a task and arming a timer cost more than the codec.
    """

    _transport: asyncio.Transport
    _timer: asyncio.TimerHandle

    def __init__(self, loop: asyncio.AbstractEventLoop, where: str, unit_id: int) -> None:
        self._loop = loop
        self._where = where
        self._unit_id = unit_id
        self._splitter = FrameSplitter()
        self._transaction = 0
        self._waiter: asyncio.Future[Exchange] | None = None
        self._requests: Sequence[Request] = ()
        self._pdus: list[bytes] = []
        self._responses: list[Response] = []
        self._timeout_s = self._ends_at_s = self._asked_at_s = self._due_s = 0.0
        self.is_lost = False
        self.closed = asyncio.Event()

    def ask(
        self, requests: Sequence[Request], timeout_s: float, ends_at_s: float
    ) -> asyncio.Future[Exchange]:
        """Start an exchange; the future gets its outcome, never an error."""
        assert self._waiter is None, "a link has one owner"
        self._pdus = [encode_request(request) for request in requests]
        self._requests = requests
        self._responses = []
        self._timeout_s = timeout_s
        self._ends_at_s = ends_at_s
        self._waiter = self._loop.create_future()
        self._send_next()
        self._timer = self._loop.call_at(self._due_s, self._check_due, self._due_s)
        return self._waiter

    def drop(self) -> None:
        """Close the socket at once; what is in flight ends with the connection."""
        self.is_lost = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.drop()  # nobody waits: a late answer, or garbage before the next one
            return
        splitter = self._splitter
        transaction = self._transaction
        request = self._requests[len(self._responses)]
        try:
            splitter.feed(data)
            frame = splitter.next()
            if frame is None:
                check_reply_start(
                    splitter.rest, request, transaction=transaction, unit_id=self._unit_id
                )
                return
            response = decode_reply(frame, request, transaction=transaction, unit_id=self._unit_id)
            if splitter.rest:
                raise ProtocolError(f"{len(splitter.rest)} bytes more than its answer")
        except ProtocolError as error:
            self._fail(
                LinkStatus.ERROR,
                f"answered a {describe(request)} with {error};"
                " check that the device and its register map are the right ones",
            )
            return
        self._responses.append(response)
        if len(self._responses) < len(self._requests):
            self._send_next()
        else:
            self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.closed.set()
        if self._waiter is not None:
            request = self._requests[len(self._responses)]
            reason = f" ({getattr(exc, 'strerror', None) or exc})" if exc is not None else ""
            self._fail(
                LinkStatus.ERROR,
                f"closed the connection{reason} before it answered a {describe(request)};"
                " check whether it was restarted or has too many clients",
            )

    def _send_next(self) -> None:
        self._transaction = transaction = (self._transaction + 1) & 0xFFFF
        self._asked_at_s = now_s = self._loop.time()
        self._due_s = min(now_s + self._timeout_s, self._ends_at_s)
        pdu = self._pdus[len(self._responses)]
        self._transport.write(encode_frame(transaction, self._unit_id, pdu))

    def _check_due(self, fired_for_s: float) -> None:
        if self._due_s > fired_for_s:  # the timer was armed for an earlier request
            self._timer = self._loop.call_at(self._due_s, self._check_due, self._due_s)
            return
        request = self._requests[len(self._responses)]
        self._fail(
            LinkStatus.TIMEOUT,
            f"did not answer a {describe(request)} within"
            f" {self._due_s - self._asked_at_s:.3g} s;"
            f" check that it serves unit id {self._unit_id} and is not busy with other clients",
        )

    def _fail(self, status: LinkStatus, what: str) -> None:
        self.drop()
        self._finish(LinkProblem(status, f"{self._where} {what}"))

    def _finish(self, problem: LinkProblem | None) -> None:
        self._timer.cancel()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(Exchange(tuple(self._responses), problem))
