"""Faults that refuse a request: what a device does not allow."""

from collections.abc import Mapping, Sequence

from hil.domain.faults import Fault, FaultKind
from hil.domain.modbus_pdu import (
    ExceptionCode,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Request,
    WriteRequest,
)
from hil.domain.point import Point
from hil.emulation.active_fault import ActiveFault


def refusal_of(
    active: Mapping[FaultKind, ActiveFault], request: Request, points: Sequence[Point]
) -> Refusal | None:
    """The exception with which the active faults answer a request; None: they let it pass."""
    illegal = Refusal(ExceptionCode.ILLEGAL_FUNCTION)
    is_single = isinstance(request, WriteRequest) and not request.multiple
    if not isinstance(request, ReadRequest):
        if FaultKind.FC6_ONLY in active and not is_single:
            return illegal
        if FaultKind.FC16_ONLY in active and (is_single or isinstance(request, ReadWriteRequest)):
            return illegal
    exception = active.get(FaultKind.EXCEPTION)
    if exception is not None and _is_meant(exception.fault, request):
        return Refusal(int(exception.fault.number("code")))
    if isinstance(request, WriteRequest):
        return None
    block = active.get(FaultKind.MAX_BLOCK)
    if block is not None and _read(request)[1] > block.fault.number("registers"):
        return Refusal(int(block.fault.number("code")))
    gap = active.get(FaultKind.GAP_REFUSAL)
    if gap is not None and _joins_points(request, points):
        return Refusal(int(gap.fault.number("code")))
    return None


def _is_meant(fault: Fault, request: Request) -> bool:
    reads, writes = _spans(request)
    wanted = {"reads": reads, "writes": writes}.get(str(fault.word("on")), [*reads, *writes])
    address = fault.maybe("address")
    return any(address is None or start <= address < start + count for start, count in wanted)


def _spans(request: Request) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The addresses that are read and those that are written, as (start, count)."""
    if isinstance(request, ReadRequest):
        return [(request.address, request.count)], []
    if isinstance(request, WriteRequest):
        return [], [(request.address, len(request.values))]
    write = (request.write_address, len(request.values))
    return [(request.read_address, request.read_count)], [write]


def _read(request: Request) -> tuple[int, int]:
    return _spans(request)[0][0]


def _joins_points(request: Request, points: Sequence[Point]) -> bool:
    start, count = _read(request)
    table = getattr(request, "table", None)
    spans = {
        (point.address, point.end)
        for point in points
        if point.address < start + count
        and start < point.end
        and (table is None or point.table is table)
    }
    return len(spans) > 1
