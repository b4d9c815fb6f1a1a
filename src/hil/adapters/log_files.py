"""The log of the engine: daily files to read from, and the level that is logged."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from zoneinfo import ZoneInfo

from hil.adapters.log_folder import LogFolder
from hil.domain.errors import HilError, NotFound, QueueFull
from hil.domain.log_line import LogLevel, LogLine, LogPage, level_of
from hil.domain.site_day import site_day
from hil.ports import Clock

log = logging.getLogger(__name__)

# Third parties log from WARNING on, whatever our level is.
OUR_LOGGER = "hil"
# Searches that are under way or wait; each may take a fraction of a second.
SEARCHES_MAX = 8


class LogFiles:
    """Reads the log files of a folder by a thread of its own; implements `LogApi`."""

    def __init__(self, folder: LogFolder, *, zone: ZoneInfo, clock: Clock) -> None:
        self._folder = folder
        self._zone = zone
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-reader")
        self._searches = 0

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()

    @property
    def level(self) -> LogLevel:
        """The least severe level that is logged."""
        return level_of(logging.getLogger(OUR_LOGGER).getEffectiveLevel())

    def set_level(self, level: LogLevel, *, by: str) -> None:
        """Log this level and those above it from now on; that itself is logged at every level."""
        ours = logging.getLogger(OUR_LOGGER)
        before = self.level
        ours.setLevel(min(before.number, LogLevel.INFO.number))
        log.info("log level=%s before=%s set by=%s", level, before, by)
        ours.setLevel(level.number)

    async def page(
        self, day: date | None, *, tail: int, level: LogLevel | None, text: str
    ) -> LogPage:
        """The end of a day's log, read off the loop; raises as `LogApi`."""
        if self._searches >= SEARCHES_MAX:
            raise QueueFull("Too many are reading the log. Try again in a moment.")
        self._searches += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, lambda: self._page(day, tail=tail, level=level, text=text)
            )
        except OSError as error:
            raise HilError(f"The log cannot be read: {error.strerror or error}.") from error
        finally:
            self._searches -= 1

    def _page(self, day: date | None, *, tail: int, level: LogLevel | None, text: str) -> LogPage:
        shown = site_day(self._clock.now(), self._zone) if day is None else day
        files = self._folder.files()
        lines: tuple[LogLine, ...] = ()
        complete = True
        if any(file.date == shown for file in files):
            lines, complete = self._folder.last_lines(shown, tail=tail, level=level, text=text)
        elif day is not None:
            newest = ", ".join(file.date.isoformat() for file in files[:3]) or "none at all"
            raise NotFound(f"There is no log of {day}; the newest are {newest}.")
        return LogPage(date=shown, files=files, level=self.level, lines=lines, complete=complete)
