"""Tolerance compression of recordings: rows that say nothing new are left out."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from hil.domain.recording_file import DECIMALS

T = TypeVar("T")

# Recorded numbers have DECIMALS: a difference beyond a tolerance is beyond it by one of the last of
# them, and 400.1 is 0.1 from 400.0, whatever their binary fractions say.
NOISE = 0.5 * 10.0**-DECIMALS
Values = tuple[float | None, ...]


class Compressor(Generic[T]):
    """Decides row by row what of one plant's recording is kept.

    Kept are: the first row after a boundary, every row that differs from the last kept one by more
    than a tolerance in any signal or in what is known, the row just before it (so that a step
    stays a step), one row at least every `max_gap_s` where there are rows, and the last row before
    a boundary. Of a run of boundaries the first and the last are kept. Held until the next kept
    row, no signal is ever off by more than its tolerance; what was compressed once is not changed
    by compressing it again.

    Args:
        tolerances: One a signal, in the signal's unit, in the order of the values; a signal
            without one is kept exactly.
        max_gap_s: Seconds between two kept rows.
    """

    def __init__(self, tolerances: Sequence[float], *, max_gap_s: float) -> None:
        self._tolerances = tuple(tolerances)
        self._max_gap_s = max_gap_s
        # The last kept row; no values: a boundary, or nothing was kept yet.
        self._at_s = 0.0
        self._values: Values | None = None
        self._held: tuple[float, Values | None, T] | None = None
        self._is_after_boundary = False

    @property
    def held(self) -> T | None:
        """What was added last and is neither kept nor left out yet."""
        return None if self._held is None else self._held[2]

    def add(self, at_s: float, values: Values | None, item: T) -> tuple[T, ...]:
        """Look at the next row and return what is to be kept now, oldest first.

        Args:
            at_s: The row's time in seconds; one that goes back is kept.
            values: None is a boundary, None in it a signal that is not known.
            item: Returned where the row is kept.
        """
        if values is None:
            return self._add_boundary(at_s, item)
        kept = self._values
        if kept is None:
            return self._keep(at_s, values, item)
        if at_s - self._at_s > self._max_gap_s and self._held is not None:
            held_at_s, held_values, held = self._held
            self._at_s, self._values, self._held = held_at_s, held_values, None
            return (held, *self.add(at_s, values, item))
        if 0 <= at_s - self._at_s <= self._max_gap_s and (
            values == kept or self._is_within_tolerances(values, kept)
        ):
            self._held = (at_s, values, item)
            return ()
        return self._keep(at_s, values, item)

    def end(self) -> tuple[T, ...]:
        """The row held back, if there is one: the recording ends here, or is divided."""
        held, self._held = self._held, None
        self._values, self._is_after_boundary = None, False
        return () if held is None else (held[2],)

    def _keep(self, at_s: float, values: Values, item: T) -> tuple[T, ...]:
        held, self._held = self._held, None
        self._at_s, self._values, self._is_after_boundary = at_s, values, False
        return (item,) if held is None else (held[2], item)

    def _add_boundary(self, at_s: float, item: T) -> tuple[T, ...]:
        if self._is_after_boundary:
            self._held = (at_s, None, item)
            return ()
        kept = (*self.end(), item)
        self._is_after_boundary = True
        return kept

    def _is_within_tolerances(self, values: Values, kept: Values) -> bool:
        if len(values) != len(kept):
            return False
        if len(self._tolerances) < len(values):
            self._tolerances += (0.0,) * (len(values) - len(self._tolerances))
        for value, kept_value, tolerance in zip(values, kept, self._tolerances, strict=False):
            if value == kept_value:
                continue
            if value is None or kept_value is None or abs(value - kept_value) > tolerance + NOISE:
                return False
        return True
