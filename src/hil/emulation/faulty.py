"""An emulated plant out of order: its faults, the same over the wire and in memory."""

import logging
from collections.abc import Callable, Iterable, Iterator

from hil.domain.errors import InvalidInput
from hil.domain.faults import Fault, FaultKind, point_problem
from hil.domain.modbus_pdu import (
    ExceptionCode,
    ReadReply,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Request,
    Response,
    Table,
    WriteReply,
    WriteRequest,
)
from hil.domain.plant import PlantSpec, Transport
from hil.domain.signals import OptionalPoint, PointName
from hil.emulation.active_fault import ActiveFaults
from hil.emulation.model import Meas
from hil.emulation.plant import EmulatedPlant, within
from hil.emulation.reading import MEASURED, READING_FAULTS, SETPOINTS, Readings, later
from hil.emulation.refusing import refusal_of
from hil.ports import Answer, Clock, Door

log = logging.getLogger(__name__)


class FaultyPlant:
    """Shows faults in front of and inside an emulated plant, at times of the clock.

    Without a fault a request goes straight to the plant. Times that pass between two requests
    are made up for at the next one, each event at its own time.
    """

    def __init__(self, plant: EmulatedPlant, spec: PlantSpec, *, clock: Clock) -> None:
        self._plant = plant
        self._spec = spec
        self._clock = clock
        self._map = spec.endpoints[Transport.LOCAL].registers
        self._readings = Readings(plant, spec, {name: name for name in MEASURED})
        self._active = ActiveFaults()
        self._written_ns = clock.monotonic_ns()
        self._has_fallen_back = False
        self._is_cut_off = False
        self._on_change: list[Callable[[], None]] = []

    # Switching -------------------------------------------------------------------------------

    def set_fault(self, fault: Fault) -> None:
        """Show a fault from now on, in place of another of its kind; raises `InvalidInput`."""
        names = {point.name for point in self._plant.bank.points if point.is_readable}
        problem = point_problem(fault, names)
        if problem is not None:
            raise InvalidInput(f"plant {self._spec.id}: {fault.kind}: {problem.why}")
        self.catch_up()
        now_ns = self._clock.monotonic_ns()
        self._plant.advance()
        self._active.begin(fault, now_ns)
        if fault.kind in READING_FAULTS:
            self._readings.begin(fault.kind)
        if fault.kind is FaultKind.SOC_JUMP:
            self._plant.jump_soc(fault.number("soc_pu"))
        if fault.kind in {FaultKind.REVERT_TIMER, FaultKind.COMM_WATCHDOG}:
            self._written_ns = now_ns
            self._has_fallen_back = self._is_cut_off = False
        self._settle()
        log.info("plant=%s fault=%s set", self._spec.id, fault)
        self._tell()

    def clear_fault(self, kind: FaultKind | None) -> None:
        """End a fault, or all of them; one that is not active is no error."""
        self.catch_up()
        for each in list(self._active.by_kind) if kind is None else [kind]:
            self._end(each)

    def faults(self) -> tuple[Fault, ...]:
        """The active faults, the oldest first; `for_s` is what is left of it."""
        self.catch_up()
        return self._active.shown(self._clock.monotonic_ns())

    def door(self) -> tuple[Door, float | None]:
        """How connections are taken, and the seconds until that may change by itself."""
        self.catch_up()
        return self._active.door(self._clock.monotonic_ns())

    def listen(self, on_change: Callable[[], None]) -> None:
        """Call this after every change of the faults."""
        self._on_change.append(on_change)

    def set_soc(self, soc_pu: float) -> None:
        """Put the idle plant at another state of charge, as `EmulatedPlant.set_soc`."""
        self.catch_up()
        self._plant.set_soc(soc_pu)

    def measured(self) -> Meas | None:
        """What the plant is now, whatever its registers show; None: its model has failed."""
        self.catch_up()
        return self._plant.measured()

    # Answering -------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response | Answer | None:
        """The device's answer, at the present time of the clock; None: it is silent."""
        if not self._active:
            return self._plant.handle(request)
        self.catch_up()
        return self._active.answer(request, self._carried_out)

    def _carried_out(self, request: Request) -> Response:
        refusal = refusal_of(self._active.by_kind, request, self._plant.bank.points)
        if refusal is not None:
            return refusal
        match request:
            case ReadRequest():
                return self._read(request)
            case WriteRequest():
                return self._write(request)
            case ReadWriteRequest():
                write = WriteRequest(
                    Table.HOLDING, request.write_address, request.values, multiple=True
                )
                wrote = self._write(write)
                if isinstance(wrote, Refusal):
                    return wrote
                read = ReadRequest(Table.HOLDING, request.read_address, request.read_count)
                return self._read(read)

    def _read(self, request: ReadRequest) -> Response:
        response = self._plant.handle(request)
        if not isinstance(response, ReadReply) or READING_FAULTS.isdisjoint(self._active.by_kind):
            return response
        now_ns = self._clock.monotonic_ns()
        return self._readings.changed(self._active.by_kind, request, response, now_ns)

    def _write(self, request: WriteRequest) -> Response:
        written = [name for name in SETPOINTS if self._is_touched(name, request)]
        lost = self._active.by_kind.get(FaultKind.LOST_WRITE)
        if lost is not None and written and lost.is_due():
            names = self._plant.bank.writable(request.table, request.address, request.values)
            return names if isinstance(names, Refusal) else WriteReply()
        flash = self._active.by_kind.get(FaultKind.FLASH_LIMITED_WRITES)
        if flash is not None:
            if flash.count >= flash.fault.number("writes"):
                return Refusal(ExceptionCode.SERVER_DEVICE_FAILURE)
            flash.count += 1
        response = self._plant.handle(request)
        if isinstance(response, Refusal):
            return response
        self._clamp(written)
        now_ns = self._clock.monotonic_ns()
        if written:
            self._written_ns = now_ns
            self._has_fallen_back = self._is_cut_off = False
        lag = self._active.of(FaultKind.LAGGING_READBACK)
        for name in written if lag is not None else ():
            self._readings.written(name, later(now_ns, lag.number("s")) if lag else now_ns)
        self._settle()
        return response

    def _is_touched(self, name: str, request: WriteRequest) -> bool:
        point = self._map.points[name]
        end = request.address + len(request.values)
        return point.table is request.table and point.address < end and request.address < point.end

    def _clamp(self, written: Iterable[str]) -> None:
        clamp = self._active.of(FaultKind.CLAMP)
        if clamp is None:
            return
        for name in written:
            value = self._plant.bank.value(name)
            if value is not None:
                p_kw, q_kvar = within(
                    self._spec.nameplate, clamp.number("limit_pu"), p_kw=value, q_kvar=value
                )
                self._plant.hold(name, p_kw if name == PointName.P_SETPOINT else q_kvar)

    # Time ------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Let happen what was due until now, each at its time."""
        now_ns = self._clock.monotonic_ns()
        while self._active:
            at_ns, happen = min(self._events(), key=lambda event: event[0], default=(None, None))
            if at_ns is None or happen is None or at_ns > now_ns:
                return
            self._plant.advance(at_ns)
            happen()

    def _events(self) -> Iterator[tuple[int, Callable[[], None]]]:
        for kind, one in self._active.by_kind.items():
            if one.until_ns is not None:
                yield one.until_ns, lambda kind=kind: self._end(kind)  # type: ignore[misc]  # bound
        revert = self._active.of(FaultKind.REVERT_TIMER)
        if revert is not None and not self._has_fallen_back:
            yield later(self._written_ns, revert.number("s")), self._fall_back
        watchdog = self._active.of(FaultKind.COMM_WATCHDOG)
        if watchdog is not None and not self._is_cut_off:
            yield later(self._written_ns, watchdog.number("s")), self._cut_off

    def _fall_back(self) -> None:
        self._has_fallen_back = True
        for name in SETPOINTS:
            self._plant.hold(name, 0.0)

    def _cut_off(self) -> None:
        self._is_cut_off = True
        self._settle()

    def _end(self, kind: FaultKind) -> None:
        if self._active.by_kind.pop(kind, None) is None:
            return
        self._settle()
        log.info("plant=%s fault=%s ended", self._spec.id, kind)
        self._tell()

    def _settle(self) -> None:
        """Make the plant what the active faults say."""
        derate = self._active.of(FaultKind.DERATE)
        share_pu = None if derate is None else derate.number("limit_pu")
        if FaultKind.COMM_WATCHDOG in self._active and self._is_cut_off:
            share_pu = 0.0
        self._plant.limit(share_pu)
        trip = self._active.of(FaultKind.TRIP)
        if trip is not None:
            self._plant.hold(PointName.ENABLE, 0.0)
        if any(point.name == OptionalPoint.ALARM_WORD for point in self._plant.bank.points):
            low, high = self._map.span(OptionalPoint.ALARM_WORD)
            word = 0.0 if trip is None else float(1 << int(trip.number("bit")))
            # The highest bit of a signed word is its lowest number.
            self._plant.bank.put(OptionalPoint.ALARM_WORD, word if word <= high else low)

    def _tell(self) -> None:
        for on_change in self._on_change:
            on_change()
