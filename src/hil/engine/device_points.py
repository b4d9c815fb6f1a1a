"""One device in points instead of registers: its plan of reads, what it taught us, its health."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from hil.domain.modbus_pdu import (
    ExceptionCode,
    ReadReply,
    ReadRequest,
    Refusal,
    Request,
    Response,
    Table,
    WriteRequest,
    function_code,
)
from hil.domain.plant import Device
from hil.domain.registers import Block, DoesNotFit, RegisterMap, WriteFunction
from hil.domain.snapshot import Link, LinkStatus
from hil.engine.cadence import NS_PER_S
from hil.ports import Clock, Exchange, LinkProblem, PlantLink, Tap

log = logging.getLogger(__name__)

R = TypeVar("R", ReadRequest, WriteRequest)


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


@dataclass(frozen=True, slots=True)
class _Answers(Generic[R]):
    """Requests, their responses as far as they came, and why no more came."""

    requests: tuple[R, ...]
    responses: tuple[Response, ...]
    problem: LinkProblem | None = None


class DevicePoints:
    """Speaks to one device in points, and keeps the health of its link.

    What the device refuses because it cannot do it is asked in the other way, once in the same
    exchange, and remembered in `learned` for as long as this object lives.

    Args:
        who: The device in log lines, as `plant=lib`.
        name: Of the further device whose points are read; None: the plant's own server.
    """

    def __init__(
        self,
        who: str,
        registers: RegisterMap,
        device: Device,
        link: PlantLink,
        clock: Clock,
        *,
        name: str | None = None,
    ) -> None:
        self._who = who
        self._registers = registers
        self._quirks = device.quirks
        self._name = name
        self._link = link
        self._clock = clock
        self._plan(device.quirks.max_fill)
        self._single_words = {
            (point.table, point.address)
            for point in registers.points.values()
            if point.is_writable and point.length == 1
        }
        self._multiple: dict[Table, bool] = {}  # the way that is known to work, where one is not
        self._status: LinkStatus | None = None
        self._ok_ns: int | None = None
        self.failures = 0
        self.error: str | None = None
        self.learned: list[str] = []
        self.write_counts: Counter[str] = Counter()

    def _plan(self, max_fill: int) -> None:
        self._read_by(
            self._registers.blocks(
                self._name, max_registers=self._quirks.max_registers, max_fill=max_fill
            )
        )

    def _read_by(self, blocks: tuple[Block, ...]) -> None:
        self._blocks = blocks
        self._reads = tuple(block.request for block in self._blocks)
        self._gaps = {block.request for block in self._blocks if _has_gap(block)}

    async def exchange(
        self, writes: Mapping[str, float], *, within_s: float, read: bool = True
    ) -> Outcome:
        """Write these points in order, then read every point of the device (unless told not to)."""
        requests, unfit = self._requests_of(writes)
        deadline_ns = self._clock.monotonic_ns() + int(within_s * NS_PER_S)
        wrote: _Answers[WriteRequest] = _Answers((), ())
        if requests:
            wrote = await self._write(requests, deadline_ns)
        acked_ns = None if wrote.problem or not requests else self._clock.monotonic_ns()
        values: dict[str, float | None] = {}
        got: _Answers[ReadRequest] = _Answers((), ())
        if read and wrote.problem is None:
            got, values = await self._read(deadline_ns)
        problem = wrote.problem or got.problem
        why = unfit or _refusal(wrote.requests, wrote.responses) or self._read_refusal(got)
        if problem is None:
            self._is_ok(why, wrote=bool(writes))
        else:
            why = problem.text
            self._is_lost(problem.status, why)
        written = False if unfit else _is_written(len(wrote.requests), wrote.responses)
        if requests and written:
            self.write_counts.update(str(name) for name in writes)  # plain keys, for JSON
        return Outcome(
            values=values,
            written=written,
            link_ok=problem is None,
            error=why,
            acked_ns=acked_ns,
        )

    # Writing ---------------------------------------------------------------------------------

    def _requests_of(
        self, writes: Mapping[str, float]
    ) -> tuple[Sequence[WriteRequest], str | None]:
        """The requests of these writes; none at all and why, when a value does not fit."""
        try:
            function = self._quirks.write_function
            return self._registers.write_requests(writes, function=function), None
        except DoesNotFit as refused:
            return (), str(refused)

    async def _write(
        self, wanted: Sequence[WriteRequest], deadline_ns: int
    ) -> _Answers[WriteRequest]:
        """Write; what is refused as an unknown function goes out once more by the other one."""
        requests = tuple(
            other for request in wanted for other in self._in_way(request, self._multiple)
        )
        first = await self._ask(requests, deadline_ns)
        refused = [
            request
            for request, answer in zip(first.requests, first.responses, strict=False)
            if answer == _UNKNOWN_FUNCTION and request.table not in self._multiple
        ]
        if first.problem or not refused or self._quirks.write_function is not WriteFunction.AUTO:
            return first
        ways = {request.table: not request.multiple for request in refused}
        again = tuple(other for request in refused for other in self._in_way(request, ways))
        if set(again) & set(refused):  # a value of several registers has no other way
            return first
        second = await self._ask(again, deadline_ns)
        if second.problem is None and _UNKNOWN_FUNCTION not in second.responses:
            self._multiple.update(ways)
            for table in ways:
                old, new = (next(r for r in some if r.table is table) for some in (refused, again))
                self._learn(f"FC{function_code(old)} refused: FC{function_code(new)} is used")
        kept = [
            (request, answer)
            for request, answer in zip(first.requests, first.responses, strict=True)
            if request not in refused
        ]
        return _Answers(
            (*(request for request, _ in kept), *second.requests),
            (*(answer for _, answer in kept), *second.responses),
            second.problem,
        )

    def _in_way(self, request: WriteRequest, ways: Mapping[Table, bool]) -> list[WriteRequest]:
        """The request by the function that works for its table; a value is never split."""
        multiple = ways.get(request.table, request.multiple)
        if multiple or not request.multiple:
            return [replace(request, multiple=multiple)]
        parts = [
            WriteRequest(request.table, address, (value,), multiple=False)
            for address, value in enumerate(request.values, request.address)
        ]
        whole = all((part.table, part.address) in self._single_words for part in parts)
        return parts if whole else [request]

    # Reading ---------------------------------------------------------------------------------

    async def _read(
        self, deadline_ns: int
    ) -> tuple[_Answers[ReadRequest], dict[str, float | None]]:
        """Read every point; what is refused together is read in smaller requests from now on."""
        got = await self._ask(self._reads, deadline_ns)
        while _ILLEGAL_ADDRESS in got.responses and self._is_smaller_now(got):
            got = await self._ask(self._reads, deadline_ns)
        return got, self._decoded(got)

    def _is_smaller_now(self, got: _Answers[ReadRequest]) -> bool:
        """Whether the plan now avoids what was refused: gaps at first, then points side by side."""
        refused = [
            block
            for block, answer in zip(self._blocks, got.responses, strict=False)
            if answer == _ILLEGAL_ADDRESS
        ]
        gap = next((block for block in refused if block.request in self._gaps), None)
        if gap is not None:
            self._plan(0)
            self._learn(f"gaps refused: {_span(gap.request)} is read without filling")
            return True
        smaller = {block: parts for block in refused if len(parts := block.apart()) > 1}
        if smaller:
            self._read_by(
                tuple(part for block in self._blocks for part in smaller.get(block, (block,)))
            )
        for block in smaller:
            self._learn(f"joined points refused: {_span(block.request)} is read point by point")
        return bool(smaller)

    def _decoded(self, got: _Answers[ReadRequest]) -> dict[str, float | None]:
        values: dict[str, float | None] = {}
        for block, response in zip(self._blocks, got.responses, strict=False):
            if isinstance(response, ReadReply):
                values.update(self._registers.decode_block(block, response.values))
        return values

    def _read_refusal(self, got: _Answers[ReadRequest]) -> str | None:
        """The first refused read in words, with the quirk that would help when it is a long one."""
        for block, answer in zip(self._blocks, got.responses, strict=False):
            if isinstance(answer, Refusal):
                text = _refusal((block.request,), (answer,))
                return f"{text}{self._advice(block, answer)}"
        return None

    def _advice(self, block: Block, answer: Refusal) -> str:
        longest = max(request.count for request in self._reads)
        is_long = block.request.count == longest and len(block.points) > 1
        if not is_long or answer not in {_ILLEGAL_ADDRESS, _ILLEGAL_VALUE}:
            return ""
        return (
            f"; it is the longest read ({longest}): if the device takes shorter ones only,"
            " set quirks.max_registers"
        )

    # Health ----------------------------------------------------------------------------------

    async def _ask(self, requests: tuple[R, ...], deadline_ns: int) -> _Answers[R]:
        left_s = (deadline_ns - self._clock.monotonic_ns()) / NS_PER_S
        if not requests or left_s <= 0:
            return _Answers(requests, ())
        exchange = await self._link.exchange(requests, within_s=left_s)
        return _Answers(requests, exchange.responses, exchange.problem)

    def _learn(self, fact: str) -> None:
        log.warning("%s %s", self._who, fact)
        self.learned.append(fact)

    def health(self, *, stale_after_s: float) -> Link:
        """The link as the state shows it; `age_s` is the time since the last answer.

        Args:
            stale_after_s: A link that was fine and has not been used for this long is stale.
        """
        age_s = (
            None
            if self._ok_ns is None
            else round((self._clock.monotonic_ns() - self._ok_ns) / NS_PER_S, 3)
        )
        is_old = age_s is not None and age_s > stale_after_s
        return Link(
            status=LinkStatus.STALE if self._status is LinkStatus.OK and is_old else self._status,
            age_s=age_s,
            consecutive_failures=self.failures,
            last_error=self.error,
            learned=tuple(self.learned),
        )

    async def lend(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        """An exchange of somebody else's, which says nothing about the health of the link."""
        return await self._link.exchange(requests, within_s=within_s, tap=tap)

    async def close(self) -> None:
        """Drop the connection."""
        await self._link.close()

    def _is_ok(self, error: str | None, *, wrote: bool) -> None:
        if self.failures or wrote or error is not None:
            self.error = error  # a refused write stays named until the next write
        now_ns = self._clock.monotonic_ns()
        if self.failures:
            log.warning(
                "%s link back after=%s failures=%d",
                self._who,
                "never read before"
                if self._ok_ns is None
                else f"{(now_ns - self._ok_ns) / NS_PER_S:.1f}s",
                self.failures,
            )
        self._status = LinkStatus.OK
        self._ok_ns = now_ns
        self.failures = 0

    def _is_lost(self, status: LinkStatus, text: str) -> None:
        if not self.failures:
            log.warning("%s link lost status=%s: %s", self._who, status, text)
        self._status = status
        self.failures += 1
        self.error = text


_UNKNOWN_FUNCTION = Refusal(ExceptionCode.ILLEGAL_FUNCTION)
_ILLEGAL_ADDRESS = Refusal(ExceptionCode.ILLEGAL_DATA_ADDRESS)
_ILLEGAL_VALUE = Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)


def _span(request: ReadRequest) -> str:
    return f"{request.table} {request.address} to {request.address + request.count - 1}"


def _has_gap(block: Block) -> bool:
    covered = {
        spot for _, offset, length in block.points for spot in range(offset, offset + length)
    }
    return len(covered) < block.request.count


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
