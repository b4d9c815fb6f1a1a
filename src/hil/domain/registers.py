"""The register map of a plant: values to requests, and replies to values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hil.domain.modbus_pdu import ReadRequest, WriteRequest
from hil.domain.point import (
    WORDS,
    Access,
    ByteOrder,
    Format,
    Point,
    WordOrder,
    WriteFunction,
)
from hil.domain.register_codec import Codec, DoesNotFit, codec_of
from hil.domain.signals import PointName

__all__ = [
    "WORDS",
    "Access",
    "Block",
    "ByteOrder",
    "DoesNotFit",
    "Format",
    "Point",
    "RegisterMap",
    "WordOrder",
    "WriteFunction",
]


@dataclass(frozen=True, slots=True)
class Block:
    """One read request and the points in its reply, as (name, offset in the reply, length)."""

    request: ReadRequest
    points: tuple[tuple[str, int, int], ...]

    def apart(self) -> tuple["Block", ...]:
        """The same points in a request each; those that share registers share it."""
        places: dict[tuple[int, int], list[str]] = {}
        for name, at, length in self.points:
            places.setdefault((at, length), []).append(name)
        table, start = self.request.table, self.request.address
        return tuple(
            Block(
                ReadRequest(table, start + at, length), tuple((name, 0, length) for name in names)
            )
            for (at, length), names in places.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """All points of a plant by name; `v_nominal_kv` is the base of voltages in pu.

    Values go in and come out in kW, kvar, kV and pu (a raw point: the number), whatever the
    units of the device.
    """

    points: Mapping[str, Point]
    v_nominal_kv: float
    _codecs: dict[str, Codec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        codecs = {
            name: codec_of(point, v_nominal_kv=self.v_nominal_kv)
            for name, point in self.points.items()
        }
        object.__setattr__(self, "_codecs", codecs)

    def encode(self, name: str, value: float) -> tuple[int, ...]:
        """The registers (or the bit) of a value, rounded to the nearest count.

        Raises:
            DoesNotFit: The value is NaN, infinite, or outside `span(name)`.
        """
        return self._codecs[name].encode(value)

    def decode(self, name: str, registers: Sequence[int]) -> float | None:
        """The value in the point's registers; None: a sentinel, implausible, NaN or infinite."""
        assert len(registers) == self.points[name].length, name
        return self._codecs[name].read(registers, 0)

    def span(self, name: str) -> tuple[float, float]:
        """The lowest and the highest value that the point can hold."""
        return self._codecs[name].span

    def resolution(self, name: str, *, near: float = 0.0) -> float:
        """The value of one count.

        Args:
            near: For floats, whose counts grow with the value: about how large it is. They
                have no counts; a thousandth of the unit, or the float's own step, stands for one.
        """
        codec = self._codecs[name]
        if codec.point.format is Format.FLOAT32 and not codec.point.is_bit:
            # The register holds what is left when the offset is taken off.
            offset = codec.scaling.shift / codec.scaling.divisor
            return max(codec.count, abs(near - offset) * 2.0**-23)
        return codec.count

    def blocks(self, device: str | None, *, max_registers: int, max_fill: int) -> tuple[Block, ...]:
        """The read requests that fetch every readable point of a device, each once.

        Points that touch, or are at most `max_fill` undeclared addresses apart, share a request
        of at most `max_registers`; a value is never split. Nothing else is touched.

        Args:
            device: None is the plant's own server.
        """
        plan: list[Block] = []
        readable = (p for p in self.points.values() if p.device == device and p.is_readable)
        group: list[Point] = []
        for point in sorted(readable, key=lambda p: (p.table, p.address, p.end, p.name)):
            assert point.length <= max_registers, point.name
            if group and not _joins(group, point, max_registers, max_fill):
                plan.append(_block(group))
                group = []
            group.append(point)
        if group:
            plan.append(_block(group))
        return tuple(plan)

    def decode_block(self, block: Block, values: Sequence[int]) -> dict[str, float | None]:
        """The values in the reply to a block's request; None as in `decode`."""
        codecs = self._codecs
        return {name: codecs[name].read(values, offset) for name, offset, _ in block.points}

    def write_requests(
        self, values: Mapping[str, float], *, function: WriteFunction
    ) -> tuple[WriteRequest, ...]:
        """The requests that write the values, one each and in the order of the values.

        The two setpoints go into one request when their registers are neighbours, unless
        `function` is single; a single register goes by FC6 (a coil by FC5), unless `function` is
        multiple.

        Raises:
            DoesNotFit: A value does not fit; nothing should be written then.
        """
        words = {name: self.encode(name, value) for name, value in values.items()}
        groups: list[list[Point]] = []
        for point in (self.points[name] for name in values):
            pair = sorted([*groups[-1], point], key=lambda p: p.address) if groups else []
            if function is not WriteFunction.SINGLE and _are_neighbouring_setpoints(pair):
                groups[-1] = pair
            else:
                groups.append([point])
        return tuple(_write(group, words, function) for group in groups)


def _joins(group: Sequence[Point], point: Point, max_registers: int, max_fill: int) -> bool:
    end = _end(group)
    return (
        group[0].table is point.table
        and point.address <= end + max_fill
        and max(end, point.end) - group[0].address <= max_registers
    )


def _block(group: Sequence[Point]) -> Block:
    start = group[0].address
    return Block(
        ReadRequest(group[0].table, start, _end(group) - start),
        tuple((point.name, point.address - start, point.length) for point in group),
    )


def _are_neighbouring_setpoints(pair: Sequence[Point]) -> bool:
    return (
        {point.name for point in pair} == {PointName.P_SETPOINT, PointName.Q_SETPOINT}
        and pair[0].table is pair[1].table
        and pair[0].end == pair[1].address
    )


def _write(
    group: Sequence[Point], words: Mapping[str, tuple[int, ...]], function: WriteFunction
) -> WriteRequest:
    values = tuple(word for point in group for word in words[point.name])
    assert all(point.is_writable and point.device is None for point in group), group
    multiple = len(values) > 1 or function is WriteFunction.MULTIPLE
    return WriteRequest(group[0].table, group[0].address, values, multiple)


def _end(points: Iterable[Point]) -> int:
    return max(point.end for point in points)
