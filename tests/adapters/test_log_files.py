"""Readers of the log: so many at a time, each with an answer of its own."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hil.adapters.log_files import SEARCHES_MAX, LogFiles
from hil.adapters.log_folder import LogFolder
from hil.domain.errors import QueueFull
from hil.domain.log_line import LogFile, LogPage

MADRID = ZoneInfo("Europe/Madrid")


class StandingClock:
    """Half past midnight in Madrid, which is the day before in UTC."""

    def monotonic_ns(self) -> int:
        return 0

    def now(self) -> datetime:
        return datetime(2026, 1, 14, 23, 30, tzinfo=UTC)


class SlowFolder(LogFolder):
    """A folder on a disk that hangs until it is told to go on."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.goes_on = threading.Event()

    def files(self) -> tuple[LogFile, ...]:
        assert self.goes_on.wait(20)
        return super().files()


def lines_of(pages: Sequence[LogPage]) -> set[str]:
    return {line.text for page in pages for line in page.lines}


@pytest.mark.real_time
async def test_a_disk_that_hangs_keeps_a_bounded_number_of_readers(tmp_path: Path) -> None:
    folder = SlowFolder(tmp_path)
    folder.append(date(2026, 1, 15), ["2026-01-15T00:10:00+01:00 INFO here"])
    logs = LogFiles(folder, zone=MADRID, clock=StandingClock())

    async def page() -> LogPage:
        return await logs.page(None, tail=5, level=None, text="")

    waiting = [asyncio.create_task(page()) for _ in range(SEARCHES_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull, match="Too many"):
        await page()
    waiting.pop().cancel()
    folder.goes_on.set()
    pages = await asyncio.gather(*waiting)
    again = await page()
    logs.close()

    assert lines_of(pages) == {"here"}
    assert again.date == date(2026, 1, 15)
