"""The owner task of one plant: it alone speaks to the plant, decides, writes and measures."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import assert_never

from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.phase import Phase
from hil.domain.plant import PlantSpec, Source
from hil.domain.safe_stop import Do, Finished, SafeStop, Seen, Sequence, Start, Wait
from hil.domain.schedule import Schedule
from hil.domain.signals import PointName, Row
from hil.domain.snapshot import Origin, PlantState, WriteStatus
from hil.engine.board import Board
from hil.engine.cadence import NS_PER_S, Bell, Cadence, Step
from hil.engine.day_memory import DayMemory
from hil.engine.job import DONE, Job, JobEnd
from hil.engine.lateness import Lateness
from hil.engine.meter import Meter
from hil.engine.plant_points import Outcome, PlantPoints
from hil.engine.recorder import Recorder
from hil.engine.setpoint_keeper import SetpointKeeper
from hil.ports import Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantTiming:
    """The periods and time-outs that the owner of a plant keeps, in seconds."""

    start_timeout_s: float
    stop_timeout_s: float
    threshold_kw: float
    threshold_kvar: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantParts:
    """What the engine shares with every owner.

    `schedule` and `source` give the present base schedule; `before_start` is awaited before a
    start (the emulated plant takes its state of charge there).
    """

    clock: Clock
    board: Board
    recorder: Recorder
    memory: DayMemory
    lateness: Lateness
    timing: PlantTiming
    source: Callable[[], Source]
    before_start: Callable[[], Awaitable[None]]


class PlantLoop:
    """Owns one plant: its link, its gate, its phase and its setpoint.

    Args:
        schedule: Gives the base schedule in force.
    """

    def __init__(
        self,
        spec: PlantSpec,
        points: PlantPoints,
        cadence: Cadence,
        parts: PlantParts,
        schedule: Callable[[], Schedule],
    ) -> None:
        self._spec = spec
        self._points = points
        self._cadence = cadence
        self._parts = parts
        self._clock = parts.clock
        self._schedule = schedule
        self._bell = Bell(parts.clock)
        self._meter = Meter(points.registers)
        self._setpoint = SetpointKeeper(
            spec,
            points.registers,
            parts.clock,
            period_s=cadence.dispatch_ns / NS_PER_S,
            measurement_period_s=cadence.measurement_ns / NS_PER_S,
        )
        self._phase = Phase.STOPPED
        self._gate_open = False
        self._jobs: deque[Job] = deque()
        self._job: Job | None = None
        self._sequence: Sequence | None = None
        self._sequence_due_ns = 0
        self._last: Outcome | None = None
        self._stop_pending = False

    # The inbox -------------------------------------------------------------------------------

    @property
    def jobs_waiting(self) -> int:
        """How many jobs wait in the inbox."""
        return len(self._jobs)

    def give(self, job: Job) -> None:
        """Put a job into the inbox; a stop goes first and ends what would start or dispatch."""
        if job.kind is CommandKind.STOP:
            overtaken = [other for other in self._jobs if other.kind in _OVERTAKEN]
            for other in overtaken:
                self._jobs.remove(other)
                other.on_end(
                    JobEnd(status=CommandStatus.REJECTED, error="a stop was asked for after it")
                )
            self._gate_open = False
            if self._job is not None and self._job.kind is CommandKind.START:
                self._end_job(JobEnd(status=CommandStatus.FAILED, error="a stop was asked for"))
                self._sequence = None
            self._jobs.appendleft(job)
        else:
            self._jobs.append(job)
        self._bell.ring()

    # The loop --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the plant until cancelled."""
        try:
            while True:
                await self._bell.wait_until(self._next_ns())
                await self._turn()
                self._publish()
        finally:
            await self._points.close()

    def after_failure(self, error: Exception) -> None:
        """Forget what was under way after a defect: nothing is known, the plant must be stopped."""
        if self._job is not None:
            self._end_job(JobEnd(status=CommandStatus.FAILED, error=f"internal error: {error}"))
        self._gate_open, self._sequence, self._stop_pending = False, None, True
        self._phase = Phase.UNKNOWN
        self._setpoint.forget()
        self._publish()

    def _next_ns(self) -> int:
        step_ns = self._cadence.next_due_ns()
        return step_ns if self._sequence is None else min(step_ns, self._sequence_due_ns)

    async def _turn(self) -> None:
        while self._sequence is None and self._jobs:
            self._job = self._jobs.popleft()
            self._job.on_start()
            await self._begin(self._job)
        if self._sequence is not None and self._clock.monotonic_ns() >= self._sequence_due_ns:
            await self._advance(self._sequence)
        self._follow_wall_clock()
        step = self._cadence.take()
        if step is not None:
            await self._step(step)

    def _follow_wall_clock(self) -> None:
        jump_ns = self._cadence.jump_ns()
        if not jump_ns:
            return
        session = self._parts.recorder.session(self._spec.id)
        if session is not None and jump_ns < 0:
            return  # row times never go back: the old time line stays until the session ends
        log.warning("plant=%s the wall clock stepped by %.3f s", self._spec.id, jump_ns / NS_PER_S)
        self._cadence.anchor()
        if session is not None:
            self._parts.recorder.close_session(self._spec.id)
            self._parts.recorder.open_session(self._spec.id, session.name)

    async def _step(self, step: Step) -> None:
        writes: dict[str, float] = {}
        if step.dispatch_at is not None:
            self._parts.lateness.add(self._clock.monotonic_ns() - step.due_ns, step.missed)
            if self._phase is Phase.RUNNING and self._sequence is None:
                writes = self._dispatch(step)
        if step.measure_at is None and not writes:
            return
        outcome = await self._exchange(writes)
        if step.measure_at is not None:
            row = Row(step.measure_at, self._meter.row(outcome.values))
            self._parts.memory.add(self._spec.id, row)
            if self._parts.recorder.session(self._spec.id) is not None:
                self._parts.recorder.add(self._spec.id, row)
            if self._stop_pending and outcome.link_ok and self._sequence is None:
                self._begin_stop()

    # Dispatch --------------------------------------------------------------------------------

    def _dispatch(self, step: Step | None) -> dict[str, float]:
        """Decide, and return what must be written for it (nothing when the plant holds it)."""
        now = self._clock.now()
        if step is not None and step.dispatch_at is not None and not self._cadence.jump_ns():
            now = step.dispatch_at
        soc_pu, soc_age_s = self._meter.soc(self._clock.monotonic_ns())
        return self._setpoint.decide(
            now=now,
            gate_open=self._gate_open,
            source=self._parts.source(),
            base=self._schedule(),
            soc_pu=soc_pu,
            soc_age_s=soc_age_s,
        )

    async def _exchange(self, writes: dict[str, float]) -> Outcome:
        """One exchange with the plant; a write that is cut off is unknown, not failed."""
        now_ns = self._clock.monotonic_ns()
        written: bool | None = None
        try:
            outcome = await self._points.exchange(writes)
            written = outcome.written
        finally:
            self._setpoint.is_written(writes, _WRITE_STATUS[written])
        self._setpoint.read_back(outcome.values)
        self._meter.take(
            outcome.values, at=self._clock.now(), now_ns=now_ns, running=self._gate_open
        )
        return outcome

    # Commands --------------------------------------------------------------------------------

    async def _begin(self, job: Job) -> None:
        recorder, plant = self._parts.recorder, self._spec.id
        match job.kind:
            case CommandKind.START:
                await self._begin_start()
            case CommandKind.STOP:
                self._begin_stop()
            case CommandKind.DISPATCH | CommandKind.PAUSE:
                await self._set_gate(is_open=job.kind is CommandKind.DISPATCH)
            case CommandKind.RECORD:
                if recorder.session(plant) is None:
                    recorder.open_session(plant, self._spec.name)
                self._end_job(DONE)
            case CommandKind.STOP_RECORDING:
                recorder.close_session(plant)
                self._end_job(DONE)
            case CommandKind.FLEET_START | CommandKind.FLEET_STOP:
                raise AssertionError(f"{job.kind} is not for one plant")
            case never:
                assert_never(never)

    async def _begin_start(self) -> None:
        if self._phase is Phase.RUNNING:
            return self._end_job(DONE)
        if self._phase is not Phase.STOPPED or self._stop_pending:
            return self._end_job(
                JobEnd(
                    status=CommandStatus.REJECTED,
                    error=f"{self._spec.name} is {self._phase}; stop it first",
                )
            )
        self._phase = Phase.STARTING
        self._setpoint.idle(Origin.NONE)
        self._publish()
        job = self._job
        await self._parts.before_start()
        if self._job is not job:
            return None  # a stop came meanwhile
        self._take_up(
            Start(
                self._points.registers,
                timeout_s=self._parts.timing.start_timeout_s,
                now_ns=self._clock.monotonic_ns(),
            )
        )
        return None

    def _begin_stop(self) -> None:
        self._gate_open = False
        self._setpoint.idle(Origin.SAFE_STOP)
        look_first = self._phase is Phase.STOPPED and not self._stop_pending
        self._phase = Phase.STOPPING if self._job is not None else self._phase
        timing = self._parts.timing
        self._take_up(
            SafeStop(
                self._points.registers,
                threshold_kw=timing.threshold_kw,
                threshold_kvar=timing.threshold_kvar,
                timeout_s=timing.stop_timeout_s,
                now_ns=self._clock.monotonic_ns(),
                look_first=look_first,
            )
        )

    async def _set_gate(self, *, is_open: bool) -> None:
        if self._phase is not Phase.RUNNING:
            return self._end_job(
                JobEnd(
                    status=CommandStatus.REJECTED,
                    error=f"{self._spec.name} is {self._phase}, not running",
                )
            )
        self._gate_open = is_open
        if writes := self._dispatch(None):
            outcome = await self._exchange(writes)
            if outcome.written is not True and not is_open:
                error = f"the zero is not confirmed and is written again: {outcome.error}"
                return self._end_job(JobEnd(status=CommandStatus.FAILED, error=error))
        return self._end_job(DONE)

    def _take_up(self, sequence: Sequence) -> None:
        self._sequence = sequence
        self._sequence_due_ns = self._clock.monotonic_ns()
        self._last = None
        self._publish()

    async def _advance(self, sequence: Sequence) -> None:
        """Carry the sequence on until it waits or has ended."""
        while self._sequence is sequence:
            match sequence.next(self._seen()):
                case Do(writes):
                    self._last = await self._exchange(dict(writes))
                    self._publish()
                case Wait(until_ns):
                    self._sequence_due_ns = until_ns
                    return
                case Finished() as end:
                    self._sequence = None
                    await self._after_sequence(sequence, end)
                case never:
                    assert_never(never)

    def _seen(self) -> Seen:
        if self._last is None:
            return Seen(now_ns=self._clock.monotonic_ns())
        values = self._last.values
        enable = values.get(PointName.ENABLE)
        return Seen(
            now_ns=self._clock.monotonic_ns(),
            link_ok=self._last.link_ok,
            error=self._last.error,
            enabled=None if enable is None else enable != 0,
            p_battery_kw=values.get(PointName.P_BATTERY),
            q_battery_kvar=values.get(PointName.Q_BATTERY),
            p_setpoint_kw=values.get(PointName.P_SETPOINT),
            q_setpoint_kvar=values.get(PointName.Q_SETPOINT),
        )

    async def _after_sequence(self, sequence: Sequence, end: Finished) -> None:
        log.info(
            "plant=%s %s ended result=%s%s",
            self._spec.id,
            "start" if isinstance(sequence, Start) else "safe stop",
            end.result,
            "" if end.error is None else f": {end.error}",
        )
        if isinstance(sequence, Start):
            self._phase = Phase.RUNNING if end.error is None else Phase.UNKNOWN
            self._stop_pending = end.error is not None and not end.result["disabled"]
        else:
            stopped = end.result["disable_ok"]
            self._phase = Phase.STOPPED if stopped else Phase.UNKNOWN
            self._stop_pending = not stopped
        status = CommandStatus.DONE if end.error is None else CommandStatus.FAILED
        self._end_job(JobEnd(status=status, result=end.result, error=end.error))
        if self._phase is Phase.RUNNING:
            self._gate_open = True
            self._meter.reset_energy()
            if writes := self._dispatch(None):
                await self._exchange(writes)

    def _end_job(self, end: JobEnd) -> None:
        job, self._job = self._job, None
        if job is not None:
            self._publish()
            job.on_end(end)

    # The state -------------------------------------------------------------------------------

    def _publish(self) -> None:
        session = self._parts.recorder.session(self._spec.id)
        self._parts.board.publish_plant(
            self._spec.id,
            PlantState(
                name=self._spec.name,
                phase=self._phase,
                dispatching=self._gate_open and self._phase is Phase.RUNNING,
                recording=session is not None,
                in_service=self._spec.in_service,
                limits=self._spec.nameplate,
                measurement=self._meter.measurement,
                setpoint=self._setpoint.shown(self._schedule()),
                link=self._points.health(),
                session=session,
            ),
        )


_OVERTAKEN = frozenset({CommandKind.START, CommandKind.DISPATCH, CommandKind.PAUSE})
_WRITE_STATUS = {
    True: WriteStatus.PENDING,
    False: WriteStatus.REFUSED,
    None: WriteStatus.UNKNOWN,
}
