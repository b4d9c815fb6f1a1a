"""Carries a start or a stop on, one exchange at a time."""

from typing import assert_never

from hil.domain.safe_stop import Do, Finished, Seen, Sequence, Wait
from hil.domain.signals import PointName
from hil.engine.plant_points import Outcome
from hil.ports import Clock


class Sequencer:
    """The sequence under way, when it wants to be asked, and what it has seen."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: Outcome | None = None
        self._held: dict[str, float] | None = None
        self._not_before_ns = 0
        self._has_asked = False
        self.sequence: Sequence | None = None
        self.due_ns = 0

    def begin(self, sequence: Sequence) -> None:
        """Take up a sequence in place of the one under way."""
        self.sequence = sequence
        self.due_ns = self._not_before_ns = self._clock.monotonic_ns()
        self._last = self._held = None
        self._has_asked = False

    def drop(self) -> None:
        """Give up the sequence under way."""
        self.sequence = None

    def saw(self, outcome: Outcome, *, next_step_ns: int) -> None:
        """Hand it the newest exchange; it is asked again at once.

        Where nothing answered to what it has asked, what it wants next waits for the next step: a
        try in between would make that late. A sequence begun meanwhile does not wait.
        """
        self._last = outcome
        self.due_ns = self._clock.monotonic_ns()
        if self._has_asked and not outcome.link_ok:
            self._not_before_ns = next_step_ns

    def next(self) -> dict[str, float] | Finished | None:
        """What to write now (and read after it), how it ended, or None while it waits."""
        if self.sequence is None:
            return None
        if self._held is not None:
            return self._when_due(self._held)
        match self.sequence.next(self._seen()):
            case Do(writes):
                return self._when_due(dict(writes))
            case Wait(until_ns):
                self.due_ns = until_ns
                return None
            case Finished() as end:
                self.sequence = None
                return end
            case never:
                assert_never(never)

    def _when_due(self, writes: dict[str, float]) -> dict[str, float] | None:
        is_due = self._clock.monotonic_ns() >= self._not_before_ns
        self._held = None if is_due else writes
        self._has_asked = is_due
        if not is_due:
            self.due_ns = self._not_before_ns
        return writes if is_due else None

    def _seen(self) -> Seen:
        now_ns = self._clock.monotonic_ns()
        if self._last is None:
            return Seen(now_ns=now_ns)
        values = self._last.values
        enable = values.get(PointName.ENABLE)
        return Seen(
            now_ns=now_ns,
            link_ok=self._last.link_ok,
            error=self._last.error,
            enabled=None if enable is None else enable != 0,
            p_battery_kw=values.get(PointName.P_BATTERY),
            q_battery_kvar=values.get(PointName.Q_BATTERY),
            p_setpoint_kw=values.get(PointName.P_SETPOINT),
            q_setpoint_kvar=values.get(PointName.Q_SETPOINT),
        )
