"""A further device of an emulated plant, such as a meter: the same plant in other registers."""

import logging
from collections.abc import Callable

from hil.domain.measurand import FREQUENCY, measurand_of
from hil.domain.modbus_pdu import (
    ExceptionCode,
    ReadReply,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Request,
    Response,
    Table,
    WriteRequest,
)
from hil.domain.plant import PlantSpec, Transport
from hil.domain.point import Point
from hil.domain.signals import OptionalPoint
from hil.emulation.model import Meas
from hil.emulation.plant import MEASURED
from hil.emulation.reading import sentinel
from hil.emulation.register_bank import RegisterBank

log = logging.getLogger(__name__)

# What a device in order says of itself: it may be controlled (1), and no bit of alarm is set.
_IN_ORDER = frozenset({OptionalPoint.CONTROL_ALLOWED, OptionalPoint.ALARM_WORD})


class EmulatedDevice:
    """A device that is only read and shows what its plant is at the moment.

    Which measurement a point shows is told by `measurand_of`. A point that shows none holds the
    first number of its `invalid`, else 0, and is named in the log.

    Args:
        name: Of the device in the plant's local endpoint.
        measured: What the plant is now; None: its model has failed.
        f_hz: The grid's frequency.
    """

    def __init__(
        self, spec: PlantSpec, name: str, measured: Callable[[], Meas | None], *, f_hz: float
    ) -> None:
        self._who = f"plant={spec.id} device={name}"
        self._measured = measured
        self._newest: Meas | None = None
        self._is_known = self._has_failed = False
        self.bank = RegisterBank(spec.endpoints[Transport.LOCAL].registers, device=name)
        found = {point.name: measurand_of(point) for point in self.bank.points}
        self.measurands = {point: shown for point, shown in found.items() if shown is not None}
        places = {
            (point.table, point.address): point
            for shown in (*MEASURED, FREQUENCY)  # of two that share registers the later stays
            for point in self.bank.points
            if self.measurands.get(point.name) == shown
        }
        self._places = tuple(places.values())
        self._f_hz = f_hz
        self._put_the_rest([point for point in self.bank.points if found[point.name] is None])

    def _put_the_rest(self, points: list[Point]) -> None:
        taken = {(point.table, point.address) for point in self._places}
        for point in points:
            if point.name == OptionalPoint.CONTROL_ALLOWED:
                self.bank.put(point.name, 1.0)
            elif (
                point.name not in _IN_ORDER
                and point.invalid
                and (point.table, point.address) not in taken
            ):
                self.bank.write(point.table, point.address, sentinel(point), (point.name,))
        names = [point.name for point in points if point.name not in _IN_ORDER]
        if names:
            log.warning(
                "%s points=%s show nothing that the model has: not known where they have a"
                " number for it in invalid, else 0",
                self._who,
                ",".join(names),
            )

    def handle(self, request: Request) -> Response:
        """The device's answer, at the present time of the plant's clock; it takes no write."""
        match request:
            case ReadRequest():
                return self._read(request.table, request.address, request.count)
            case WriteRequest():
                refusal = self.bank.writable(request.table, request.address, request.values)
            case ReadWriteRequest():
                refusal = self.bank.writable(Table.HOLDING, request.write_address, request.values)
        if isinstance(refusal, Refusal):
            return refusal
        return Refusal(ExceptionCode.ILLEGAL_DATA_ADDRESS)

    def words(self, point: Point) -> tuple[int, ...]:
        """What the registers of a point hold now."""
        self._refresh()
        return self.bank.read(point.table, point.address, point.length)

    def _read(self, table: Table, address: int, count: int) -> Response:
        names = self.bank.readable(table, address, count)
        if isinstance(names, Refusal):
            return names
        self._refresh()
        if not self._is_known and not self.measurands.keys().isdisjoint(names):
            return Refusal(ExceptionCode.SERVER_DEVICE_FAILURE)
        return ReadReply(self.bank.read(table, address, count))

    def _refresh(self) -> None:
        """Bring what the plant is into the registers, if it has changed."""
        newest = self._measured()
        if newest is not None and newest is self._newest:
            return
        self._newest = newest
        self._is_known = newest is not None and self._put(newest)

    def _put(self, newest: Meas) -> bool:
        values: dict[str, float] = {
            **dict(zip(MEASURED, newest, strict=True)),
            FREQUENCY: self._f_hz,
        }
        try:
            for point in self._places:
                self.bank.put(point.name, values[self.measurands[point.name]])
        except Exception as error:  # noqa: BLE001 - a plug-in may return anything
            if not self._has_failed:
                log.error("%s cannot show what the model says: %s", self._who, error)
            self._has_failed = True
            return False
        return True
