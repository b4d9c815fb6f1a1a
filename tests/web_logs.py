"""A log in memory for the tests of the web part."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from hil.domain.errors import NotFound
from hil.domain.log_line import LogFile, LogLevel, LogLine, LogPage

TODAY = date(2026, 1, 15)


@dataclass
class FakeLogs:
    """One line of today; keeps who set the level."""

    level: LogLevel = LogLevel.INFO
    set_by: list[str] = field(default_factory=list)

    def set_level(self, level: LogLevel, *, by: str) -> None:
        self.level = level
        self.set_by.append(by)

    async def page(
        self, day: date | None, *, tail: int, level: LogLevel | None, text: str
    ) -> LogPage:
        if day not in {None, TODAY}:
            raise NotFound(f"There is no log of {day}.")
        line = LogLine(
            time=datetime(2026, 1, 15, 11, tzinfo=UTC), level=LogLevel.INFO, text="engine started"
        )
        files = (LogFile(date=TODAY, bytes=60),)
        return LogPage(date=TODAY, files=files, level=self.level, lines=(line,), complete=True)
