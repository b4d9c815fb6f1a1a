"""The limits of a setpoint, in their order; each only narrows and never flips a sign."""

from dataclasses import dataclass
from math import copysign, sqrt

from hil.domain.battery_curves import soc_taper
from hil.domain.plant import ControlLimits, Nameplate, Priority
from hil.domain.snapshot import LimitName


@dataclass(frozen=True, slots=True, kw_only=True)
class Setpoint:
    """Active power in kW (positive: discharge) and reactive power in kvar."""

    p_kw: float
    q_kvar: float


ZERO = Setpoint(p_kw=0.0, q_kvar=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocLatch:
    """Which direction the state of charge has blocked, until it is back by the hysteresis."""

    discharge: bool = False
    charge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A setpoint inside the limits, and the limits that changed it."""

    setpoint: Setpoint
    limited_by: frozenset[LimitName]


def deadband(wanted: Setpoint, limits: ControlLimits) -> Limited:
    """Active power smaller than the deadband becomes zero."""
    if 0 < abs(wanted.p_kw) < limits.p_deadband_kw:
        return Limited(
            setpoint=Setpoint(p_kw=0.0, q_kvar=wanted.q_kvar),
            limited_by=frozenset({LimitName.DEADBAND}),
        )
    return Limited(setpoint=wanted, limited_by=frozenset())


def latched(latch: SocLatch, limits: ControlLimits, *, soc_pu: float) -> SocLatch:
    """The latch after this reading: set at an end of the window, released past the hysteresis."""
    low, high, back = limits.soc_min_pu, limits.soc_max_pu, limits.soc_hysteresis_pu
    return SocLatch(
        discharge=soc_pu <= low or (latch.discharge and soc_pu < low + back),
        charge=soc_pu >= high or (latch.charge and soc_pu > high - back),
    )


def narrow(
    wanted: Setpoint,
    nameplate: Nameplate,
    limits: ControlLimits,
    *,
    soc_pu: float | None,
    latch: SocLatch,
    horizon_h: float,
) -> Limited:
    """Move `wanted` inside the nameplate, the PQ circle and the state of charge window.

    Args:
        soc_pu: State of charge, 0..1. None: not known for so long that nothing may flow.
        latch: The directions that the window blocks (see `latched`).
        horizon_h: Hours that this setpoint will hold; greater than 0.
    """
    assert horizon_h > 0, horizon_h
    named: set[LimitName] = set()
    p_kw = _inside(wanted.p_kw, nameplate.p_min_kw, nameplate.p_max_kw)
    q_kvar = _inside(wanted.q_kvar, nameplate.q_min_kvar, nameplate.q_max_kvar)
    if (p_kw, q_kvar) != (wanted.p_kw, wanted.q_kvar):
        named.add(LimitName.NAMEPLATE)
    if limits.s_max_kva is not None and p_kw * p_kw + q_kvar * q_kvar > limits.s_max_kva**2:
        p_kw, q_kvar = _inside_circle(p_kw, q_kvar, limits.s_max_kva, limits.priority)
        named.add(LimitName.PQ_CIRCLE)
    if soc_pu is None:
        if p_kw != 0:
            named.add(LimitName.SOC_UNKNOWN)
        p_kw = 0.0
    else:
        allowed = _soc_limit_kw(p_kw, nameplate, limits, soc_pu, latch, horizon_h)
        if abs(allowed) < abs(p_kw):
            named.add(LimitName.SOC)
            p_kw = allowed
    return Limited(setpoint=Setpoint(p_kw=p_kw, q_kvar=q_kvar), limited_by=frozenset(named))


def _inside(value: float, low: float, high: float) -> float:
    return min(max(value, min(low, 0.0)), max(high, 0.0))


def _inside_circle(
    p_kw: float, q_kvar: float, s_max_kva: float, priority: Priority
) -> tuple[float, float]:
    if priority is Priority.P:
        p_kw = copysign(min(abs(p_kw), s_max_kva), p_kw)
        room = sqrt(max(0.0, s_max_kva**2 - p_kw**2))
        return p_kw, copysign(min(abs(q_kvar), room), q_kvar)
    q_kvar = copysign(min(abs(q_kvar), s_max_kva), q_kvar)
    room = sqrt(max(0.0, s_max_kva**2 - q_kvar**2))
    return copysign(min(abs(p_kw), room), p_kw), q_kvar


def _soc_limit_kw(
    p_kw: float,
    nameplate: Nameplate,
    limits: ControlLimits,
    soc_pu: float,
    latch: SocLatch,
    horizon_h: float,
) -> float:
    """The part of `p_kw` that the taper and the energy left over the horizon allow."""
    if p_kw == 0:
        return 0.0
    discharging = p_kw > 0
    if latch.discharge if discharging else latch.charge:
        return 0.0
    rated_kw = nameplate.p_max_kw if discharging else nameplate.p_min_kw
    room_pu = soc_pu - limits.soc_min_pu if discharging else limits.soc_max_pu - soc_pu
    taper_kw = abs(rated_kw) * soc_taper(room_pu, limits.soc_taper_pu)
    headroom_kw = max(0.0, room_pu) * nameplate.capacity_kwh / horizon_h
    return copysign(min(abs(p_kw), taper_kw, headroom_kw), p_kw)
