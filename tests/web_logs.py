"""A log in memory for the tests of the web part."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from hil.domain.errors import NotFound
from hil.domain.log_line import LogFile, LogLevel, LogLine, LogPage

TODAY = date(2026, 1, 15)


def log_line(text: str, level: LogLevel = LogLevel.INFO) -> LogLine:
    """A line of noon, site time or not."""
    return LogLine(time=datetime(2026, 1, 15, 11, tzinfo=UTC), level=level, text=text)


@dataclass
class FakeLogs:
    """One line of today, and what a test adds; keeps who set the level and what was asked for."""

    level: LogLevel = LogLevel.INFO
    set_by: list[str] = field(default_factory=list)
    days: dict[date, list[LogLine]] = field(
        default_factory=lambda: {TODAY: [log_line("engine started")]}
    )
    refuse: Exception | None = None
    tails: list[int] = field(default_factory=list)

    def set_level(self, level: LogLevel, *, by: str) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.level = level
        self.set_by.append(by)

    def add(self, *texts: str) -> None:
        """Log these today."""
        self.days[TODAY] += [log_line(text) for text in texts]

    async def page(
        self, day: date | None, *, tail: int, level: LogLevel | None, text: str
    ) -> LogPage:
        if self.refuse is not None:
            raise self.refuse
        self.tails.append(tail)
        shown = day or TODAY
        if shown not in self.days:
            raise NotFound(f"There is no log of {day}.")
        levels = (level or LogLevel.DEBUG).and_above()
        lines = [
            line
            for line in self.days[shown]
            if (line.level is None or line.level in levels) and text.lower() in line.text.lower()
        ]
        files = tuple(
            LogFile(date=one, bytes=60 * len(self.days[one]))
            for one in sorted(self.days, reverse=True)
        )
        return LogPage(
            date=shown, files=files, level=self.level, lines=tuple(lines[-tail:]), complete=True
        )
