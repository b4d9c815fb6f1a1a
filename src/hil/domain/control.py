"""The dispatch rule: from the schedule and the present state to the setpoint to be held."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hil.domain.limits import ZERO, Setpoint, SocLatch, deadband, latched, narrow
from hil.domain.plant import ControlLimits, Nameplate, Source
from hil.domain.schedule import Schedule, Series, Signal
from hil.domain.snapshot import LimitName, Origin, Origins

# A state of charge that has not been read for this long is not known any more; a bench that
# measures more rarely than every 5 s must miss two readings.
SOC_KNOWN_FOR_S = 10.0
SOC_KNOWN_FOR_PERIODS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlInput:
    """Everything the rule looks at.

    `overrides` replace the base schedule of their signal where they have a value.
    `stale_after_s` None: a setpoint never becomes stale. `soc_pu` is the last reading and
    `soc_age_s` its age; both None when there was none. `taken` is the setpoint that the device
    follows, None when there is none to ramp from, and `since_last_s` the time since the last
    decision. `period_s` is the time until the next decision, `measurement_period_s` the one
    between two readings.
    """

    now: datetime
    gate_open: bool
    source: Source
    base: Schedule
    overrides: Mapping[Signal, Series]
    stale_after_s: float | None
    nameplate: Nameplate
    limits: ControlLimits
    soc_pu: float | None
    soc_age_s: float | None
    latch: SocLatch
    taken: Setpoint | None
    since_last_s: float
    period_s: float
    measurement_period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The setpoint to hold, the one that was asked for, and what stands between them."""

    setpoint: Setpoint
    requested: Setpoint
    origins: Origins
    limited_by: tuple[LimitName, ...]
    latch: SocLatch


def decide(given: ControlInput) -> Decision:
    """The setpoint that the plant must hold from `given.now` on.

    With the gate closed it is zero. Otherwise: the override, else the base schedule by step-hold,
    where stale or missing means zero; then deadband, nameplate, PQ circle and state of charge;
    then the ramp from what the device follows, after which the hard limits hold once more.
    """
    soc_pu = _known_soc(given)
    latch = given.latch if soc_pu is None else latched(given.latch, given.limits, soc_pu=soc_pu)
    if not given.gate_open:
        return Decision(
            setpoint=ZERO, requested=ZERO, origins=Origins(), limited_by=(), latch=latch
        )
    p_kw, p_origin = _target(Signal.P, given.base.p, given)
    q_kvar, q_origin = _target(Signal.Q, given.base.q, given)
    requested = Setpoint(p_kw=p_kw, q_kvar=q_kvar)

    def hard_limits(wanted: Setpoint) -> tuple[Setpoint, frozenset[LimitName]]:
        got = narrow(
            wanted,
            given.nameplate,
            given.limits,
            soc_pu=soc_pu,
            latch=latch,
            horizon_h=given.period_s / 3600,
        )
        return got.setpoint, got.limited_by

    quiet = deadband(requested, given.limits)
    target, named = hard_limits(quiet.setpoint)
    named |= quiet.limited_by
    setpoint = target
    if p_origin is not Origin.STALE:
        setpoint = _ramped(target, given)
        if setpoint != target:
            setpoint, again = hard_limits(setpoint)
            named |= again | {LimitName.RAMP}
    return Decision(
        setpoint=setpoint,
        requested=requested,
        origins=Origins(p=p_origin, q=q_origin),
        limited_by=tuple(name for name in LimitName if name in named),
        latch=latch,
    )


def _known_soc(given: ControlInput) -> float | None:
    known_for_s = max(SOC_KNOWN_FOR_S, SOC_KNOWN_FOR_PERIODS * given.measurement_period_s)
    if given.soc_age_s is None or given.soc_age_s >= known_for_s:
        return None
    return given.soc_pu


def _target(signal: Signal, series: Series, given: ControlInput) -> tuple[float, Origin]:
    override = given.overrides.get(signal)
    replaced = None if override is None else override.at(given.now)
    if replaced is not None:
        return replaced, Origin.OVERRIDE
    value, since = series.at(given.now), series.since(given.now)
    if value is None or since is None:
        # Of a market's plan, what is missing is as bad as what is too old.
        return 0.0, Origin.NONE if given.source is Source.MANUAL else Origin.STALE
    if given.stale_after_s is not None and given.now - since >= timedelta(
        seconds=given.stale_after_s
    ):
        return 0.0, Origin.STALE
    return value, Origin.API if given.source is Source.API else Origin.MANUAL


def _ramped(target: Setpoint, given: ControlInput) -> Setpoint:
    if given.limits.ramp_kw_per_s is None or given.taken is None:
        return target
    reach_kw = given.limits.ramp_kw_per_s * min(given.period_s, given.since_last_s)
    change_kw = min(max(target.p_kw - given.taken.p_kw, -reach_kw), reach_kw)
    if abs(target.p_kw - given.taken.p_kw) <= reach_kw:
        return target
    return Setpoint(p_kw=given.taken.p_kw + change_kw, q_kvar=target.q_kvar)
