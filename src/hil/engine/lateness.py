"""How late the dispatch steps of all plants were taken."""

from collections import deque

from hil.domain.percentiles import percentiles_ms
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
        return percentiles_ms(self._late_ns)
