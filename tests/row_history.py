"""What a history must answer, computed from the rows one by one and as slowly as that is."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from hil.domain.downsample import EPOCH, Buckets, Grid, SignalBuckets, grid_of

HOLD = timedelta(seconds=900)
Values = tuple[float | None, ...]


class Item(NamedTuple):
    """A row, or with no values a boundary."""

    at: datetime
    values: Values | None


class _Held(NamedTuple):
    start: datetime
    end: datetime
    values: Values
    is_first: bool  # the row itself, no later part of the time it holds


def answer_of_rows(
    items: Sequence[Item],
    names: Sequence[str],
    start: datetime,
    end: datetime,
    *,
    points: int,
) -> Buckets:
    """The buckets of `[start, end)`; the last row holds for no time."""
    held, gaps = _held(items, len(names))
    within = [gap for gap in gaps if start <= gap < end]
    rows = [one for one in held if start <= one.start < end or one.start < start < one.end]
    grid = grid_of(start, end, points=points, rows=len(rows), gaps=len(within))
    if not grid.width_s:
        marks = [(max(one.start, start), [one]) for one in rows]
        marks += [(gap, []) for gap in within]
        return _buckets(marks, names, grid)
    width = timedelta(seconds=grid.width_s)
    anchor = EPOCH + timedelta(seconds=grid.anchor_s)
    marks = []
    cell = anchor + (start - anchor) // width * width
    while cell < end:
        marks += _cell(cell, cell + width, held, within, is_cut=grid.is_cut)
        cell += width
    return _buckets(marks, names, grid)


def _held(items: Sequence[Item], width: int) -> tuple[list[_Held], list[datetime]]:
    """For how long each row holds, and when nothing is known any more."""
    held: list[_Held] = []
    gaps: list[datetime] = []
    is_known = False
    for k, (at, values) in enumerate(items):
        known = values is not None and any(value is not None for value in values)
        if not known or values is None:
            if is_known and not any(i.at == at for i in items[k + 1 :] if i.values):
                gaps.append(at)
            is_known = False
            continue
        following = items[k + 1].at if k + 1 < len(items) else at
        full = (*values, *(None,) * width)[:width]
        held.append(_Held(at, min(following, at + HOLD), full, is_first=True))
        is_known = True
        if following > at + HOLD:
            gaps.append(at + HOLD)
            is_known = False
    return held, sorted(set(gaps))


def _cell(
    begin: datetime,
    end: datetime,
    held: Sequence[_Held],
    gaps: Sequence[datetime],
    *,
    is_cut: bool,
) -> list[tuple[datetime, list[_Held]]]:
    parts = []
    for one in held:
        if begin <= one.start < end:
            parts.append(one._replace(end=min(one.end, end)))
        elif one.start < begin < one.end:
            parts.append(_Held(begin, min(one.end, end), one.values, is_first=False))
    inside = [gap for gap in gaps if begin <= gap < end]
    if not is_cut:
        inside = inside[:1]
        groups = [parts]
    else:
        edges = [begin, *inside, end]
        groups = [
            [part for part in parts if low <= part.start < high] for low, high in pairwise(edges)
        ]
    marks = [(group[0].start, group) for group in groups if group]
    return marks + [(gap, []) for gap in inside]


def _buckets(
    marks: list[tuple[datetime, list[_Held]]], names: Sequence[str], grid: Grid
) -> Buckets:
    marks.sort(key=lambda mark: mark[0])
    signals = {}
    for place, name in enumerate(names):
        shown = SignalBuckets(min=[], max=[], mean=[], last=[])
        for _, group in marks:
            _add(shown, [(one.values[place], one.end - one.start) for one in group])
        signals[name] = shown
    return Buckets(time=[at for at, _ in marks], level_s=float(grid.width_s), signals=signals)


def _add(shown: SignalBuckets, parts: list[tuple[float | None, timedelta]]) -> None:
    known = [(value, held.total_seconds()) for value, held in parts if value is not None]
    low = min((value for value, _ in known), default=None)
    high = max((value for value, _ in known), default=None)
    weight = sum(held for _, held in known)
    mean = None
    if low is not None and high is not None:
        mean = sum(v * w for v, w in known) / weight if weight else (low + high) / 2
    shown.min.append(low)
    shown.max.append(high)
    shown.mean.append(mean)
    shown.last.append(parts[-1][0] if parts else None)
