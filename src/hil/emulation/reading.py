"""Faults of what is read: numbers that are old, wrong, noisy or no numbers."""

import math
import struct
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from hashlib import blake2b

from hil.domain.faults import FaultKind
from hil.domain.modbus_pdu import ReadReply, ReadRequest
from hil.domain.plant import Nameplate, PlantSpec, Transport
from hil.domain.point import ByteOrder, Format, Point, WordOrder
from hil.domain.register_codec import DoesNotFit
from hil.domain.signals import OptionalPoint, PointName
from hil.emulation.active_fault import NS_PER_S, ActiveFault
from hil.emulation.plant import EmulatedPlant

SETPOINTS = (PointName.P_SETPOINT, PointName.Q_SETPOINT)
MEASURED = frozenset(PointName) - {*SETPOINTS, PointName.ENABLE}
# A lagging read-back remembers this many writes; more within its time are rare.
WRITES_MAX = 256
READING_FAULTS = frozenset(
    {
        FaultKind.LAGGING_READBACK,
        FaultKind.FROZEN_REGISTERS,
        FaultKind.SCALE_ERROR,
        FaultKind.INVERTED_SIGN,
        FaultKind.NOISE,
        FaultKind.SENTINEL_VALUES,
        FaultKind.TORN_32BIT,
    }
)

_FLOATS = {Format.FLOAT32: ">f", Format.FLOAT64: ">d"}
Words = tuple[int, ...]


class Readings:
    """What the readings of a plant become while faults of reading are active."""

    def __init__(self, plant: EmulatedPlant, spec: PlantSpec) -> None:
        self._plant = plant
        self._id = spec.id
        self._map = spec.endpoints[Transport.LOCAL].registers
        self._bases = _bases(spec.nameplate)
        self._points = {point.name: point for point in plant.bank.points if not point.is_bit}
        self._frozen: dict[str, Words] = {}
        self._before: dict[str, Words] = {}
        self._shown: dict[str, Words] = {}
        self._coming: deque[tuple[int, str, Words]] = deque(maxlen=WRITES_MAX)

    def begin(self, kind: FaultKind) -> None:
        """Remember the present numbers for a fault that shows them later."""
        present = {name: self._plant.words(point) for name, point in self._points.items()}
        if kind is FaultKind.FROZEN_REGISTERS:
            self._frozen = present
        elif kind is FaultKind.TORN_32BIT:
            self._before = present
        elif kind is FaultKind.LAGGING_READBACK:
            self._shown = {name: present[name] for name in SETPOINTS}
            self._coming.clear()

    def written(self, name: str, due_ns: int) -> None:
        """A setpoint has been written; its read-back shows it from `due_ns` on."""
        self._coming.append((due_ns, name, self._plant.words(self._points[name])))

    def changed(
        self,
        active: Mapping[FaultKind, ActiveFault],
        request: ReadRequest,
        reply: ReadReply,
        now_ns: int,
    ) -> ReadReply:
        """The reply with what the active faults make of it."""
        end = request.address + request.count
        touched = [
            point
            for point in self._points.values()
            if point.table is request.table and point.address < end and request.address < point.end
        ]
        changed: dict[int, int] = {}
        for kind, one in active.items():
            if kind in READING_FAULTS:
                for point, words in self._affected(one, touched, changed, now_ns):
                    changed |= enumerate(words, start=point.address)
        spots = range(request.address, end)
        return ReadReply(
            tuple(changed.get(spot, word) for spot, word in zip(spots, reply.values, strict=True))
        )

    def _affected(
        self,
        active: ActiveFault,
        touched: Sequence[Point],
        changed: Mapping[int, int],
        now_ns: int,
    ) -> list[tuple[Point, Words]]:
        """The points that a fault changes, each once, with their new registers."""
        fault = active.fault
        if fault.kind is FaultKind.LAGGING_READBACK:
            self._show(now_ns)
            return [(p, self._shown[p.name]) for p in touched if p.name in self._shown]
        if fault.kind is FaultKind.TORN_32BIT:
            return self._torn(active, touched)
        name = fault.word("point")
        wanted: Set[str] = MEASURED if name is None else {name}
        if fault.kind is FaultKind.NOISE and name is None:
            wanted = wanted - {PointName.SOC}
        if fault.kind is FaultKind.FROZEN_REGISTERS and name is None:
            wanted = wanted | {OptionalPoint.HEARTBEAT}
        by_place = {point.address: point for point in touched if point.name in wanted}
        found: list[tuple[Point, Words]] = []
        for point in by_place.values():
            held = self._plant.words(point)
            words = tuple(changed.get(point.address + at, word) for at, word in enumerate(held))
            found.append((point, self._one(active, point, words, now_ns)))
        return found

    def _one(self, active: ActiveFault, point: Point, words: Words, now_ns: int) -> Words:
        fault = active.fault
        if fault.kind is FaultKind.FROZEN_REGISTERS:
            return self._frozen[point.name]
        if fault.kind is FaultKind.SENTINEL_VALUES:
            return _sentinel(point)
        if fault.kind is FaultKind.SCALE_ERROR:
            factor = fault.number("factor")
            return self._with(point, words, lambda value: value * factor)
        if fault.kind is FaultKind.INVERTED_SIGN:
            return self._with(point, words, lambda value: -value)
        assert fault.kind is FaultKind.NOISE, fault
        sigma = fault.number("sigma_pu") * self._bases.get(point.name, 1.0)
        key = f"{fault.number('seed'):g}/{self._id}/{point.name}/{now_ns}"
        return self._with(point, words, lambda value: value + sigma * _normal(key))

    def _with(self, point: Point, words: Words, change: Callable[[float], float]) -> Words:
        """The registers of a changed value; at the end of its range it stays there."""
        value = self._map.decode(point.name, words)
        if value is None:
            return words
        low, high = self._map.span(point.name)
        try:
            return self._map.encode(point.name, min(max(change(value), low), high))
        except DoesNotFit:
            return words

    def _show(self, now_ns: int) -> None:
        while self._coming and self._coming[0][0] <= now_ns:
            _, name, words = self._coming.popleft()
            self._shown[name] = words

    def _torn(self, active: ActiveFault, touched: Sequence[Point]) -> list[tuple[Point, Words]]:
        several = [p for p in touched if p.length > 1 and p.name in MEASURED]
        if not several:
            return []
        torn: list[tuple[Point, Words]] = []
        is_due = active.is_due()
        for point in several:
            words = self._plant.words(point)
            if is_due:
                torn.append((point, (self._before[point.name][0], *words[1:])))
            self._before[point.name] = words
        return torn


def _bases(nameplate: Nameplate) -> dict[str, float]:
    p_kw = max(nameplate.p_max_kw, -nameplate.p_min_kw)
    q_kvar = max(nameplate.q_max_kvar, -nameplate.q_min_kvar)
    return {
        PointName.P_BATTERY: p_kw,
        PointName.P_POI: p_kw,
        PointName.Q_BATTERY: q_kvar,
        PointName.Q_POI: q_kvar,
        PointName.V_POI: nameplate.v_nominal_kv,
    }


def _normal(key: str) -> float:
    """A number of the standard normal distribution that depends on the key alone."""
    first, second = struct.unpack(">QQ", blake2b(key.encode(), digest_size=16).digest())
    radius = math.sqrt(-2.0 * math.log((first + 1) / 2.0**64))
    return radius * math.cos(math.tau * second / 2.0**64)


def _sentinel(point: Point) -> Words:
    size = 2 * point.length
    if point.format in _FLOATS:
        raw = point.invalid[0] if point.invalid else math.nan
        data = struct.pack(_FLOATS[point.format], raw)
    else:
        is_signed = point.format.value.startswith("int")
        usual = 1 << (8 * size - 1) if is_signed else (1 << 8 * size) - 1
        number = int(point.invalid[0]) if point.invalid else usual
        data = (number % (1 << 8 * size)).to_bytes(size, "big")
    order = "big" if point.byte_order is ByteOrder.BIG else "little"
    words = [
        int.from_bytes(data[at : at + 2], "big" if order == "big" else "little")
        for at in range(0, size, 2)
    ]
    return tuple(words if point.word_order is WordOrder.MSW_FIRST else reversed(words))


def later(now_ns: int, seconds: float) -> int:
    """The time that is so many seconds after `now_ns`."""
    return now_ns + round(seconds * NS_PER_S)
