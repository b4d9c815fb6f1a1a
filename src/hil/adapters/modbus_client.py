"""The Modbus TCP client: one strict connection to one device, outcomes as values."""

import asyncio
import itertools
import math
import socket
from collections.abc import Iterator, Sequence

from hil.adapters.system_words import reason_of
from hil.domain.modbus_frame import decode_reply, encode_frame
from hil.domain.modbus_pdu import (
    ExceptionCode,
    ProtocolError,
    Refusal,
    Request,
    Response,
    describe,
    encode_request,
)
from hil.domain.plant import Device, Quirks
from hil.domain.snapshot import LinkStatus
from hil.ports import Exchange, LinkProblem, Tap

# Only what fails fast is held back: a time-out has already spaced the attempts by its wait.
# The first try after a failure is free, so that a controller that was restarted is back at the
# next step. Then half a second, so that a plant stepped every 0.1 s is not met with a storm of
# connects by which a small device's table of dead sessions never empties; at most 5 s, so that
# a pending stop reaches a plant that came back while the operator still looks at it.
FIRST_BACK_OFF_S = 0.5
MAX_BACK_OFF_S = 5.0

# Arming and cancelling a timer is half of what an exchange costs us. A link that is asked more
# often than this in one time-out keeps its timer armed from exchange to exchange; below that the
# timer would cost more, by waking an idle loop, than it spares.
BUSY_EXCHANGES = 4

# A device that says it is busy is asked again after this: long enough for a small controller to
# finish a cycle, short enough for all the retries that can be configured to fit into a step.
BUSY_WAIT_S = 0.05


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
        # One count for all connections: a gateway may deliver the answer to a request of the
        # last connection on the next one.
        self._transactions = itertools.count(1)
        self._failures = 0
        self._retry_at_s = 0.0  # on the loop's clock
        self._last_problem: LinkProblem | None = None

    async def exchange(
        self,
        requests: Sequence[Request],
        *,
        within_s: float,
        tap: Tap | None = None,
        unit_id: int | None = None,
    ) -> Exchange:
        """See `PlantLink.exchange`; without requests nothing is sent and no connection made.

        Args:
            unit_id: Of the unit behind a shared connection; None: that of the device.
        """
        if not requests:
            return Exchange(())
        connection = self._connection
        if connection is None or connection.is_lost():
            loop = asyncio.get_running_loop()
            started_s = loop.time()
            opened = await self._connect(loop, min(within_s, self._timeout_s))
            if isinstance(opened, LinkProblem):
                return Exchange((), opened)
            connection = self._connection = opened
            within_s -= loop.time() - started_s
        try:
            outcome = await connection.ask(
                requests, within_s, self._device.unit_id if unit_id is None else unit_id, tap
            )
        except asyncio.CancelledError:
            connection.give_up()
            raise
        if outcome.responses:
            self._failures = 0
        elif outcome.problem is not None and outcome.problem.status is not LinkStatus.TIMEOUT:
            self._hold_back(asyncio.get_running_loop(), outcome.problem)
        return outcome

    async def close(self) -> None:
        """See `PlantLink.close`; returns once the socket is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()
            await connection.closed.wait()

    async def _connect(
        self, loop: asyncio.AbstractEventLoop, wait_s: float
    ) -> "_Connection | LinkProblem":
        held_s = self._retry_at_s - loop.time()
        if held_s > 0 and self._last_problem is not None:
            last = self._last_problem
            return LinkProblem(last.status, f"{last.text} (not tried again for {held_s:.1f} s)")
        device = self._device
        where = f"{device.host}:{device.port}"
        try:
            async with asyncio.timeout(wait_s):
                _, connection = await loop.create_connection(
                    lambda: _Connection(
                        loop, where, device.quirks, self._transactions, self._timeout_s
                    ),
                    device.host,
                    device.port,
                )
        except TimeoutError:
            return LinkProblem(
                LinkStatus.TIMEOUT,
                f"{where} accepted no connection within {wait_s:.3g} s;"
                " check the address, the network and the firewall",
            )
        except (OSError, UnicodeError) as error:  # UnicodeError: no host has such a name
            problem = LinkProblem(
                LinkStatus.REFUSED,
                f"no connection to {where} ({reason_of(error)});"
                " check the address and that the device is on and serves Modbus TCP",
            )
            self._hold_back(loop, problem)
            return problem
        return connection

    def _hold_back(self, loop: asyncio.AbstractEventLoop, problem: LinkProblem) -> None:
        self._last_problem = problem
        self._failures += 1
        wait_s = 0.0
        if self._failures > 1:
            wait_s = min(FIRST_BACK_OFF_S * 2.0 ** min(self._failures - 2, 10), MAX_BACK_OFF_S)
        self._retry_at_s = loop.time() + wait_s


class _Connection(asyncio.Protocol):
    """One TCP connection: sends the requests of an exchange, each once the last is answered.

    The exchange runs in the callbacks, so that its task wakes once, and one timer serves all its
    requests: it fires for the first one and is armed anew for the one that is then under way.
    """

    __slots__ = (
        "_asked_at_s",
        "_began_s",
        "_data",
        "_due_s",
        "_ends_at_s",
        "_has_answered",
        "_held",
        "_keeps_timer",
        "_loop",
        "_pdus",
        "_quirks",
        "_ready_at_s",
        "_requests",
        "_responses",
        "_retries_left",
        "_tap",
        "_timeout_s",
        "_timer",
        "_transaction",
        "_transactions",
        "_transport",
        "_unit_id",
        "_waiter",
        "_where",
        "closed",
    )
    _transport: asyncio.Transport

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        where: str,
        quirks: Quirks,
        transactions: Iterator[int],
        timeout_s: float,
    ) -> None:
        self._loop = loop
        self._where = where
        self._quirks = quirks
        self._unit_id = 0
        self._transactions = transactions
        self._transaction = 0
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._held: asyncio.TimerHandle | None = None  # the next request waits for its pause
        self._ready_at_s = 0.0
        self._retries_left = 0
        self._tap: Tap | None = None
        self._has_answered = False
        self._keeps_timer = False
        self._waiter: asyncio.Future[Exchange] | None = None
        self._requests: Sequence[Request] = ()
        self._pdus: list[bytes] = []
        self._responses: list[Response] = []
        self._data = b""  # what has come of the answer under way
        self._began_s = -math.inf
        self._ends_at_s = self._asked_at_s = self._due_s = 0.0
        self.closed = asyncio.Event()

    def ask(
        self, requests: Sequence[Request], within_s: float, unit_id: int, tap: Tap | None = None
    ) -> asyncio.Future[Exchange]:
        """Start an exchange; the future gets its outcome, never an error."""
        assert self._waiter is None, "a link has one owner"
        self._pdus = list(map(encode_request, requests))
        self._requests = requests
        self._unit_id = unit_id
        self._tap = tap
        self._responses = []
        self._retries_left = self._quirks.busy_retries
        now_s = self._loop.time()
        self._ends_at_s = now_s + within_s
        self._waiter = waiter = self._loop.create_future()
        self._keeps_timer = now_s - self._began_s < self._timeout_s / BUSY_EXCHANGES
        self._began_s = now_s
        self._send_when_ready(now_s)
        return waiter

    def is_lost(self) -> bool:
        """Whether the socket is closed or closing."""
        return self._transport.is_closing()

    def give_up(self) -> None:
        """End the exchange; the socket is closed unless nothing is in flight."""
        if self._held is None:
            self.drop()
        else:
            self._release()
            self._finish(None)

    def drop(self) -> None:
        """Close the socket at once; what is in flight ends with the connection."""
        self._release()
        self._disarm()
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ready_at_s = self._loop.time() + self._quirks.pause_after_connect_ms / 1_000
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.drop()  # nobody waits: a late answer, or garbage before the next one
            return
        if self._tap is not None:
            self._tap.got(data)
        request = self._requests[len(self._responses)]
        if self._held is not None:  # the answer before was taken already, and this is another one
            self._fail(LinkStatus.ERROR, "sent an answer twice; check what else speaks to it")
            return
        self._data = data = self._data + data if self._data else data
        try:
            response = decode_reply(
                data, request, transaction=self._transaction, unit_id=self._unit_id
            )
        except ProtocolError as error:
            self._fail(
                LinkStatus.ERROR,
                f"answered a {describe(request)} with {error};"
                " check that the device and its register map are the right ones",
            )
            return
        if response is None:
            return
        self._data = b""
        self._has_answered = True
        now_s = self._loop.time()
        self._ready_at_s = now_s + self._quirks.pause_between_requests_ms / 1_000
        if self._retries_left and response == _BUSY:
            self._retries_left -= 1
            again_at_s = max(self._ready_at_s, now_s + BUSY_WAIT_S)
            if again_at_s < self._ends_at_s:
                self._ready_at_s = again_at_s
                self._send_when_ready(now_s)
                return
        self._responses.append(response)
        if len(self._responses) < len(self._requests):
            self._send_when_ready(now_s)
        else:
            self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self.closed.set()
        if self._waiter is not None:
            request = self._requests[len(self._responses)]
            reason = f" ({reason_of(exc)})" if exc is not None else ""
            self._fail(
                LinkStatus.ERROR,
                f"closed the connection{reason} before it answered a {describe(request)};"
                " check whether it was restarted or has too many clients",
            )

    def _send_when_ready(self, now_s: float) -> None:
        """Send the next request, now or after the pause that the device needs."""
        if self._ready_at_s <= now_s:
            self._send_next(now_s)
        elif self._ready_at_s < self._ends_at_s:
            self._due_s = self._ends_at_s
            self._held = self._loop.call_at(self._ready_at_s, self._send_held)
        else:
            quirk = "between_requests" if self._has_answered else "after_connect"
            text = f"no time was left for a {describe(self._requests[len(self._responses)])}"
            self._finish(
                LinkProblem(
                    LinkStatus.TIMEOUT,
                    f"{self._where}: {text} after its pause_{quirk}_ms;"
                    " use a shorter pause or longer periods and time-outs",
                )
            )

    def _send_held(self) -> None:
        self._held = None
        if self._waiter is not None and not self._waiter.done():
            self._send_next(self._loop.time())

    def _release(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None

    def _send_next(self, now_s: float) -> None:
        self._transaction = transaction = next(self._transactions) & 0xFFFF
        self._asked_at_s = now_s
        due_s = now_s + self._timeout_s
        self._due_s = min(due_s, self._ends_at_s)
        frame = encode_frame(transaction, self._unit_id, self._pdus[len(self._responses)])
        if self._tap is not None:
            self._tap.sent(frame)
        self._transport.write(frame)
        if self._timer is None or self._timer.when() > self._due_s:
            self._arm()

    def _arm(self) -> None:
        self._disarm()
        self._timer = self._loop.call_at(self._due_s, self._check_due)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_due(self) -> None:
        assert self._timer is not None
        fired_for_s = self._timer.when()
        self._timer = None
        if self._waiter is None:
            return
        if fired_for_s < self._due_s:  # armed for an earlier request, which was answered
            self._arm()
            return
        what = describe(self._requests[len(self._responses)])
        waited_s = self._due_s - self._asked_at_s
        text = f"did not answer a {what} within {waited_s:.3g} s; {self._advice()}"
        self._fail(LinkStatus.TIMEOUT, text)

    def _advice(self) -> str:
        if self._asked_at_s - self._began_s > self._due_s - self._asked_at_s:
            return "its answers before took the time: use longer periods, or quirks.max_fill"
        advice = f"check that it serves unit id {self._unit_id} and is not busy with other clients"
        if self._has_answered or self._quirks.pause_after_connect_ms:
            return advice
        # A device that ignores what comes right after a connect would be connected for ever.
        return f"{advice}; if it needs time after a connect, set quirks.pause_after_connect_ms"

    def _fail(self, status: LinkStatus, what: str) -> None:
        self.drop()
        self._finish(LinkProblem(status, f"{self._where} {what}"))

    def _finish(self, problem: LinkProblem | None) -> None:
        if not self._keeps_timer:
            self._disarm()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(Exchange(tuple(self._responses), problem))


_BUSY = Refusal(ExceptionCode.SERVER_DEVICE_BUSY)
