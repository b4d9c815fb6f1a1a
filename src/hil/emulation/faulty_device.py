"""A further device out of order: the faults in front of it and of what it shows."""

import logging
from collections.abc import Callable

from hil.domain.errors import InvalidInput
from hil.domain.faults import PLANT_ONLY, Fault, FaultKind, point_problem
from hil.domain.modbus_pdu import ReadReply, ReadRequest, Request, Response
from hil.domain.plant import PlantSpec
from hil.emulation.active_fault import ActiveFaults
from hil.emulation.device import EmulatedDevice
from hil.emulation.reading import READING_FAULTS, Readings
from hil.emulation.refusing import refusal_of
from hil.ports import Answer, Clock, Door

log = logging.getLogger(__name__)


class FaultyDevice:
    """Shows faults in front of and inside an emulated device that is only read.

    Args:
        name: Of the device in the plant's local endpoint.
    """

    def __init__(self, device: EmulatedDevice, spec: PlantSpec, name: str, clock: Clock) -> None:
        self._device = device
        self._who = f"plant={spec.id} device={name}"
        self._clock = clock
        self._readings = Readings(device, spec, device.measurands)
        self._active = ActiveFaults()
        self._on_change: list[Callable[[], None]] = []

    def set_fault(self, fault: Fault) -> None:
        """Show a fault from now on, in place of another of its kind; raises `InvalidInput`."""
        assert fault.kind not in PLANT_ONLY, fault
        names = {point.name for point in self._device.bank.points}
        problem = point_problem(fault, names)
        if problem is not None:
            raise InvalidInput(f"{self._who}: {fault.kind}: {problem.why}")
        self._active.begin(fault, self._clock.monotonic_ns())
        if fault.kind in READING_FAULTS:
            self._readings.begin(fault.kind)
        log.info("%s fault=%s set", self._who, fault)
        self._tell()

    def clear_fault(self, kind: FaultKind | None) -> None:
        """End a fault, or all of them; one that is not active is no error."""
        for each in list(self._active.by_kind) if kind is None else [kind]:
            self._end(each)

    def faults(self) -> tuple[Fault, ...]:
        """The active faults, the oldest first; `for_s` is what is left of it."""
        self._end_due()
        return self._active.shown(self._clock.monotonic_ns())

    def door(self) -> tuple[Door, float | None]:
        """How connections are taken, and the seconds until that may change by itself."""
        self._end_due()
        return self._active.door(self._clock.monotonic_ns())

    def listen(self, on_change: Callable[[], None]) -> None:
        """Call this after every change of the faults."""
        self._on_change.append(on_change)

    def handle(self, request: Request) -> Response | Answer | None:
        """The device's answer, at the present time of the clock; None: it is silent."""
        self._end_due()
        return self._active.answer(request, self._carried_out)

    def _carried_out(self, request: Request) -> Response:
        active = self._active.by_kind
        refusal = refusal_of(active, request, self._device.bank.points)
        if refusal is not None:
            return refusal
        response = self._device.handle(request)
        if not isinstance(response, ReadReply) or not isinstance(request, ReadRequest):
            return response
        return self._readings.changed(active, request, response, self._clock.monotonic_ns())

    def _end_due(self) -> None:
        now_ns = self._clock.monotonic_ns()
        for kind, one in list(self._active.by_kind.items()):
            if one.until_ns is not None and one.until_ns <= now_ns:
                self._end(kind)

    def _end(self, kind: FaultKind) -> None:
        if self._active.by_kind.pop(kind, None) is not None:
            log.info("%s fault=%s ended", self._who, kind)
            self._tell()

    def _tell(self) -> None:
        for on_change in self._on_change:
            on_change()
