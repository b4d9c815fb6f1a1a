"""The setpoint of one plant: decided, written, read back and shown."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from hil.domain.control import ControlInput, Decision, decide
from hil.domain.limits import Setpoint, SocLatch
from hil.domain.plant import PlantSpec, Source
from hil.domain.registers import RegisterMap
from hil.domain.schedule import Schedule, Series, Signal
from hil.domain.signals import PointName
from hil.domain.snapshot import LimitName, NextSetpoint, Origin, Origins, SetpointState, WriteStatus
from hil.domain.write_life import Resolution, WriteLife
from hil.engine.cadence import NS_PER_S
from hil.ports import Clock


class SetpointKeeper:
    """Holds what the dispatch rule remembers between steps, and the life of the last write.

    Args:
        period_s: Time between two decisions.
        measurement_period_s: Time between two readings.
    """

    def __init__(
        self,
        spec: PlantSpec,
        registers: RegisterMap,
        clock: Clock,
        *,
        period_s: float,
        measurement_period_s: float,
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._period_s = period_s
        self._measurement_period_s = measurement_period_s
        plate = spec.nameplate
        self._resolution = Resolution(
            p_kw=registers.resolution(
                PointName.P_SETPOINT, near=max(plate.p_max_kw, -plate.p_min_kw)
            ),
            q_kvar=registers.resolution(
                PointName.Q_SETPOINT, near=max(plate.q_max_kvar, -plate.q_min_kvar)
            ),
        )
        self._life = WriteLife()
        self._latch = SocLatch()
        self._decision: Decision | None = None
        self._decided_ns: int | None = None
        self._idle_origin = Origin.NONE

    def decide(
        self,
        *,
        now: datetime,
        gate_open: bool,
        source: Source,
        base: Schedule,
        overrides: Mapping[Signal, Series],
        stale_after_s: float | None,
        soc_pu: float | None,
        soc_age_s: float | None,
    ) -> dict[str, float]:
        """Decide, and return what must be written for it (nothing when the plant holds it)."""
        now_ns = self._clock.monotonic_ns()
        before_ns, self._decided_ns = self._decided_ns, now_ns
        self._decision = decide(
            ControlInput(
                now=now,
                gate_open=gate_open,
                source=source,
                base=base,
                overrides=overrides,
                stale_after_s=stale_after_s,
                nameplate=self._spec.nameplate,
                limits=self._spec.limits,
                soc_pu=soc_pu,
                soc_age_s=soc_age_s,
                latch=self._latch,
                taken=self._life.taken,
                since_last_s=(
                    self._period_s if before_ns is None else (now_ns - before_ns) / NS_PER_S
                ),
                period_s=self._period_s,
                measurement_period_s=self._measurement_period_s,
            )
        )
        self._latch = self._decision.latch
        wanted = self._decision.setpoint
        if not self._life.is_due(wanted, self._spec.setpoint, self._resolution, now_ns=now_ns):
            return {}
        return {PointName.P_SETPOINT: wanted.p_kw, PointName.Q_SETPOINT: wanted.q_kvar}

    def idle(self, origin: Origin) -> None:
        """Nothing is decided any more: a start (none) or a stop (safe_stop) has the setpoint."""
        self._decision = None
        self._decided_ns = None
        self._idle_origin = origin

    def forget(self) -> None:
        """It is not known any more what the plant was told last."""
        self._life = replace(self._life, status=WriteStatus.UNKNOWN)

    def is_written(self, writes: Mapping[str, float], status: WriteStatus) -> None:
        """Note an attempt to write a setpoint; other writes are not looked at.

        Args:
            status: Pending when the device acknowledged, refused, or unknown.
        """
        if PointName.P_SETPOINT not in writes:
            return
        self._life = self._life.after_write(
            Setpoint(p_kw=writes[PointName.P_SETPOINT], q_kvar=writes[PointName.Q_SETPOINT]),
            status,
            self._resolution,
            now_ns=self._clock.monotonic_ns(),
            at=self._clock.now(),
        )

    def read_back(self, values: Mapping[str, float | None], *, wrote: bool) -> bool:
        """Compare what the device holds with what was written; without values nothing is known.

        Args:
            wrote: This exchange wrote the setpoint, too.

        Returns whether a confirmed setpoint was changed by somebody else.
        """
        p_kw, q_kvar = values.get(PointName.P_SETPOINT), values.get(PointName.Q_SETPOINT)
        held = None if p_kw is None or q_kvar is None else Setpoint(p_kw=p_kw, q_kvar=q_kvar)
        before = self._life
        self._life = before.after_read_back(
            held, self._spec.setpoint, self._resolution, now_ns=self._clock.monotonic_ns()
        )
        was_ours = before.status is WriteStatus.CONFIRMED
        return not wrote and was_ours and self._life.status is WriteStatus.PENDING

    @property
    def status(self) -> WriteStatus:
        """What became of the last write."""
        return self._life.status

    @property
    def limited_by(self) -> tuple[LimitName, ...]:
        """What narrowed the decision in force."""
        return () if self._decision is None else self._decision.limited_by

    def shown(self, base: Schedule, counts: Mapping[str, int]) -> SetpointState:
        """As the state shows it."""
        change = base.p.next_change(self._clock.now())
        written = self._life.written
        state = SetpointState(
            p_kw=None if written is None else written.p_kw,
            q_kvar=None if written is None else written.q_kvar,
            origin=self._idle_origin,
            origins=Origins(p=self._idle_origin, q=self._idle_origin),
            write=self._life.shown(counts),
            next=None if change is None else NextSetpoint(at=change[0], p_kw=change[1] or 0.0),
        )
        if self._decision is None:
            return state
        return replace(
            state,
            requested_p_kw=self._decision.requested.p_kw,
            requested_q_kvar=self._decision.requested.q_kvar,
            origin=_shown_origin(self._decision.origins),
            origins=self._decision.origins,
            limited_by=self._decision.limited_by,
        )


def _shown_origin(origins: Origins) -> Origin:
    """One word for both signals: an override of either, else where the active power is from."""
    return Origin.OVERRIDE if Origin.OVERRIDE in {origins.p, origins.q} else origins.p
