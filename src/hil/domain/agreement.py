"""Whether a meter and its plant tell the same story, and which change of the map would help."""

import math

from hil.domain.finding import Finding, Severity
from hil.domain.plant import Nameplate
from hil.domain.point import Point
from hil.domain.signals import PointName
from hil.domain.units import CANONICAL, quantity_of

# What two devices at one place may differ by; losses between battery and POI are less, too.
AGREE = 1.25
# Below this share of the nameplate noise and the plant's own consumption say more than power.
FLOOR = 0.02
FLOOR_ELSEWHERE = 0.1

_ACTIVE = {PointName.P_POI, PointName.P_BATTERY}
_REACTIVE = {PointName.Q_POI, PointName.Q_BATTERY}


def judge_beside(
    point: Point,
    value: float,
    reference: PointName,
    span: tuple[float, float],
    nameplate: Nameplate,
    *,
    is_same: bool,
) -> Finding:
    """What a point of a meter says beside the plant's own reading.

    Args:
        value: What the meter reads, in kW, kvar, kV or pu.
        reference: The plant's own point.
        span: The lowest and the highest that it read meanwhile.
        is_same: Whether both measure the same thing at the same place.
    """
    low, high = span
    near = min(max(value, low), high)
    seen = f"reads {_shown(value, point)} beside {reference} {_shown(near, point)} of the plant"
    floor = (FLOOR if is_same else FLOOR_ELSEWHERE) * _base(reference, nameplate)
    if abs(near) < floor:
        if abs(value) < AGREE * floor:
            return _ok(point, f"{seen}: too little to compare, look again when it carries power")
        text = f"{seen}, which carries next to nothing"
        return _finding(Severity.WARNING, point, text, "check its address, unit and scale")
    ratio = value / near
    if 1 / AGREE <= ratio <= AGREE:
        return _ok(point, f"{seen}: they agree")
    cure = _cure(point, ratio)
    if cure is not None:
        return _finding(Severity.FAILED, point, seen, cure)
    text = f"{seen}, which is {ratio:.3g} times as much"
    return _finding(
        Severity.WARNING, point, text, "does it measure at another place, or one phase of three?"
    )


def _cure(point: Point, ratio: float) -> str | None:
    """The sign, the power of ten, or both, that would make them agree."""
    decades = round(math.log10(abs(ratio))) if ratio else 0
    left = abs(ratio) / 10.0**decades
    if not 1 / AGREE <= left <= AGREE:
        return None
    scale = math.copysign(1.0, ratio) * point.scale / 10.0**decades
    if decades == 0:
        return f"negate the scale? {scale:.6g} would fit; positive power is discharge"
    word = "large" if decades > 0 else "small"
    sign = " and of the wrong sign" if ratio < 0 else ""
    return f"scale {point.scale:.6g} too {word}{sign}? {scale:.6g} would fit"


def _base(reference: PointName, nameplate: Nameplate) -> float:
    if reference in _ACTIVE:
        return max(nameplate.p_max_kw, -nameplate.p_min_kw)
    if reference in _REACTIVE:
        return max(nameplate.q_max_kvar, -nameplate.q_min_kvar)
    return nameplate.v_nominal_kv if reference == PointName.V_POI else 1.0


def _shown(value: float, point: Point) -> str:
    return f"{value:.6g} {CANONICAL[quantity_of(point.name, point.unit)]}".rstrip()


def _ok(point: Point, text: str) -> Finding:
    return Finding(severity=Severity.OK, subject=point.name, text=text)


def _finding(severity: Severity, point: Point, text: str, cure: str) -> Finding:
    return Finding(severity=severity, subject=point.name, text=text, cure=cure)
