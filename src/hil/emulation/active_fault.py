"""A fault that is being shown, and what it must remember."""

from dataclasses import dataclass

from hil.domain.faults import Fault

NS_PER_S = 1_000_000_000


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
