"""The owner's side of a link: points in, measurement and health out."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    Refusal,
    Request,
    Response,
    WriteRequest,
)
from hil.domain.plant import Endpoint
from hil.domain.registers import DoesNotFit
from hil.domain.snapshot import Link, LinkStatus
from hil.engine.cadence import NS_PER_S
from hil.ports import Clock, Exchange, LinkProblem, PlantLink

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one exchange with a plant.

    `values` are the decoded points (None: not known), empty when nothing was read. `written` is
    True when every write was acknowledged, False when one was refused, None when it is unknown.
    `acked_ns` is when the last write was answered, None without one.
    """

    values: Mapping[str, float | None]
    written: bool | None
    link_ok: bool
    error: str | None
    acked_ns: int | None = None


class PlantPoints:
    """Speaks to one plant in points instead of registers, and keeps the health of its link.

    Args:
        within_s: A whole exchange ends within this.
        stale_after_s: A link that was fine and has not been used for this long is stale.
    """

    def __init__(
        self,
        plant: str,
        endpoint: Endpoint,
        link: PlantLink,
        clock: Clock,
        *,
        within_s: float,
        stale_after_s: float,
    ) -> None:
        self._plant = plant
        self.registers = endpoint.registers
        self._quirks = endpoint.main.quirks
        self._link = link
        self._clock = clock
        self._within_s = within_s
        self._stale_after_s = stale_after_s
        self._blocks = self.registers.blocks(
            None, max_registers=self._quirks.max_registers, max_fill=self._quirks.max_fill
        )
        self._reads = tuple(block.request for block in self._blocks)
        self._status: LinkStatus | None = None
        self._ok_ns: int | None = None
        self.failures = 0
        self._error: str | None = None
        self.write_counts: Counter[str] = Counter()

    async def exchange(self, writes: Mapping[str, float]) -> Outcome:
        """Write these points in order, then read every point."""
        try:
            requests = self.registers.write_requests(writes, function=self._quirks.write_function)
        except DoesNotFit as refused:
            return Outcome(values={}, written=False, link_ok=True, error=str(refused))
        deadline_ns = self._clock.monotonic_ns() + int(self._within_s * NS_PER_S)
        acked_ns: int | None = None
        acknowledged: tuple[Response, ...] = ()
        problem: LinkProblem | None = None
        if requests:
            wrote = await self._link.exchange(requests, within_s=self._within_s)
            acknowledged, problem = wrote.responses, wrote.problem
            acked_ns = None if problem is not None else self._clock.monotonic_ns()
        read: tuple[Response, ...] = ()
        left_s = (deadline_ns - self._clock.monotonic_ns()) / NS_PER_S
        if problem is None and left_s > 0:
            exchange = await self._link.exchange(self._reads, within_s=left_s)
            read, problem = exchange.responses, exchange.problem
        why = _refusal(requests, acknowledged) or _refusal(self._reads, read)
        if problem is None:
            self._is_ok(why, wrote=bool(requests))
        else:
            why = problem.text
            self._is_lost(problem.status, why)
        written = _is_written(len(requests), acknowledged)
        if requests and written:
            self.write_counts.update(str(name) for name in writes)  # plain keys, for JSON
        return Outcome(
            values=self._decoded(read),
            written=written,
            link_ok=problem is None,
            error=why,
            acked_ns=acked_ns,
        )

    async def lend(self, requests: Sequence[Request], *, within_s: float) -> Exchange:
        """An exchange of somebody else's, which says nothing about the health of the link."""
        return await self._link.exchange(requests, within_s=within_s)

    def _decoded(self, responses: tuple[Response, ...]) -> dict[str, float | None]:
        values: dict[str, float | None] = {}
        for block, response in zip(self._blocks, responses, strict=False):
            if isinstance(response, ReadReply):
                values.update(self.registers.decode_block(block, response.values))
        return values

    def health(self) -> Link:
        """The link as the state shows it; `age_s` is the time since the last answer."""
        age_s = (
            None
            if self._ok_ns is None
            else round((self._clock.monotonic_ns() - self._ok_ns) / NS_PER_S, 3)
        )
        is_old = age_s is not None and age_s > self._stale_after_s
        return Link(
            status=LinkStatus.STALE if self._status is LinkStatus.OK and is_old else self._status,
            age_s=age_s,
            consecutive_failures=self.failures,
            last_error=self._error,
        )

    async def close(self) -> None:
        """Drop the connection."""
        await self._link.close()

    def _is_ok(self, error: str | None, *, wrote: bool) -> None:
        if self.failures or wrote or error is not None:
            self._error = error  # a refused write stays named until the next write
        if self.failures:
            age_s = self.health().age_s
            log.warning(
                "plant=%s link back after=%s failures=%d",
                self._plant,
                "never read before" if age_s is None else f"{age_s:.1f}s",
                self.failures,
            )
        self._status = LinkStatus.OK
        self._ok_ns = self._clock.monotonic_ns()
        self.failures = 0

    def _is_lost(self, status: LinkStatus, text: str) -> None:
        if not self.failures:
            log.warning("plant=%s link lost status=%s: %s", self._plant, status, text)
        self._status = status
        self.failures += 1
        self._error = text


def _is_written(asked: int, answers: tuple[Response, ...]) -> bool | None:
    if any(isinstance(answer, Refusal) for answer in answers):
        return False
    return True if len(answers) == asked else None


def _refusal(
    requests: Sequence[ReadRequest | WriteRequest], answers: tuple[Response, ...]
) -> str | None:
    """The first refusal in words; None when there is none."""
    for request, answer in zip(requests, answers, strict=False):
        if isinstance(answer, Refusal):
            what = "reading" if isinstance(request, ReadRequest) else "writing"
            where = f"{request.table} {request.address}"
            return f"{what} {where} was refused: {answer.text}"
    return None
