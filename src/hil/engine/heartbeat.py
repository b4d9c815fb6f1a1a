"""The counter that shows a plant that this program lives."""

from collections.abc import Mapping

from hil.domain.phase import Phase
from hil.domain.registers import Format, RegisterMap
from hil.domain.signals import OptionalPoint
from hil.engine.cadence import period_ns

# It beats from a start until the plant is stopped. Before it, nothing is written to a plant that is
# not ours; and a plant of which we do not know what it does (unknown) had better miss us, so that
# its own watchdog brings it to rest.
_BEATS_IN = frozenset({Phase.STARTING, Phase.RUNNING, Phase.STOPPING})

# Above these a float does not tell two counts apart.
_COUNTS_MAX = {Format.FLOAT32: 2**24}
_COUNTS_MAX_ELSE = 2**53

# A device that repeats our counts has stopped when it repeats none for so many beats.
SILENT_BEATS = 2


class Heartbeat:
    """Counts up at the point's own period and wraps at what the register holds.

    A beat that comes late is not made up.
    """

    def __init__(self, registers: RegisterMap) -> None:
        point = registers.points.get(OptionalPoint.HEARTBEAT)
        self._period_ns: int | None = None
        self._due_ns = 0
        self._count = 0
        self._echo: float | None = None
        self._beats_since = 0  # were taken since the echo moved last
        self._is_echoed = False
        if point is not None:
            self._period_ns = period_ns(point.period_s)
            _, high = registers.span(point.name)
            self._top = int(min(high, _COUNTS_MAX.get(point.format, _COUNTS_MAX_ELSE)))

    def due_ns(self, phase: Phase) -> int | None:
        """When the next beat is due; None: the plant has no heartbeat, or is not ours."""
        return None if self._period_ns is None or phase not in _BEATS_IN else self._due_ns

    def take(self, now_ns: int) -> dict[str, float]:
        """What to write for the beat that is due."""
        assert self._period_ns is not None
        late_ns = now_ns - self._due_ns
        self._due_ns = now_ns + self._period_ns - (late_ns if late_ns < self._period_ns else 0)
        self._count = 0 if self._count >= self._top else self._count + 1
        return {OptionalPoint.HEARTBEAT: float(self._count)}

    def is_taken(self) -> None:
        """The device has acknowledged the beat."""
        self._beats_since += 1

    def stopped(self, values: Mapping[str, float | None], phase: Phase) -> str | None:
        """What is wrong with the read-back of the heartbeat, if it stands still while we beat.

        A device that cannot be read there, or that has never shown another count, such as one
        that clears the register, says nothing.
        """
        echo = values.get(OptionalPoint.HEARTBEAT)
        if echo is None or phase not in _BEATS_IN:
            self._echo, self._beats_since = None, 0
            return None
        if echo != self._echo:
            self._is_echoed = self._is_echoed or self._echo is not None
            self._echo, self._beats_since = echo, 0
        if not self._is_echoed or self._beats_since < SILENT_BEATS:
            return None
        return f"the heartbeat still reads {echo:g} after {self._beats_since} further beats"
