"""The faults that are being shown, what they must remember, and how they answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hil.domain.faults import Fault, FaultKind
from hil.domain.modbus_pdu import Request, Response
from hil.ports import Answer, Door, Manner

NS_PER_S = 1_000_000_000

_ENDS = {
    FaultKind.RESET: Manner.RESET,
    FaultKind.DROP: Manner.CLOSE,
    FaultKind.STALE_ANSWER: Manner.STALE,
}
_WIRE = frozenset({*_ENDS, FaultKind.LATE_ANSWER, FaultKind.DELAY, FaultKind.WRONG_UNIT_ID})


@dataclass(slots=True)
class ActiveFault:
    """A fault since a time; `count` is how many requests it has seen."""

    fault: Fault
    since_ns: int
    count: int = 0

    @property
    def until_ns(self) -> int | None:
        """When it ends by itself; None: it does not."""
        for_s = self.fault.for_s
        return None if for_s is None else self.since_ns + round(for_s * NS_PER_S)

    def is_due(self) -> bool:
        """Count a request, and tell whether it is one of those that it happens to."""
        self.count += 1
        return self.count % int(self.fault.number("every")) == 0


class ActiveFaults:
    """The faults of one device; `by_kind` has the oldest first."""

    def __init__(self) -> None:
        self.by_kind: dict[FaultKind, ActiveFault] = {}

    def __contains__(self, kind: FaultKind) -> bool:
        return kind in self.by_kind

    def __bool__(self) -> bool:
        return bool(self.by_kind)

    def of(self, kind: FaultKind) -> Fault | None:
        """The fault of a kind; None: it is not shown."""
        one = self.by_kind.get(kind)
        return None if one is None else one.fault

    def begin(self, fault: Fault, now_ns: int) -> None:
        """Show a fault, in place of another of its kind."""
        self.by_kind.pop(fault.kind, None)
        self.by_kind[fault.kind] = ActiveFault(fault, now_ns)

    def shown(self, now_ns: int) -> tuple[Fault, ...]:
        """The faults; `for_s` is what is left of it."""
        return tuple(
            one.fault
            if one.until_ns is None
            else replace(one.fault, for_s=(one.until_ns - now_ns) / NS_PER_S)
            for one in self.by_kind.values()
        )

    def door(self, now_ns: int) -> tuple[Door, float | None]:
        """How connections are taken, and the seconds until that may change by itself."""
        single = self.of(FaultKind.SINGLE_CONNECTION)
        silent = self.of(FaultKind.SILENT_ACCEPT)
        door = Door(
            refuses=FaultKind.REFUSE in self,
            places=None if single is None else int(single.number("connections")),
            hold_s=0.0 if single is None else single.number("hold_s"),
            silent_s=0.0 if silent is None else silent.maybe("first_s") or 0.0,
        )
        ends = [one.until_ns for one in self.by_kind.values() if one.until_ns is not None]
        return door, max(min(ends) - now_ns, 1) / NS_PER_S if ends else None

    def answer(
        self, request: Request, carry_out: Callable[[Request], Response]
    ) -> Response | Answer | None:
        """What comes back when a request is carried out behind the faults of the way to it."""
        if FaultKind.REFUSE in self:
            return Answer(None, manner=Manner.REFUSE)
        silent = self.of(FaultKind.SILENT_ACCEPT)
        if silent is not None and silent.maybe("first_s") is None:
            return None
        response = carry_out(request)
        return response if _WIRE.isdisjoint(self.by_kind) else self._sent(response)

    def _sent(self, response: Response) -> Answer:
        manner, after_s, unit_id = Manner.IN_TURN, 0.0, None
        for kind, ending in _ENDS.items():
            if kind in self and self.by_kind[kind].is_due():
                manner = ending
                break
        if (delay := self.of(FaultKind.DELAY)) is not None:
            after_s = delay.number("ms") / 1000
        late = self.by_kind.get(FaultKind.LATE_ANSWER)
        if late is not None and manner is Manner.IN_TURN and late.is_due():
            manner, after_s = Manner.LATE, late.fault.number("s")
        if (wrong := self.of(FaultKind.WRONG_UNIT_ID)) is not None:
            unit_id = int(wrong.number("unit_id"))
        is_end = manner in {Manner.CLOSE, Manner.RESET}
        return Answer(None if is_end else response, after_s, manner, unit_id)
