"""Log records as lines on stderr, in site time."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hil.adapters.log_repeat import RepeatFilter
from hil.domain.site_day import local_text
from hil.ports import Clock


class SiteFormatter(logging.Formatter):
    """`2026-05-01T12:00:00.123+02:00 WARNING plant=lib link lost ..`"""

    def __init__(self, zone: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._zone = ZoneInfo(zone)

    def formatTime(  # noqa: N802 - the name is logging's
        self, record: logging.LogRecord, datefmt: str | None = None
    ) -> str:
        return local_text(datetime.fromtimestamp(record.created, UTC), self._zone)


@contextmanager
def log_to_stderr(level: str, *, zone: str, clock: Clock) -> Iterator[None]:
    """Send every record of this level and above to stderr; third parties from WARNING on.

    What is said again and again is summed up once a minute, and at the end of the block.
    """
    handler = logging.StreamHandler(sys.stderr)
    repeats = RepeatFilter(handler, clock)
    handler.addFilter(repeats)
    handler.setFormatter(SiteFormatter(zone))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("hil").setLevel(level)
    try:
        yield
    finally:
        repeats.tell_rest()
