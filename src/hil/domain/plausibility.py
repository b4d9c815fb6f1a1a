"""Whether what was read of a plant can be true, and which change of the map would make it so."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hil.domain.finding import Finding, Severity
from hil.domain.plant import Nameplate
from hil.domain.point import ByteOrder, Format, Point, WordOrder
from hil.domain.register_codec import codec_of
from hil.domain.signals import PointName
from hil.domain.units import CANONICAL, quantity_of

# A power beyond this times the nameplate is a wrong map sooner than a plant that is overloaded.
BEYOND_NAMEPLATE = 1.2
V_TOLERANCE = 0.2
# Calibration may lead a full battery to read a little more than 1.
SOC_SLACK_PU = 0.005
# Below a hundredth a state of charge may be a whole percentage, read with the scale of another map.
SOC_SUSPICIOUS_PU = 0.01
# A float with its words swapped is astronomically small sooner than large.
TINY = 1e-6
MAX_DECADES = 6
# A slope of the state of charge means something from so many counts on.
SLOPE_COUNTS = 3
POWER_FLOOR = 0.01  # of the nameplate: less is the plant's own consumption
RATIO_OFF = 5.0  # losses and rounding explain less than this

_ACTIVE = {PointName.P_SETPOINT, PointName.P_POI, PointName.P_BATTERY}
_REACTIVE = {PointName.Q_SETPOINT, PointName.Q_POI, PointName.Q_BATTERY}
_WIDER = {Format.INT16: Format.INT32, Format.UINT16: Format.UINT32}
_OTHER_ORDER = {
    WordOrder.MSW_FIRST: WordOrder.LSW_FIRST,
    WordOrder.LSW_FIRST: WordOrder.MSW_FIRST,
}
_OTHER_BYTES = {ByteOrder.BIG: ByteOrder.LITTLE, ByteOrder.LITTLE: ByteOrder.BIG}


@dataclass(frozen=True, slots=True)
class Sample:
    """Battery power and state of charge at one moment, in seconds from any origin."""

    at_s: float
    p_kw: float
    soc_pu: float


def is_judged(name: str) -> bool:
    """Whether the nameplate says what the point of this name can read."""
    return name in _ACTIVE | _REACTIVE | {PointName.V_POI, PointName.SOC}


def is_plausible(point: Point, value: float | None, nameplate: Nameplate) -> bool:
    """Whether the point of a healthy plant can have this value; None (not known) cannot be."""
    if value is None or 0 < abs(value) < TINY:
        return False
    low, high = _range(point.name, nameplate)
    return low <= value <= high


def judge_reading(point: Point, words: Sequence[int], nameplate: Nameplate) -> Finding | None:
    """What is wrong with a reading and the likely cure; None: nothing is seen to be wrong."""
    value = _value(point, words, nameplate)
    if value is None:
        raw = " ".join(f"0x{word:04X}" for word in words)
        return Finding(
            severity=Severity.WARNING,
            subject=point.name,
            text=f"reads as not known ({raw})",
            cure=_swap(point, words, nameplate)
            or "compare with the device's own display; check `invalid`, `min` and `max`",
        )
    if not is_judged(point.name):
        return None
    if is_plausible(point, value, nameplate):
        return _suspicious_soc(point, words, value, nameplate)
    cure = _cure(point, words, value, nameplate)
    is_dark = point.name == PointName.V_POI and cure is None
    return Finding(
        severity=Severity.WARNING if is_dark else Severity.FAILED,
        subject=point.name,
        text=f"reads {_shown(point, value)}, which cannot be: {_expected(point, nameplate)}",
        cure=cure or "check address, unit and scale, and that the plant is energised",
    )


def judge_width(point: Point, words: Sequence[int], nameplate: Nameplate) -> Finding | None:
    """Whether a 16-bit point is one half of a 32-bit value.

    Args:
        words: The point's register and the one after it, which the map leaves open.

    Returns:
        None when the point is not one that can be judged.
    """
    if not is_judged(point.name) or point.format not in _WIDER or point.is_bit:
        return None
    narrow = _value(point, words[:1], nameplate)
    wide = replace(point, format=_WIDER[point.format], invalid=(), min=None, max=None)
    fits = {
        order: value
        for order in WordOrder
        if (value := _value(replace(wide, word_order=order), words, nameplate)) is not None
        and is_plausible(point, value, nameplate)
    }
    if not any(words):
        return _width_ok(point, "reads 0 as 16 and as 32 bit: look again when it carries power")
    is_filler = words[0] == 0 or (words[0] == 0xFFFF and point.format is Format.INT16)
    msw = fits.get(WordOrder.MSW_FIRST)
    if is_filler and msw is not None and words[1]:
        return _half(point, narrow, msw, wide.format, WordOrder.MSW_FIRST)
    if is_plausible(point, narrow, nameplate):
        return _width_ok(point, f"reads {_shown(point, narrow)} as 16 bit, which is plausible")
    if fits:
        order, value = next(iter(fits.items()))
        return _half(point, narrow, value, wide.format, order)
    return None


def judge_slope(
    samples: Sequence[Sample], point: Point, nameplate: Nameplate, *, count_pu: float
) -> Finding | None:
    """Whether battery power and state of charge tell the same story; None: too little to say.

    Args:
        samples: In the order of time.
        point: The state of charge.
        count_pu: The state of charge of one count.
    """
    if len(samples) < 2:
        return None
    energy_kwh = sum((a.p_kw + b.p_kw) / 2 * (b.at_s - a.at_s) / 3600 for a, b in pairwise(samples))
    moved_pu = samples[-1].soc_pu - samples[0].soc_pu
    hours = (samples[-1].at_s - samples[0].at_s) / 3600
    rated_kw = max(abs(nameplate.p_max_kw), abs(nameplate.p_min_kw))
    is_idle = hours <= 0 or abs(energy_kwh / hours) < POWER_FLOOR * rated_kw
    if is_idle or abs(moved_pu) < SLOPE_COUNTS * count_pu * (1 - 1e-9):
        return None
    ratio = -energy_kwh / nameplate.capacity_kwh / moved_pu
    seen = f"{energy_kwh / hours:.3g} kW over {hours * 60:.3g} min moved it by {moved_pu:+.3g} pu"
    if ratio < 0:
        return Finding(
            severity=Severity.FAILED,
            subject=PointName.P_BATTERY,
            text=f"the sign of p_battery contradicts the SoC slope: {seen}",
            cure=f"negate the scale of {PointName.P_BATTERY}? Positive power is discharge",
        )
    if 1 / RATIO_OFF < ratio < RATIO_OFF:
        return Finding(
            severity=Severity.OK, subject=point.name, text=f"follows battery power: {seen}"
        )
    scale = point.scale * 10.0 ** round(math.log10(ratio))
    return Finding(
        severity=Severity.FAILED,
        subject=point.name,
        text=f"moves {1 / ratio:.3g} times as far as the battery power explains: {seen}",
        cure=f"scale? {scale:.6g} would fit instead of {point.scale:.6g}",
    )


def _value(point: Point, words: Sequence[int], nameplate: Nameplate) -> float | None:
    return codec_of(point, v_nominal_kv=nameplate.v_nominal_kv).read(words, 0)


def _range(name: str, nameplate: Nameplate) -> tuple[float, float]:
    if name in _ACTIVE:
        rated = max(abs(nameplate.p_max_kw), abs(nameplate.p_min_kw))
    elif name in _REACTIVE:
        rated = max(abs(nameplate.q_max_kvar), abs(nameplate.q_min_kvar))
    elif name == PointName.SOC:
        return -SOC_SLACK_PU, 1 + SOC_SLACK_PU
    elif name == PointName.V_POI:
        nominal = nameplate.v_nominal_kv
        return (1 - V_TOLERANCE) * nominal, (1 + V_TOLERANCE) * nominal
    else:
        return -math.inf, math.inf
    # A rating of 0 says nothing of what an exchange with the grid reads.
    limit = BEYOND_NAMEPLATE * rated if rated else math.inf
    return -limit, limit


def _expected(point: Point, nameplate: Nameplate) -> str:
    low, high = _range(point.name, nameplate)
    unit = CANONICAL[quantity_of(point.name, point.unit)]
    return f"expected {low:.6g} to {high:.6g} {unit}"


def _cure(point: Point, words: Sequence[int], value: float, nameplate: Nameplate) -> str | None:
    swap = _swap(point, words, nameplate)
    if swap is not None and point.length > 1:
        return swap
    phase = value * math.sqrt(3)
    if point.name == PointName.V_POI and abs(phase / nameplate.v_nominal_kv - 1) < V_TOLERANCE / 4:
        return f"phase voltage? Times 1.732 it is {_shown(point, phase)}, between two phases"
    cures = [_rescale(point, value, nameplate), swap]
    return "; or ".join(cure for cure in cures if cure is not None) or None


def _swap(point: Point, words: Sequence[int], nameplate: Nameplate) -> str | None:
    """The other order of words, else of bytes, if that makes a judged point plausible."""
    if point.is_bit or not is_judged(point.name):
        return None
    word_order, byte_order = _OTHER_ORDER[point.word_order], _OTHER_BYTES[point.byte_order]
    others = [(replace(point, byte_order=byte_order), f"swap bytes? byte_order {byte_order}")]
    if point.length > 1:
        others.insert(
            0, (replace(point, word_order=word_order), f"swap words? word_order {word_order}")
        )
    for other, cure in others:
        value = _value(other, words, nameplate)
        if value and is_plausible(point, value, nameplate):
            return f"{cure} reads {_shown(point, value)}"
    return None


def _rescale(point: Point, value: float, nameplate: Nameplate) -> str | None:
    """The nearest decimal scale that makes the value plausible."""
    for decades in range(1, MAX_DECADES + 1):
        for sign, word in ((-1, "large"), (1, "small")):
            factor = 10.0 ** (sign * decades)
            if value and is_plausible(point, value * factor, nameplate):
                return (
                    f"scale {point.scale:.6g} too {word}?"
                    f" {point.scale * factor:.6g} reads {_shown(point, value * factor)}"
                )
    return None


def _suspicious_soc(
    point: Point, words: Sequence[int], value: float, nameplate: Nameplate
) -> Finding | None:
    if point.name != PointName.SOC or not 0 < value <= SOC_SUSPICIOUS_PU:
        return None
    plain = replace(point, unit="raw", scale=1.0, offset=0.0)
    raw = _value(plain, words, nameplate)
    if raw is None or not 1 < raw <= 100:
        return None
    return Finding(
        severity=Severity.WARNING,
        subject=point.name,
        text=f"reads {_shown(point, value)} from the raw number {raw:.6g}",
        cure=f"scale? If the battery is not empty, {raw:.6g} may be a percentage:"
        " unit % and scale 1",
    )


def _half(
    point: Point, narrow: float | None, value: float, wide: Format, order: WordOrder
) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        subject=point.name,
        text=f"reads {_shown(point, narrow)} as {point.format} and {_shown(point, value)} as"
        f" {wide} {order}, which is plausible",
        cure=f"32 bit? Compare with the device's own display; if so, format: {wide},"
        f" word_order: {order}",
    )


def _width_ok(point: Point, text: str) -> Finding:
    return Finding(severity=Severity.OK, subject=point.name, text=text)


def _shown(point: Point, value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value:.8g} {CANONICAL[quantity_of(point.name, point.unit)]}".rstrip()
