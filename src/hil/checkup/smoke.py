"""The smoke check of one plant: everything is read, timed and judged; zero is written if asked."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from hil.checkup.trace import TracingLink
from hil.domain.errors import InvalidInput
from hil.domain.finding import Finding, Severity, worst
from hil.domain.modbus_pdu import (
    ADDRESSES,
    ExceptionCode,
    ReadReply,
    ReadRequest,
    Refusal,
    Request,
    Response,
    WriteRequest,
)
from hil.domain.percentiles import percentiles_ms
from hil.domain.plant import PlantSpec, Transport
from hil.domain.plausibility import Sample, judge_reading, judge_slope, judge_width
from hil.domain.registers import Block, Point, WriteFunction
from hil.domain.signals import PointName
from hil.domain.smoke_report import Reading, SmokeReport, reading_of
from hil.domain.snapshot import LinkStatus
from hil.ports import Clock, LinkProblem, PlantLink

NS_PER_S = 1_000_000_000
READS = 50
# A link that fails this often in a row is not asked any more: the check must end.
FAILURES_MAX = 2
SETPOINTS = (PointName.P_SETPOINT, PointName.Q_SETPOINT)

_LINK_CURE = {
    LinkStatus.TIMEOUT: "a wrong unit_id, a device that ignores its first second"
    " (quirks.pause_after_connect_ms: 1500), or another client that holds its only connection?",
    LinkStatus.ERROR: "another client that holds its only connection, a device that wants a pause"
    " (quirks.pause_after_connect_ms, quirks.pause_between_requests_ms), or no Modbus TCP at all?",
}


async def smoke(
    spec: PlantSpec,
    transport: Transport,
    link: PlantLink,
    clock: Clock,
    *,
    within_s: float,
    reads: int = READS,
    over_s: float = 0.0,
    write_zero: bool = False,
    trace: bool = False,
) -> SmokeReport:
    """Check one endpoint of a plant; the link is the caller's, and stays open.

    Every request is an exchange of its own, so that a lent link is never held for longer.

    Args:
        within_s: Seconds that one request may take, connecting included.
        reads: How many reads are timed.
        over_s: Seconds over which they are spread, so that the state of charge can move.
        write_zero: Write zero setpoints and read them back.
        trace: Keep what goes over the wire.

    Raises:
        InvalidInput: The plant has no endpoint of this transport.
    """
    if transport not in spec.endpoints:
        raise InvalidInput(f"{spec.id} has no {transport} endpoint")
    lines: list[str] = []
    if trace:
        device = spec.endpoints[transport].main
        registers = spec.endpoints[transport].registers
        link = TracingLink(link, registers, unit_id=device.unit_id, lines=lines)
    check = _Check(spec, transport, link, clock, within_s=within_s)
    await check.run(reads=reads, over_s=over_s, write_zero=write_zero)
    return check.report(lines)


class _Check:
    """One run of the check: what has been seen so far."""

    def __init__(
        self,
        spec: PlantSpec,
        transport: Transport,
        link: PlantLink,
        clock: Clock,
        *,
        within_s: float,
    ) -> None:
        endpoint = spec.endpoints[transport]
        self._spec = spec
        self._transport = transport
        self._device = endpoint.main
        self._registers = endpoint.registers
        self._link = link
        self._clock = clock
        self._within_s = within_s
        self._failed_in_row = 0
        self._problem: LinkProblem | None = None
        self._findings: list[Finding] = []
        self._readings: dict[str, Reading] = {}
        self._took_ns = 0  # by the newest request
        self._durations_ns: list[int] = []
        self._lost = 0
        self._samples: list[Sample] = []

    async def run(self, *, reads: int, over_s: float, write_zero: bool) -> None:
        quirks = self._device.quirks
        blocks = self._registers.blocks(
            None, max_registers=quirks.max_registers, max_fill=quirks.max_fill
        )
        usable = [block for block in blocks if await self._read_block(block)]
        if self._is_given_up:
            return
        self._judge_readings()
        await self._time(usable, reads=reads, over_s=over_s)
        await self._look_at_neighbours()
        if write_zero:
            await self._write_zero()

    def report(self, lines: Sequence[str]) -> SmokeReport:
        if self._problem is not None and not self._is_given_up:
            self._add(
                Severity.WARNING,
                "link",
                f"{self._lost} requests were not answered: {self._problem.text}",
                _LINK_CURE.get(self._problem.status),
            )
        elif self._problem is not None:
            text, cure = self._problem.text, _LINK_CURE.get(self._problem.status)
            self._add(Severity.FAILED, "link", text, cure)
        order = {name: index for index, name in enumerate(self._registers.points)}
        device = self._device
        return SmokeReport(
            plant=self._spec.id,
            name=self._spec.name,
            transport=self._transport,
            endpoint=f"{device.host}:{device.port} unit {device.unit_id}",
            severity=worst(self._findings),
            readings=tuple(sorted(self._readings.values(), key=lambda one: order[one.point])),
            reads=len(self._durations_ns),
            round_trip_ms=percentiles_ms(self._durations_ns),
            findings=tuple(self._findings),
            trace=tuple(lines),
        )

    # Asking ----------------------------------------------------------------------------------

    @property
    def _is_given_up(self) -> bool:
        return self._failed_in_row >= FAILURES_MAX

    async def _ask(self, request: Request) -> Response | None:
        """The answer; None when there is none, or the link has been given up."""
        if self._is_given_up:
            return None
        asked_ns = self._clock.monotonic_ns()
        got = await self._link.exchange([request], within_s=self._within_s)
        waited_ns = self._clock.monotonic_ns() - asked_ns
        self._took_ns = waited_ns if got.took_ns is None else got.took_ns
        if got.problem is not None:
            self._problem = got.problem
            self._failed_in_row += 1
            self._lost += 1
            return None
        self._failed_in_row = 0
        return got.responses[0]

    async def _ask_twice(self, request: Request) -> Response | None:
        """As `_ask`; a first failure, such as of a connection that went stale, is tried again."""
        answer = await self._ask(request)
        return await self._ask(request) if answer is None else answer

    # Reading ---------------------------------------------------------------------------------

    async def _read_block(self, block: Block) -> bool:
        """Read the points of a block, one by one where the device refuses it whole."""
        answer = await self._ask_twice(block.request)
        if isinstance(answer, ReadReply):
            for name, at, length in block.points:
                self._take(name, answer.values[at : at + length])
            return True
        if len(block.points) == 1 or answer is None:
            self._no_answer((name for name, _, _ in block.points), answer)
            return False
        await self._read_apart(block, answer)
        return False

    async def _read_apart(self, block: Block, refusal: Response) -> None:
        """Read each point of a refused block alone, and say which quirk makes the block smaller."""
        bad: list[str] = []
        for name, _, _ in block.points:
            point = self._registers.points[name]
            answer = await self._ask_twice(_read_of(point))
            if isinstance(answer, ReadReply):
                self._take(name, answer.values)
            else:
                self._no_answer([name], answer)
                bad.append(name)
        if bad or not isinstance(refusal, Refusal):
            return
        largest = await self._largest_prefix(block)
        filled = block.request.count > len(
            {at + k for _, at, length in block.points for k in range(length)}
        )
        cures = [f"quirks.max_registers: {largest}"]
        if filled:
            cures.insert(0, "quirks.max_fill: 0")
        self._add(
            Severity.FAILED,
            f"{block.request.table} {block.request.address}",
            f"a read of {block.request.count} at once was refused ({refusal.text}),"
            " though each of its points can be read alone",
            f"set {' or '.join(cures)}",
        )

    async def _largest_prefix(self, block: Block) -> int:
        """How many registers from the block's start are answered at once."""
        request = block.request
        largest = max(length for _, _, length in block.points)
        for end in sorted({at + length for _, at, length in block.points}):
            if end < request.count:
                answer = await self._ask(ReadRequest(request.table, request.address, end))
                if not isinstance(answer, ReadReply):
                    break
                largest = max(largest, end)
        return largest

    def _take(self, name: str, words: Sequence[int]) -> None:
        self._readings[name] = reading_of(self._registers, name, words)

    def _no_answer(self, names: Iterable[str], answer: Response | None) -> None:
        is_refused = isinstance(answer, Refusal)
        problem = f"refused: {answer.text}" if isinstance(answer, Refusal) else "no answer"
        for name in names:
            self._readings[name] = reading_of(self._registers, name, None, problem)
            if is_refused or not self._is_given_up:
                cure = "check its address, table and access" if is_refused else None
                self._add(Severity.FAILED, name, f"cannot be read: {problem}", cure)

    def _judge_readings(self) -> None:
        for name, reading in self._readings.items():
            if reading.words is None:
                continue
            point = self._registers.points[name]
            finding = judge_reading(point, reading.words, self._spec.nameplate)
            if finding is not None:
                self._findings.append(finding)

    # Timing ----------------------------------------------------------------------------------

    async def _time(self, blocks: Sequence[Block], *, reads: int, over_s: float) -> None:
        if not blocks:
            return
        known: dict[str, float | None] = {}
        start_ns = self._clock.monotonic_ns()
        rounds = -(-reads // len(blocks))  # the state of charge is sampled once a round
        for index in range(reads):
            due_s = over_s * (index // len(blocks)) / max(rounds - 1, 1)
            await self._wait_until(start_ns + int(due_s * NS_PER_S))
            block = blocks[index % len(blocks)]
            answer = await self._ask(block.request)
            if self._is_given_up:
                return
            if isinstance(answer, ReadReply):
                self._durations_ns.append(self._took_ns)
                known.update(self._registers.decode_block(block, answer.values))
            if block is blocks[-1]:
                self._sample((self._clock.monotonic_ns() - start_ns) / NS_PER_S, known)
                known = {}
        if PointName.SOC in self._registers.points:
            finding = judge_slope(
                self._samples,
                self._registers.points[PointName.SOC],
                self._spec.nameplate,
                count_pu=self._registers.resolution(PointName.SOC),
            )
            if finding is not None:
                self._findings.append(finding)

    def _sample(self, at_s: float, known: dict[str, float | None]) -> None:
        p_kw, soc_pu = known.get(PointName.P_BATTERY), known.get(PointName.SOC)
        if p_kw is not None and soc_pu is not None:
            self._samples.append(Sample(at_s, p_kw, soc_pu))

    async def _wait_until(self, due_ns: int) -> None:
        left_s = (due_ns - self._clock.monotonic_ns()) / NS_PER_S
        if left_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await asyncio.Event().wait()

    # Word width ------------------------------------------------------------------------------

    async def _look_at_neighbours(self) -> None:
        """Read the 16-bit points with the register after them, where the map leaves it open."""
        points = [point for point in self._registers.points.values() if point.device is None]
        taken = {(p.table, spot) for p in points for spot in range(p.address, p.end)}
        for point in points:
            reading = self._readings.get(point.name)
            is_open = point.length == 1 and (point.table, point.end) not in taken
            if not is_open or point.is_bit or point.end >= ADDRESSES or reading is None:
                continue
            if reading.words is None:
                continue
            answer = await self._ask(ReadRequest(point.table, point.address, 2))
            if isinstance(answer, ReadReply):
                finding = judge_width(point, answer.values, self._spec.nameplate)
                if finding is not None:
                    self._findings.append(finding)
            elif answer is None:
                return  # a device that is silent there is not asked for more of it

    # Writing ---------------------------------------------------------------------------------

    async def _write_zero(self) -> None:
        """Write zero setpoints, by the other function where one is refused, and read them back."""
        enable = self._readings.get(PointName.ENABLE)
        if enable is not None and enable.value:
            text = "the plant reads enabled while zero is written"
            self._add(Severity.WARNING, PointName.ENABLE, text, "stop the plant first")
        function = self._device.quirks.write_function
        refused = await self._try_to_write(function)
        if refused is not None and refused[1].code == ExceptionCode.ILLEGAL_FUNCTION:
            other = WriteFunction.SINGLE if refused[0].multiple else WriteFunction.MULTIPLE
            if await self._try_to_write(other) is None and not self._is_given_up:
                # `auto` finds out by itself, at the cost of a refused write after each start.
                is_auto = function is WriteFunction.AUTO
                severity = Severity.WARNING if is_auto else Severity.FAILED
                text = f"write_function {function} is refused and {other} is taken"
                self._add(severity, "write", text, f"set quirks.write_function: {other}")
                refused = None
        if refused is not None:
            cure = "check the access of the setpoints, and whether the plant is in local mode"
            self._add(Severity.FAILED, "write", f"zero was refused: {refused[1].text}", cure)
            return
        for name in SETPOINTS:
            await self._read_back(name)

    async def _try_to_write(self, function: WriteFunction) -> tuple[WriteRequest, Refusal] | None:
        """Write zero; what was refused and why, or None."""
        requests = self._registers.write_requests(dict.fromkeys(SETPOINTS, 0.0), function=function)
        for request in requests:
            answer = await self._ask_twice(request)
            if isinstance(answer, Refusal):
                return request, answer
            if answer is None:
                break
        return None

    async def _read_back(self, name: PointName) -> None:
        point = self._registers.points[name]
        if not point.is_readable:
            return
        answer = await self._ask_twice(_read_of(point))
        if not isinstance(answer, ReadReply):
            self._add(Severity.FAILED, name, "zero could not be read back")
            return
        self._take(name, answer.values)
        value = self._readings[name].value
        if value is None or abs(value) > self._registers.resolution(name):
            self._add(
                Severity.FAILED,
                name,
                f"reads {'not known' if value is None else f'{value:.8g}'} after zero was written",
                "check its address, and whether the plant is in local mode",
            )
        else:
            self._add(Severity.OK, name, "zero was written and read back")

    def _add(self, severity: Severity, subject: str, text: str, cure: str | None = None) -> None:
        self._findings.append(Finding(severity=severity, subject=subject, text=text, cure=cure))


def _read_of(point: Point) -> ReadRequest:
    return ReadRequest(point.table, point.address, point.length)
