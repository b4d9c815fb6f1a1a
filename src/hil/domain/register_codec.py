"""One point's codec: engineering values to registers and back, exact and never wrapped."""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from hil.domain.errors import HilError
from hil.domain.point import ByteOrder, Format, Point, WordOrder
from hil.domain.units import CANONICAL, factor_of, quantity_of

Reader = Callable[[Sequence[int], int], float | None]
Number = int | float

_STRUCT_CODES = {
    Format.INT16: "h",
    Format.UINT16: "H",
    Format.INT32: "i",
    Format.UINT32: "I",
    Format.INT64: "q",
    Format.UINT64: "Q",
    Format.FLOAT32: "f",
    Format.FLOAT64: "d",
}
_FLOAT32_MAX = 3.4028234663852886e38
_FLOAT64_MAX = 1.7976931348623157e308
_FLOAT32 = struct.Struct(">f")
# The ends of a span are rounded; a little below the largest double none of them is infinite.
_VALUE_MAX = 1e300
# A float has no counts: a thousandth of its unit stands for one.
_FLOAT_COUNT = Fraction(1, 1000)
# The ends of a span are rounded three times, by half a step each.
_MAX_ULPS = 3
# No device counts in larger steps; a value that needs one is a mistake by itself.
_SCALE_MAX = 1e9


class DoesNotFit(HilError):
    """A value that a register cannot hold; the text names point, value, range and a way out."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """`value = (raw * slope + shift) / divisor`, in whole numbers, so that it is exact.

    A quotient of whole numbers is rounded once, to the double nearest to the decimal value:
    1234 counts of 0.1 kW are 123.4, not 123.40000000000001. `is_whole`: raw numbers are counts.
    """

    slope: int
    shift: int
    divisor: int
    is_whole: bool

    @classmethod
    def of(cls, point: Point, *, v_nominal_kv: float) -> "Scaling":
        """From the point's scale, offset and unit to kW, kvar, kV or pu."""
        assert point.scale != 0, point.name
        factor = factor_of(point.name, point.unit, v_nominal_kv=v_nominal_kv)
        slope = Fraction(_decimal(point.scale) * factor)
        shift = Fraction(_decimal(point.offset) * factor)
        divisor = math.lcm(slope.denominator, shift.denominator)
        whole = not _is_float(point)
        return cls(int(slope * divisor), int(shift * divisor), divisor, whole)

    def value(self, raw: Number) -> float:
        """The engineering value of a raw number; infinite when a double cannot hold it."""
        if isinstance(raw, int):
            return (raw * self.slope + self.shift) / self.divisor
        if self.slope == self.divisor and not self.shift:
            return raw + 0.0  # makes -0.0 plain
        return float((_decimal(raw) * self.slope + self.shift) / self.divisor)

    def raw(self, value: float) -> Number:
        """The raw number of a finite engineering value, in whole counts where it has them."""
        if self.is_whole:
            return round((value * self.divisor - self.shift) / self.slope)
        if self.slope == self.divisor and not self.shift:
            return value
        return float((_decimal(value) * self.divisor - self.shift) / self.slope)


@dataclass(frozen=True, slots=True)
class Codec:
    """How one point is read and written; made once, so that reading is a closure call.

    `span` is the lowest and highest value that fits, `count` the value of one raw step.
    """

    point: Point
    scaling: Scaling
    lowest: Number
    highest: Number
    sentinels: frozenset[Number]
    read: Reader
    words: Callable[[Number], tuple[int, ...]]
    span: tuple[float, float]
    count: float

    def encode(self, value: float) -> tuple[int, ...]:
        """The registers of the value, rounded to the nearest count; raises `DoesNotFit`."""
        raw = _raw_that_fits(self, value)
        if raw is None:
            raise DoesNotFit(why_not(self, value))
        return self.words(raw)


def codec_of(point: Point, *, v_nominal_kv: float) -> Codec:
    """The codec of a point; `v_nominal_kv` is the base of a voltage in pu."""
    scaling = Scaling.of(point, v_nominal_kv=v_nominal_kv)
    number, words = _layout(point)
    sentinels = _sentinels(point)
    lowest, highest = _raw_range(point)
    while lowest in sentinels and lowest < highest:
        lowest += 1
    while highest in sentinels and lowest < highest:
        highest -= 1
    step = Fraction(abs(scaling.slope), scaling.divisor)
    return Codec(
        point=point,
        scaling=scaling,
        lowest=lowest,
        highest=highest,
        sentinels=sentinels,
        read=_reader(point, scaling, sentinels, number, v_nominal_kv=v_nominal_kv),
        words=words,
        span=_span(scaling, lowest, highest),
        count=float(step * (_FLOAT_COUNT if _is_float(point) else 1)),
    )


def why_not(codec: Codec, value: float) -> str:
    """Why the value does not fit the point, and what would: one sentence."""
    point = codec.point
    unit = CANONICAL[quantity_of(point.name, point.unit)]
    low, high = codec.span
    what = f"{point.name} cannot encode {value:.10g} {unit}".rstrip()
    if not math.isfinite(value):
        return f"{what}: it is not a finite number"
    kind = "a bit" if point.is_bit else f"{point.format} at scale {point.scale:.10g} {point.unit}"
    spans = f"{what}: {kind} spans {low:.10g} to {high:.10g} {unit}".rstrip()
    if low <= value <= high:
        return f"{what}: its raw number is one of the `invalid` ones that mean not known"
    if point.is_bit:
        return spans
    scaling = codec.scaling
    raw = float((_decimal(value) * scaling.divisor - scaling.shift) / scaling.slope)
    room = codec.highest if raw > 0 else -codec.lowest
    if room <= 0:
        return f"{spans}; a signed format would fit"
    scale = raw * point.scale / room
    if abs(scale) > _SCALE_MAX:
        return spans
    return f"{spans}; a scale of {_round_up(scale):.10g} would fit"


def _raw_that_fits(codec: Codec, value: float) -> Number | None:
    low, high = codec.span
    if not low <= value <= high:  # also true of NaN
        return None
    raw = codec.scaling.raw(value)
    if not codec.lowest <= raw <= codec.highest or raw in codec.sentinels:
        return None
    return raw


def _reader(
    point: Point,
    scaling: Scaling,
    sentinels: frozenset[Number],
    number: Callable[[Sequence[int], int], Number],
    *,
    v_nominal_kv: float,
) -> Reader:
    factor = factor_of(point.name, point.unit, v_nominal_kv=v_nominal_kv)
    low = -math.inf if point.min is None else float(_decimal(point.min) * factor)
    high = math.inf if point.max is None else float(_decimal(point.max) * factor)
    bounded = point.min is not None or point.max is not None
    to_value = scaling.value

    def read_float(values: Sequence[int], at: int) -> float | None:
        raw = number(values, at)
        if not math.isfinite(raw) or raw in sentinels:
            return None
        value = to_value(raw)
        return value if math.isfinite(value) and low <= value <= high else None

    slope, shift, divisor = scaling.slope, scaling.shift, scaling.divisor
    is_plain = point.byte_order is ByteOrder.BIG and not sentinels and not bounded
    sign_bit = 0x8000 if point.format is Format.INT16 and not point.is_bit else 0x10000

    def read_word(values: Sequence[int], at: int) -> float | None:
        raw = values[at]
        if raw >= sign_bit:
            raw -= 0x10000
        return (raw * slope + shift) / divisor

    def read_integer(values: Sequence[int], at: int) -> float | None:
        raw = number(values, at)
        if raw in sentinels:
            return None
        value = to_value(raw)
        return value if low <= value <= high else None

    if _is_float(point):
        return read_float
    return read_word if point.length == 1 and is_plain else read_integer


def _layout(
    point: Point,
) -> tuple[Callable[[Sequence[int], int], Number], Callable[[Number], tuple[int, ...]]]:
    """The raw number of registers, and the registers of a raw number."""
    if point.is_bit:
        return (lambda values, at: values[at]), (lambda raw: (int(raw),))
    count = point.length
    order = "<" if point.byte_order is ByteOrder.LITTLE else ">"
    registers = struct.Struct(f"{order}{count}H")
    value = struct.Struct(f">{_STRUCT_CODES[point.format]}")
    step = -1 if point.word_order is WordOrder.LSW_FIRST else 1
    is_float32 = point.format is Format.FLOAT32

    def number(values: Sequence[int], at: int) -> Number:
        raw: Number = value.unpack(registers.pack(*values[at : at + count][::step]))[0]
        return _shortest(raw) if is_float32 else raw

    def words(raw: Number) -> tuple[int, ...]:
        return registers.unpack(value.pack(raw))[::step]

    return number, words


def _shortest(raw: float) -> float:
    """The shortest decimal that is this float32: 404.17, not 404.1700134277344."""
    if not math.isfinite(raw):
        return raw
    for digits in (6, 7, 8):
        near = float(f"{raw:.{digits}g}")
        if _FLOAT32.unpack(_FLOAT32.pack(near))[0] == raw:
            return near
    return float(f"{raw:.9g}")


def _sentinels(point: Point) -> frozenset[Number]:
    """The raw numbers that mean "not known", as the point's format reads them."""
    if point.is_bit or point.format is Format.FLOAT64:
        return frozenset(point.invalid)
    if point.format is Format.FLOAT32:
        return frozenset(_shortest(_FLOAT32.unpack(_FLOAT32.pack(raw))[0]) for raw in point.invalid)
    bits = 16 * point.length
    lowest, _ = _raw_range(point)
    return frozenset((int(raw) - int(lowest)) % 2**bits + int(lowest) for raw in point.invalid)


def _raw_range(point: Point) -> tuple[Number, Number]:
    if point.is_bit:
        return 0, 1
    if point.format is Format.FLOAT32:
        return -_FLOAT32_MAX, _FLOAT32_MAX
    if point.format is Format.FLOAT64:
        return -_FLOAT64_MAX, _FLOAT64_MAX
    bits = 16 * point.length
    if point.format in {Format.INT16, Format.INT32, Format.INT64}:
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def _span(scaling: Scaling, lowest: Number, highest: Number) -> tuple[float, float]:
    """The values of both ends, moved inside where the nearest double lies beyond the end."""
    ends = [max(-_VALUE_MAX, min(_VALUE_MAX, scaling.value(raw))) for raw in (lowest, highest)]
    low, high = min(ends), max(ends)
    for _ in range(_MAX_ULPS):
        if not lowest <= scaling.raw(low) <= highest:
            low = math.nextafter(low, high)
        if not lowest <= scaling.raw(high) <= highest:
            high = math.nextafter(high, low)
    return low, high


def _is_float(point: Point) -> bool:
    return not point.is_bit and point.format in {Format.FLOAT32, Format.FLOAT64}


def _decimal(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def _round_up(scale: float) -> float:
    """The next of 1, 2, 5, 10 x 10^k at or above the scale; the sign is kept."""
    decade = 10.0 ** math.floor(math.log10(abs(scale)))
    step = next(step for step in (1, 2, 5, 10) if step * decade >= abs(scale) * (1 - 1e-12))
    return math.copysign(float(f"{step * decade:.3g}"), scale)
