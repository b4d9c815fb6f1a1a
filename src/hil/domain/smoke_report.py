"""What a smoke check of one plant brought, and single registers as they were read."""

from collections.abc import Sequence
from dataclasses import dataclass

from hil.domain.finding import Finding, Severity
from hil.domain.modbus_pdu import Table
from hil.domain.plant import Transport
from hil.domain.point import Format
from hil.domain.registers import RegisterMap
from hil.domain.snapshot import Percentiles
from hil.domain.units import CANONICAL, quantity_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One point as it was read: its registers (or its bit), and what they mean.

    `words` None: it could not be read, `problem` says why. `value` None: it is not known.
    """

    point: str
    table: Table
    address: int
    format: Format
    words: tuple[int, ...] | None
    value: float | None
    unit: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeReport:
    """The smoke check of one plant's endpoint; `severity` is that of the worst finding.

    `device` is the further device that was checked; None: the plant's own server. `reads`
    requests were timed. `trace` is what went over the wire, a line a frame; empty unless it was
    asked for.
    """

    plant: str
    name: str
    transport: Transport
    endpoint: str
    severity: Severity
    readings: tuple[Reading, ...]
    reads: int
    round_trip_ms: Percentiles
    findings: tuple[Finding, ...]
    trace: tuple[str, ...] = ()
    device: str | None = None


def reading_of(
    registers: RegisterMap, name: str, words: Sequence[int] | None, problem: str | None = None
) -> Reading:
    """The reading of a point; `words` None: it was not read, `problem` says why."""
    point = registers.points[name]
    return Reading(
        point=name,
        table=point.table,
        address=point.address,
        format=point.format,
        words=None if words is None else tuple(words),
        value=None if words is None else registers.decode(name, words),
        unit=CANONICAL[quantity_of(point.name, point.unit)],
        problem=problem,
    )
