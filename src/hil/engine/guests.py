"""Exchanges that others ask of a plant's link; its owner carries them out between its own."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hil.domain.errors import QueueFull
from hil.domain.modbus_pdu import ReadRequest, Request
from hil.domain.snapshot import LinkStatus
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.contact import Contact
from hil.ports import Clock, Exchange, LinkProblem, Tap

# A few checks and readers at the same time; more would only wait for each other.
WAITING_MAX = 20
# An owner that is busy stopping its plant is not waited for longer than this.
SERVED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class _Guest:
    contact: Contact
    requests: Sequence[Request]
    within_s: float
    tap: Tap | None
    answer: asyncio.Future[Exchange]


class Guests:
    """The exchanges that wait; one is carried out each time that the owner has nothing to do.

    One is begun only while at least `spare_ns` are left before the owner is due again, and ends
    before that: no step waits for a guest, and a stop waits for one exchange at most.

    Args:
        bell: Wakes the owner.
        contact_of: The owner's present contact.
    """

    def __init__(
        self, clock: Clock, bell: Bell, contact_of: Callable[[], Contact], *, spare_ns: int
    ) -> None:
        self._clock = clock
        self._bell = bell
        self._contact_of = contact_of
        self._spare_ns = spare_ns
        self._waiting: deque[_Guest] = deque()

    def lend(self) -> "LentLink":
        """The link to the endpoint that the owner speaks to now."""
        return LentLink(self, self._contact_of())

    async def ask(
        self, contact: Contact, requests: Sequence[Request], within_s: float, tap: Tap | None
    ) -> Exchange:
        """Wait for the owner to carry out an exchange; raises `QueueFull`."""
        if len(self._waiting) >= WAITING_MAX:
            raise QueueFull("too many others read this plant's registers; try again")
        loop = asyncio.get_running_loop()
        guest = _Guest(contact, requests, within_s, tap, loop.create_future())
        self._waiting.append(guest)
        self._bell.ring()
        try:
            async with asyncio.timeout(SERVED_WITHIN_S):
                return await guest.answer
        except TimeoutError:
            return _problem("the owner of this plant's link has no time; try again later")
        finally:
            if guest in self._waiting:
                self._waiting.remove(guest)

    @property
    def are_waiting(self) -> bool:
        """Whether somebody waits to be served."""
        return bool(self._waiting)

    async def serve(self, due_ns: int, *, may_write: bool) -> None:
        """Carry out the exchange that has waited longest, if there is time for it.

        Args:
            due_ns: When the owner itself is due again.
            may_write: Whether the plant is stopped, and nobody's setpoint is overwritten.
        """
        left_ns = due_ns - self._clock.monotonic_ns()
        if left_ns < self._spare_ns:
            return
        guest = self._waiting.popleft()
        outcome = _problem("the engine is ending")
        try:
            outcome = await self._carry_out(guest, left_ns / NS_PER_S, may_write=may_write)
        finally:
            if not guest.answer.done():
                guest.answer.set_result(outcome)
        if self._waiting:
            self._bell.ring()

    async def _carry_out(self, guest: _Guest, left_s: float, *, may_write: bool) -> Exchange:
        if guest.contact is not self._contact_of():
            return _problem("the plant was switched to another endpoint meanwhile")
        if not may_write and not all(isinstance(one, ReadRequest) for one in guest.requests):
            return _problem("the plant is not stopped: nothing was written")
        begun_ns = self._clock.monotonic_ns()
        within_s = min(guest.within_s, left_s)
        got = await guest.contact.lend(guest.requests, within_s=within_s, tap=guest.tap)
        return replace(got, took_ns=self._clock.monotonic_ns() - begun_ns)

    def turn_away(self) -> None:
        """Answer all who wait: nobody owns the link any more."""
        while self._waiting:
            guest = self._waiting.popleft()
            if not guest.answer.done():
                guest.answer.set_result(_problem("the engine is ending"))


class LentLink:
    """A `PlantLink` whose exchanges are carried out by the owner of the real one."""

    def __init__(self, guests: Guests, contact: Contact) -> None:
        self._guests = guests
        self._contact = contact

    async def exchange(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        """See `PlantLink.exchange`; raises `QueueFull`."""
        return await self._guests.ask(self._contact, requests, within_s, tap)

    async def close(self) -> None:
        """See `PlantLink.close`; the connection is the owner's, and stays."""


def _problem(text: str) -> Exchange:
    return Exchange((), LinkProblem(LinkStatus.ERROR, text))
