"""A plant's day in the cache: its rows as Parquet, its levels, and what is to be known of it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from hil.domain.downsample import Grid
from hil.history.read import TIME, read_day
from hil.history.stretch import AT, END, Recorded, recorded, signals_of, stretches

LEVELS_S = (60, 900)
# More stretches than this are shown as one where the least time lies between them.
SPANS_MAX = 48
# Raised when the files' content changes; what was written before is then made anew.
FORMAT = 1
_KEY = "hil"

Source = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of a day without its rows; instants in microseconds since the epoch.

    `sources` are the files it was made of: name, size and time of change in nanoseconds. `last_us`
    and `last` are the newest row, which holds on after the day where it `is_open`.
    """

    sources: tuple[Source, ...]
    hold_us: int
    signals: tuple[str, ...]
    rows: int
    left_out: int
    sessions: int
    spans: tuple[tuple[int, int], ...]
    gaps_us: tuple[int, ...]
    first_us: int | None
    opens_with_boundary: bool
    is_open: bool
    last_us: int | None
    last: tuple[float | None, ...]
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Day:
    """A day with its rows and levels, those of the cache loaded when they are asked for."""

    about: About
    _rows: pl.DataFrame | None = None
    _paths: dict[int, Path] = field(default_factory=dict)

    def rows(self) -> pl.DataFrame:
        """The rows, as `hil.history.stretch` has them."""
        if self._rows is not None:
            return self._rows
        return pl.read_parquet(self._paths[0], columns=[AT, END, *self.about.signals])

    def level(self, width_s: int) -> pl.DataFrame:
        """The stretches in cells of 60 or 900 s."""
        if width_s in self._paths:
            return pl.read_ipc(self._paths[width_s])
        return stretches(self.rows(), self.about.gaps_us, Grid(width_s))


def read(paths: Sequence[Path], *, v_nominal_kv: float | None, hold_us: int) -> Day:
    """A day of its CSV files; raises OSError."""
    sources = sources_of(paths)
    days = [read_day(path, v_nominal_kv=v_nominal_kv) for path in paths]
    frame = days[0].frame
    if len(days) > 1:
        frame = pl.concat([day.frame for day in days], how="diagonal").sort(
            TIME, maintain_order=True
        )
    found = recorded(frame, hold_us=hold_us)
    rows = found.rows
    left_out = sum(day.left_out for day in days)
    return Day(_about(found, sources, hold_us=hold_us, left_out=left_out), rows)


def sources_of(paths: Sequence[Path]) -> tuple[Source, ...]:
    """What the day of these files is recognised by; raises OSError."""
    return tuple((p.name, (stat := p.stat()).st_size, stat.st_mtime_ns) for p in paths)


def seal(day: Day, folder: Path, name: str) -> Day:
    """Write a day to the cache; raises OSError and leaves nothing that counts."""
    folder.mkdir(exist_ok=True)
    paths = _paths(folder, name)
    for width_s in LEVELS_S:
        level = stretches(day.rows(), day.about.gaps_us, Grid(width_s))
        _replace(paths[width_s], partial(level.write_ipc, compression="zstd"))
    metadata = {_KEY: orjson.dumps(day.about).decode(), "units": _units(day.about.signals)}
    rows = day.rows().with_columns(
        pl.from_epoch(AT, time_unit="us").dt.replace_time_zone("UTC").alias(TIME)
    )
    rows = rows.select(TIME, *day.about.signals, AT, END)
    # Last: what is written above does not count without it.
    _replace(
        paths[0],
        lambda path: rows.write_parquet(
            path, compression="zstd", compression_level=3, metadata=metadata
        ),
    )
    return Day(day.about, None, paths)


def load(folder: Path, name: str, sources: tuple[Source, ...], *, hold_us: int) -> Day | None:
    """A day of the cache, if it is there, whole, and made of these files."""
    paths = _paths(folder, name)
    try:
        about = _about_of(orjson.loads(pl.read_parquet_metadata(paths[0])[_KEY]))
        levels_are_there = all(paths[width_s].exists() for width_s in LEVELS_S)
    except (OSError, ValueError, TypeError, LookupError, pl.exceptions.PolarsError):
        return None
    if not levels_are_there or about.format != FORMAT:
        return None
    if about.sources != sources or about.hold_us != hold_us:
        return None
    return Day(about, None, paths)


def remove(folder: Path, name: str) -> None:
    """Forget a day; its rows' file first, without which the others do not count."""
    for path in _paths(folder, name).values():
        path.unlink(missing_ok=True)


def _paths(folder: Path, name: str) -> dict[int, Path]:
    levels = {width_s: folder / f"{name}.{width_s}.arrow" for width_s in LEVELS_S}
    return {0: folder / f"{name}.parquet", **levels}


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    new = path.with_name(f"{path.name}.new")
    write(new)
    os.replace(new, path)


def _units(signals: Sequence[str]) -> str:
    """The unit of each signal, which is the end of its name."""
    return orjson.dumps({name: name.rpartition("_")[2] for name in signals}).decode()


def _about(found: Recorded, sources: tuple[Source, ...], *, hold_us: int, left_out: int) -> About:
    rows = found.rows
    last = rows.row(-1) if rows.height else None
    spans = _spans(rows, found.gaps_us)
    return About(
        sources=sources,
        hold_us=hold_us,
        signals=tuple(signals_of(rows)),
        rows=rows.height,
        left_out=left_out,
        sessions=len(spans),
        spans=_fewer(spans),
        gaps_us=tuple(found.gaps_us),
        first_us=found.first_us,
        opens_with_boundary=found.opens_with_boundary,
        is_open=found.is_open,
        last_us=None if last is None else last[0],
        last=() if last is None else tuple(last[2:]),
    )


def _spans(rows: pl.DataFrame, gaps_us: list[int]) -> list[tuple[int, int]]:
    """From when to when something is known without a gap."""
    if not rows.height:
        return []
    cut = pl.Series(gaps_us, dtype=pl.Int64).search_sorted(rows[AT], side="right")
    ends = rows.with_columns(cut.alias("cut")).group_by("cut", maintain_order=True)
    found = ends.agg(pl.col(AT).first(), pl.col(END).last())
    return list(zip(found[AT].to_list(), found[END].to_list(), strict=True))


def _fewer(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    if len(spans) <= SPANS_MAX:
        return tuple(spans)
    pauses = sorted(range(1, len(spans)), key=lambda k: spans[k][0] - spans[k - 1][1])
    cuts = [0, *sorted(pauses[-(SPANS_MAX - 1) :]), len(spans)]
    return tuple((spans[a][0], spans[b - 1][1]) for a, b in pairwise(cuts))


def _about_of(value: dict[str, Any]) -> About:
    lists = {
        key: tuple(tuple(item) if isinstance(item, list) else item for item in each)
        for key, each in value.items()
        if isinstance(each, list)
    }
    return About(**{**value, **lists})
