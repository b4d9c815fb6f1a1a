"""What the recordings say of a range: how much there is, and its buckets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import zip_longest
from typing import Any

import polars as pl

from hil.domain.downsample import Grid, instant, us
from hil.domain.plant import PlantId
from hil.history.days import Days
from hil.history.sealed import LEVELS_S, Day
from hil.history.stretch import AT, END, alone, merged, shown, stretches


@dataclass(frozen=True, slots=True)
class Question:
    """A range of one plant; from `seam` on somebody else knows it, None: nobody."""

    plant: PlantId
    start: datetime
    end: datetime
    seam: datetime | None
    today: date

    @property
    def until(self) -> datetime:
        """Where the part of the recordings ends."""
        return self.end if self.seam is None else min(self.end, self.seam)


@dataclass(frozen=True, slots=True)
class _Part:
    """A day, until when its last row holds, and the gaps it has, that after its end included."""

    date: date
    day: Day
    ends_us: int | None
    gaps_us: tuple[int, ...]


def survey(days: Days, question: Question, *, enough: int) -> tuple[int, int]:
    """How many rows and gaps the recordings have in the range.

    Args:
        enough: More rows than this need not be counted exactly.
    """
    start_us, end_us = us(question.start), us(question.until)
    parts = _parts(days, question, start_us, end_us)
    gaps = sum(start_us <= gap < end_us for part in parts for gap in part.gaps_us)
    rows, edges = 0, []
    for part in parts:
        first_us, last_us = days.range_us(part.date)
        if start_us <= first_us and last_us <= end_us:
            rows += part.day.about.rows
        else:
            edges.append(part)
    if rows <= enough:
        rows += _rows(days, question.plant, edges, start_us, end_us).height
    return rows, gaps


def buckets(days: Days, question: Question, grid: Grid) -> pl.DataFrame:
    """The recordings of the range on this grid, as `hil.history.stretch.shown`."""
    start_us, end_us = grid.whole(us(question.start), us(question.end))
    if question.seam is not None:
        end_us = min(end_us, us(question.seam))
    parts = _parts(days, question, start_us, end_us)
    # Those asked for, which were counted; cells at the edges are not cut beyond them.
    first_us, last_us = us(question.start), us(question.until)
    gaps_us = sorted(gap for part in parts for gap in part.gaps_us if first_us <= gap < last_us)
    level = next((s for s in reversed(LEVELS_S) if grid.width_s and not grid.width_s % s), None)
    if level is None:
        rows = _rows(days, question.plant, parts, start_us, end_us)
        found = stretches(rows, gaps_us, grid) if grid.width_s else alone(rows)
        return shown(found, gaps_us, grid)
    frames = [days.level(question.plant, part.date, part.day, level) for part in parts]
    if not frames:
        return shown(stretches(_tails([]), gaps_us, grid), gaps_us, grid)
    frames.append(stretches(_tails(parts), gaps_us, Grid(level)))
    found = pl.concat(frames, how="diagonal_relaxed")
    is_inside = pl.col(AT).is_between(start_us, end_us, closed="left")
    found = found.filter(is_inside).sort(AT, maintain_order=True)
    return shown(merged(found, gaps_us, grid), gaps_us, grid)


def columns(frame: pl.DataFrame, names: Sequence[str], more: dict[str, Any] | None) -> Any:
    """The frame of buckets in the shape of `Buckets`, followed by more of the same shape."""
    found = [name.removesuffix(".min") for name in frame.columns if name.endswith(".min")]
    times: list[Any] = (
        pl.select(pl.from_epoch(frame[AT], time_unit="us").dt.replace_time_zone("UTC"))
        .to_series()
        .to_list()
    )
    unknown: list[Any] = [None] * frame.height
    later: list[Any] = more["time"] if more else []
    none: list[Any] = [None] * len(later)
    signals = {}
    for name in dict.fromkeys([*names, *found]):
        own = more["signals"].get(name, {}) if more else {}
        signals[name] = {
            what: (frame[f"{name}.{what}"].to_list() if name in found else unknown)
            + own.get(what, none)
            for what in ("min", "max", "mean", "last")
        }
    return {"time": times + later, "signals": signals}


def _parts(days: Days, question: Question, start_us: int, end_us: int) -> list[_Part]:
    """The days that the instants touch, each stitched to the next one there is."""
    found: list[tuple[date, Day]] = []
    for day in days.within(question.plant, instant(start_us), instant(end_us)):
        until_us = min(end_us, days.range_us(day)[1])
        one = days.day(question.plant, day, today=question.today, until_us=until_us)
        if one is not None and one.about.first_us is not None:
            found.append((day, one))
    parts = [
        _stitched(days, each, following, question)
        for each, following in zip_longest(found, found[1:])
    ]
    hold_us = days.hold_us
    return [
        part
        for part in parts
        if days.range_us(part.date)[0] < end_us and start_us < days.range_us(part.date)[1] + hold_us
    ]


def _stitched(
    days: Days, each: tuple[date, Day], following: tuple[date, Day] | None, question: Question
) -> _Part:
    day, one = each
    about = one.about
    gaps_us = about.gaps_us
    if not about.is_open or about.last_us is None:
        return _Part(day, one, None, gaps_us)
    next_us = None if question.seam is None else us(question.seam)
    is_boundary = False
    if following is not None and following[1].about.first_us is not None:
        next_us = following[1].about.first_us
        is_boundary = following[1].about.opens_with_boundary
    if next_us is None or next_us <= about.last_us:
        return _Part(day, one, None, gaps_us)
    ends_us = min(next_us, about.last_us + days.hold_us)
    if ends_us < next_us or is_boundary:
        gaps_us = (*gaps_us, ends_us)
    return _Part(day, one, ends_us, gaps_us)


def _rows(
    days: Days, plant: PlantId, parts: Sequence[_Part], start_us: int, end_us: int
) -> pl.DataFrame:
    """The rows of the range and what holds on into it, cut where it begins and ends."""
    frames = []
    for part in parts:
        rows = days.rows(plant, part.date, part.day)
        if part.ends_us is not None:
            last = pl.col(AT).is_last_distinct() & (pl.col(AT) == part.day.about.last_us)
            rows = rows.with_columns(
                pl.when(last).then(pl.lit(part.ends_us)).otherwise(pl.col(END)).alias(END)
            )
        is_inside = pl.col(AT).is_between(start_us, end_us, closed="left")
        holds_on = (pl.col(AT) < start_us) & (pl.col(END) > start_us)
        rows = rows.filter(is_inside | holds_on)
        frames.append(
            rows.with_columns(
                pl.max_horizontal(AT, pl.lit(start_us)).alias(AT),
                pl.min_horizontal(END, pl.lit(end_us)).alias(END),
            )
        )
    if not frames:
        return pl.DataFrame(schema={AT: pl.Int64, END: pl.Int64})
    return pl.concat(frames, how="diagonal_relaxed")


def _tails(parts: Sequence[_Part]) -> pl.DataFrame:
    """The last row of each day, as long as it holds after it."""
    abouts = [(part.day.about, part.ends_us) for part in parts if part.ends_us is not None]
    signals = dict.fromkeys(name for about, _ in abouts for name in about.signals)
    last = [dict(zip(about.signals, about.last, strict=True)) for about, _ in abouts]
    return pl.DataFrame(
        {
            AT: [about.last_us for about, _ in abouts],
            END: [ends_us for _, ends_us in abouts],
            **{name: [values.get(name) for values in last] for name in signals},
        },
        schema={AT: pl.Int64, END: pl.Int64, **dict.fromkeys(signals, pl.Float64)},
    )
