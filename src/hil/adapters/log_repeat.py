"""Bounds how often a log handler takes the same text: a storm becomes a few lines a minute."""

import logging
import threading
from collections.abc import Iterable

from hil.domain.log_repeat import Repeats
from hil.ports import Clock

# The same text of the same logger: so often in a minute, which is more than a person reads.
SAME_MAX = 10
WINDOW_NS = 60 * 1_000_000_000
# Far more than there are log calls; texts that differ each time are not held back at all.
DIFFERENT_MAX = 1_000

_Said = tuple[str, int, str]


class RepeatFilter(logging.Filter):
    """Holds back what a handler has taken `SAME_MAX` times within a minute.

    How often that was is told when the minute is over, at the next record or `tell_ended`.
    """

    def __init__(self, handler: logging.Handler, clock: Clock) -> None:
        super().__init__()
        self._handler = handler
        self._clock = clock
        self._lock = threading.Lock()
        self._repeats: Repeats[_Said] = Repeats(
            most=SAME_MAX, window_ns=WINDOW_NS, different_max=DIFFERENT_MAX
        )

    def filter(self, record: logging.LogRecord) -> bool:
        self.tell_ended()
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a bad record is the handler's to report
            return True
        with self._lock:
            return self._repeats.is_admitted(
                (record.name, record.levelno, text), now_ns=self._clock.monotonic_ns()
            )

    def tell_ended(self) -> None:
        """Tell what was held back in minutes that are over."""
        with self._lock:
            ended = self._repeats.ended(now_ns=self._clock.monotonic_ns())
        self._tell(ended)

    def tell_rest(self) -> None:
        """Tell what was held back until now, because the handler is about to be closed."""
        with self._lock:
            rest = self._repeats.rest()
        self._tell(rest)

    def _tell(self, held_back: Iterable[tuple[_Said, int]]) -> None:
        for (name, level, text), times in held_back:
            said = logging.LogRecord(
                name, level, __file__, 0, "repeated=%d times more: %s", (times, text), None
            )
            self._handler.handle(said)
