"""One request after the other over a link that may fail, until it is given up."""

from hil.domain.modbus_pdu import Request, Response
from hil.ports import Clock, LinkProblem, PlantLink

# A link that fails this often in a row is not asked any more: the check must end.
FAILURES_MAX = 2


class Asker:
    """Asks a device, and keeps how its link does.

    `took_ns` is by the newest request, `lost` counts those without an answer, `problem` is the
    newest reason.

    Args:
        within_s: Seconds that one request may take, connecting included.
    """

    def __init__(self, link: PlantLink, clock: Clock, *, within_s: float) -> None:
        self._link = link
        self._clock = clock
        self._within_s = within_s
        self._failed_in_row = 0
        self.problem: LinkProblem | None = None
        self.took_ns = 0
        self.lost = 0

    @property
    def is_given_up(self) -> bool:
        """Whether nothing more is asked."""
        return self._failed_in_row >= FAILURES_MAX

    async def ask(self, request: Request) -> Response | None:
        """The answer; None when there is none, or the link has been given up."""
        if self.is_given_up:
            return None
        asked_ns = self._clock.monotonic_ns()
        got = await self._link.exchange([request], within_s=self._within_s)
        waited_ns = self._clock.monotonic_ns() - asked_ns
        self.took_ns = waited_ns if got.took_ns is None else got.took_ns
        if got.problem is not None:
            self.problem = got.problem
            self._failed_in_row += 1
            self.lost += 1
            return None
        self._failed_in_row = 0
        return got.responses[0]

    async def ask_twice(self, request: Request) -> Response | None:
        """As `ask`; a first failure, such as of a connection that went stale, is tried again."""
        answer = await self.ask(request)
        return await self.ask(request) if answer is None else answer
