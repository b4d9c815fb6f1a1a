"""One plant over one endpoint: what it was told, what was read of it, and what that means."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from hil.domain.alarms import AlarmKind
from hil.domain.modbus_pdu import Request
from hil.domain.phase import Phase
from hil.domain.plant import PlantSpec, Transport
from hil.domain.signals import Measurement, OptionalPoint
from hil.domain.snapshot import LimitName, Link, LinkStatus, Origin, SetpointState, WriteStatus
from hil.engine.cadence import NS_PER_S, Cadence
from hil.engine.heartbeat import Heartbeat
from hil.engine.ledger import Ledger
from hil.engine.meter import Meter
from hil.engine.plant_parts import Plan
from hil.engine.plant_points import Outcome, PlantPoints
from hil.engine.plant_watch import LINK_LOST_AFTER, PlantWatch, Verdict
from hil.engine.setpoint_keeper import SetpointKeeper
from hil.ports import Clock, Exchange, LinkProblem, Tap

T = TypeVar("T")

CUT_OFF = Outcome(values={}, written=None, link_ok=False, error="cut off by an e-stop")
LENT_CUT_OFF = Exchange((), LinkProblem(LinkStatus.ERROR, "cut off by an e-stop"))


class Contact:
    """Exchanges with one endpoint of a plant; a switch of the transport makes a new one.

    Args:
        say: Raises (a text) or clears (None) an alarm of the plant.
    """

    def __init__(
        self,
        spec: PlantSpec,
        transport: Transport,
        points: PlantPoints,
        cadence: Cadence,
        clock: Clock,
        ledger: Ledger,
        say: Callable[[AlarmKind, str | None], None],
    ) -> None:
        self._clock = clock
        self._points = points
        self._ledger = ledger
        self._tell = say
        self.registers = points.registers
        self._meter = Meter(spec.extra_signals)
        self._watch = PlantWatch(
            spec.nameplate, spec.alarm_bits, points.registers.points, self._say
        )
        self._setpoint = SetpointKeeper(
            spec,
            points.registers,
            clock,
            period_s=cadence.dispatch_ns / NS_PER_S,
            measurement_period_s=cadence.measurement_ns / NS_PER_S,
        )
        self._heartbeat = Heartbeat(points.registers)
        self._asking: asyncio.Task[Any] | None = None
        self._is_cut_off = False
        self._decided_ns = 0
        self.is_guarded = (
            transport is Transport.LOCAL
            or spec.setpoint.revert_s is not None
            or OptionalPoint.HEARTBEAT in points.registers.points
        )

    async def exchange(self, writes: dict[str, float], phase: Phase) -> tuple[Outcome, Verdict]:
        """Write and read everything; a write that is cut off is unknown, not failed.

        Args:
            phase: Of the plant while it is asked.
        """
        written_ns = self._clock.monotonic_ns()
        before = self._meter.measurement
        outcome = CUT_OFF
        try:
            outcome = await self._uncut(self._points.exchange(writes), CUT_OFF)
        finally:
            self._setpoint.is_written(writes, _WRITE_STATUS[outcome.written])
        if outcome.written and phase is Phase.RUNNING:
            self._ledger.wrote(
                writes,
                from_p_kw=None if before is None else before.battery_active_power_kw,
                decided_ns=self._decided_ns,
                written_ns=written_ns,
                acked_ns=outcome.acked_ns,
            )
        return outcome, self._look(outcome, phase, wrote=bool(writes))

    async def lend(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        """An exchange of somebody else's; it leaves no trace in measurement and health."""
        return await self._uncut(
            self._points.lend(requests, within_s=within_s, tap=tap), LENT_CUT_OFF
        )

    async def _uncut(self, asking: Coroutine[Any, Any, T], cut_off: T) -> T:
        """What came of an exchange; `cut_off` when an e-stop ended it."""
        self._asking = asyncio.current_task()
        try:
            return await asking
        except asyncio.CancelledError:
            if not self._is_cut_off or self._asking is None:
                raise
            self._is_cut_off = False
            self._asking.uncancel()
            return cut_off
        finally:
            self._asking = None

    def beat_due_ns(self, phase: Phase) -> int | None:
        """When the heartbeat must be written next; None: not before the next exchange."""
        return self._heartbeat.due_ns(phase) if self.answers else None

    async def beat(self, phase: Phase, *, before_ns: int) -> None:
        """Write the heartbeat if it is due, in the time that is left before the next step."""
        now_ns = self._clock.monotonic_ns()
        due_ns = self.beat_due_ns(phase)
        if due_ns is None or not due_ns <= now_ns < before_ns:
            return
        within_s = (before_ns - now_ns) / NS_PER_S
        beating = self._points.write(self._heartbeat.take(now_ns), within_s=within_s)
        if (await self._uncut(beating, CUT_OFF)).written:
            self._heartbeat.is_taken()

    def _look(self, outcome: Outcome, phase: Phase, *, wrote: bool) -> Verdict:
        now_ns = self._clock.monotonic_ns()
        foreign_write = self._setpoint.read_back(outcome.values, wrote=wrote)
        is_live = phase in {Phase.RUNNING, Phase.STOPPING}
        self._meter.take(outcome.values, at=self._clock.now(), now_ns=now_ns, running=is_live)
        status = self._setpoint.status
        self._ledger.read(
            outcome.values, is_confirmed=status is WriteStatus.CONFIRMED, now_ns=now_ns
        )
        return self._watch.look(
            outcome,
            phase=phase,
            failures=self._points.failures,
            lost_devices=self._points.lost(LINK_LOST_AFTER),
            status=status,
            foreign_write=foreign_write,
            heartbeat=self._heartbeat.stopped(outcome.values, phase),
            now_ns=now_ns,
        )

    def _say(self, kind: AlarmKind, detail: str | None) -> None:
        self._tell(kind, detail)

    def mute(self) -> None:
        """Say nothing of this endpoint any more: another one is the plant now."""
        self._tell = _nothing

    def cut_off(self) -> None:
        """End the exchange in flight, if there is one; what it wrote is unknown."""
        if self._asking is not None:
            self._is_cut_off = True
            self._asking.cancel()

    def decide(self, plan: Plan, *, now: datetime, gate_open: bool) -> dict[str, float]:
        """The writes of the setpoint that must be held from now on; none when it is held."""
        self._decided_ns = self._clock.monotonic_ns()
        soc_pu, soc_age_s = self._meter.soc(self._decided_ns)
        writes = self._setpoint.decide(
            now=now,
            gate_open=gate_open,
            source=plan.source,
            base=plan.base,
            overrides=plan.overrides,
            stale_after_s=plan.stale_after_s,
            soc_pu=soc_pu,
            soc_age_s=soc_age_s,
        )
        unknown = LimitName.SOC_UNKNOWN in self._setpoint.limited_by
        self._say(AlarmKind.SOC_UNKNOWN, "" if unknown else None)
        return writes

    def idle(self, origin: Origin) -> None:
        """A start (none) or a stop (safe_stop) has the setpoint."""
        self._setpoint.idle(origin)

    def forget(self) -> None:
        """It is not known any more what the plant was told last."""
        self._setpoint.forget()

    def begin_to_run(self) -> None:
        """Count the energy since the start from zero, and say when nothing guards the plant."""
        self._meter.reset_energy()
        self._say(AlarmKind.NO_WATCHDOG, None if self.is_guarded else "")

    def row(self, outcome: Outcome) -> tuple[float | None, ...]:
        """The values of a recorded row."""
        return self._meter.row(outcome.values)

    @property
    def measurement(self) -> Measurement | None:
        """The newest measurement, with what is wrong with it."""
        newest = self._meter.measurement
        return None if newest is None else replace(newest, quality=self._watch.quality)

    @property
    def answers(self) -> bool:
        """Whether the last exchange was answered."""
        return self._points.failures == 0

    @property
    def in_local_mode(self) -> bool:
        """Whether the plant says that it does not allow control."""
        return self._watch.in_local_mode

    def setpoint(self, plan: Plan) -> SetpointState:
        """The setpoint as the state shows it."""
        return self._setpoint.shown(plan.base, self._points.write_counts)

    def link(self) -> Link:
        """The link as the state shows it."""
        return self._points.health()

    async def close(self) -> None:
        """Drop the connection."""
        await self._points.close()


def _nothing(_: AlarmKind, __: str | None) -> None:
    """Nobody is told."""


_WRITE_STATUS = {
    True: WriteStatus.PENDING,
    False: WriteStatus.REFUSED,
    None: WriteStatus.UNKNOWN,
}
