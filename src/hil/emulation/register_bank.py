"""The registers of an emulated device: what may be read and written, and what they hold."""

import math
from collections.abc import Sequence

from hil.domain.modbus_pdu import (
    MAX_READ_BITS,
    MAX_READ_REGISTERS,
    MAX_WRITE_BITS,
    MAX_WRITE_REGISTERS,
    ExceptionCode,
    Refusal,
    Table,
)
from hil.domain.registers import Point, RegisterMap

# What one request can carry; inputs are not written at all.
_MAX_READ = {
    Table.HOLDING: MAX_READ_REGISTERS,
    Table.INPUT: MAX_READ_REGISTERS,
    Table.COIL: MAX_READ_BITS,
    Table.DISCRETE: MAX_READ_BITS,
}
_MAX_WRITE = {
    Table.HOLDING: MAX_WRITE_REGISTERS,
    Table.INPUT: 0,
    Table.COIL: MAX_WRITE_BITS,
    Table.DISCRETE: 0,
}

Names = tuple[str, ...]


class RegisterBank:
    """The registers of one device of a plant, all 0 at first.

    A range with an address that is not declared, or a write to a point that is only read, is
    exception 2: the address cannot be used like that, whatever the value. A quantity or a number
    out of range is exception 3.

    Args:
        device: None is the plant's own server.
    """

    def __init__(self, registers: RegisterMap, *, device: str | None = None) -> None:
        self._map = registers
        self.points = [point for point in registers.points.values() if point.device == device]
        self._words: dict[Table, dict[int, int]] = {table: {} for table in Table}
        for point in self.points:
            self._words[point.table].update(dict.fromkeys(range(point.address, point.end), 0))
        self._spans = {point.name: registers.span(point.name) for point in self.points}
        self._held: dict[str, float] = {}
        # Depend on the map alone: no more entries than there are ranges of declared addresses.
        self._readable: dict[tuple[Table, int, int], Names] = {}
        self._writable: dict[tuple[Table, int, int], Names] = {}

    def readable(self, table: Table, address: int, count: int) -> Names | Refusal:
        """The points in a range that may be read as a whole."""
        key = (table, address, count)
        names = self._readable.get(key)
        if names is not None:
            return names
        if not 1 <= count <= _MAX_READ[table]:
            return Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        points = [point for point in self.points if point.is_readable]
        return _covered(points, key, self._readable)

    def writable(self, table: Table, address: int, values: Sequence[int]) -> Names | Refusal:
        """The points in a range that may be written as a whole with these numbers."""
        count = len(values)
        highest = 1 if table is Table.COIL else 0xFFFF
        if not 1 <= count <= _MAX_WRITE[table] or not 0 <= min(values) <= max(values) <= highest:
            return Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        key = (table, address, count)
        names = self._writable.get(key)
        if names is not None:
            return names
        points = [point for point in self.points if point.is_writable]
        return _covered(points, key, self._writable)

    def read(self, table: Table, address: int, count: int) -> tuple[int, ...]:
        """The numbers in a readable range."""
        words = self._words[table]
        return tuple([words[spot] for spot in range(address, address + count)])

    def write(self, table: Table, address: int, values: Sequence[int], names: Names) -> None:
        """Put numbers into the writable range that these points cover."""
        self._words[table].update(enumerate(values, start=address))
        for name in names:
            self._held.pop(name, None)

    def value(self, name: str) -> float | None:
        """The value that a point holds; None where its numbers mean "not known"."""
        point = self._map.points[name]
        return self._map.decode(name, self.read(point.table, point.address, point.length))

    def put(self, name: str, value: float) -> None:
        """Put a finite value into a point; beyond its range it stays at the end, it never wraps.

        Raises:
            DoesNotFit: The value's number is one that means "not known".
        """
        if self._held.get(name, math.nan) == value:
            return
        assert math.isfinite(value), (name, value)
        low, high = self._spans[name]
        point = self._map.points[name]
        words = self._map.encode(name, min(max(value, low), high))
        self._words[point.table].update(enumerate(words, start=point.address))
        self._held[name] = value


def _covered(
    points: Sequence[Point], key: tuple[Table, int, int], known: dict[tuple[Table, int, int], Names]
) -> Names | Refusal:
    """The points that touch a range, if together they cover it; remembered in `known`."""
    table, address, count = key
    end = address + count
    inside = [p for p in points if p.table is table and p.address < end and address < p.end]
    spots = {spot for point in inside for spot in range(point.address, point.end)}
    if not spots.issuperset(range(address, end)):
        return Refusal(ExceptionCode.ILLEGAL_DATA_ADDRESS)
    names = known[key] = tuple(point.name for point in inside)
    return names
