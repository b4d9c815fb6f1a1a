"""How late the dispatch steps of all plants were taken."""

from collections import deque

from hil.domain.snapshot import Percentiles

# The newest steps that the figures are made of: 15 minutes of two plants at 2 s.
STEPS_KEPT = 1_000


class Lateness:
    """Percentiles of the newest dispatch steps, and the count of missed ones."""

    def __init__(self) -> None:
        self._late_ns: deque[int] = deque(maxlen=STEPS_KEPT)
        self.missed_steps = 0

    def add(self, late_ns: int, missed: int) -> None:
        """Count one step that was taken this long after its time."""
        self._late_ns.append(late_ns)
        self.missed_steps += missed

    def percentiles(self) -> Percentiles:
        """In ms; None before the first step."""
        if not self._late_ns:
            return Percentiles()
        ordered = sorted(self._late_ns)
        return Percentiles(
            p50=_ms(ordered[len(ordered) // 2]),
            p99=_ms(ordered[len(ordered) * 99 // 100]),
            max=_ms(ordered[-1]),
        )


def _ms(ns: int) -> float:
    return round(ns / 1e6, 3)
