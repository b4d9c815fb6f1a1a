"""A meter held against its plant: both are read at the same time, and compared."""

from collections.abc import Awaitable, Callable

from hil.domain.agreement import judge_beside
from hil.domain.finding import Finding, Severity
from hil.domain.measurand import measurand_of
from hil.domain.modbus_pdu import ReadReply, ReadRequest, Response
from hil.domain.plant import Nameplate
from hil.domain.registers import Point, RegisterMap
from hil.domain.signals import PointName

Ask = Callable[[ReadRequest], Awaitable[Response | None]]

# What stands for a measurement of the POI where the plant's own server has none.
_INSTEAD = {PointName.P_POI: PointName.P_BATTERY, PointName.Q_POI: PointName.Q_BATTERY}


async def compare(
    registers: RegisterMap, nameplate: Nameplate, device: str, *, ask: Ask, ask_plant: Ask
) -> list[Finding]:
    """A finding for each point of the device that the plant's own server measures as well.

    The plant is read before and after the device, so that power that moves is not mistaken.

    Args:
        ask: Reads the device; None: it did not answer.
        ask_plant: Reads the plant's own server.
    """

    async def read(point: Point, of: Ask) -> float | None:
        answer = await of(ReadRequest(point.table, point.address, point.length))
        if not isinstance(answer, ReadReply):
            return None
        return registers.decode(point.name, answer.values)

    findings: list[Finding] = []
    for point in registers.points.values():
        own = _own(registers, point) if point.device == device and point.is_readable else None
        if own is None:
            continue
        before = await read(own, ask_plant)
        value = await read(point, ask)
        after = await read(own, ask_plant)
        if value is None:
            continue  # said where it was read first
        if before is None or after is None:
            text = f"was not compared: {own.name} of the plant itself is not known"
            findings.append(Finding(severity=Severity.WARNING, subject=point.name, text=text))
            continue
        findings.append(
            judge_beside(
                point,
                value,
                PointName(own.name),
                (min(before, after), max(before, after)),
                nameplate,
                is_same=own.name == measurand_of(point),
            )
        )
    return findings


def _own(registers: RegisterMap, point: Point) -> Point | None:
    """The point of the plant's own server that a point of a device is compared with."""
    shown = measurand_of(point)
    if shown is None or shown not in {*PointName}:
        return None
    own = registers.points.get(shown)
    if own is None or own.device is not None:
        own = registers.points.get(_INSTEAD.get(PointName(shown), ""))
    return own if own is not None and own.device is None and own.is_readable else None
