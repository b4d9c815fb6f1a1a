"""What `hil recordings list` shows: a table of files, or facts for programs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from hil.domain.site_day import local_text
from hil.history.spans import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What a file holds; `rows` are those with values, `left_out` lines that are no rows."""

    path: Path
    size: int
    rows: int
    left_out: int
    spans: list[Span]

    @property
    def covered(self) -> timedelta:
        """How long something was recorded."""
        return sum((span.length for span in self.spans), timedelta())


def files_table(files: Iterable[FileFacts], zone: ZoneInfo) -> Table:
    """A line a file, times of the site."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("file", "rows", "first", "last", "spans", "covered", "size"):
        is_number = name in {"rows", "spans", "covered", "size"}
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
    for facts in files:
        first = facts.spans[0].start if facts.spans else None
        last = facts.spans[-1].end if facts.spans else None
        table.add_row(
            Text(facts.path.name),
            f"{facts.rows:,}",
            _local(first, zone),
            _local(last, zone),
            str(len(facts.spans)),
            _duration(facts.covered),
            size_text(facts.size),
        )
    return table


def files_json(files: Iterable[FileFacts], zone: ZoneInfo) -> list[dict[str, Any]]:
    """The same for programs, with every span."""
    return [
        {
            "file": str(facts.path),
            "bytes": facts.size,
            "rows": facts.rows,
            "left_out": facts.left_out,
            "covered_s": facts.covered.total_seconds(),
            "spans": [
                {
                    "start": local_text(span.start, zone),
                    "end": local_text(span.end, zone),
                    "rows": span.rows,
                }
                for span in facts.spans
            ],
        }
        for facts in files
    ]


def size_text(count: int) -> str:
    """A number of bytes in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _local(at: datetime | None, zone: ZoneInfo) -> str:
    return "" if at is None else local_text(at, zone)


def _duration(length: timedelta) -> str:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
