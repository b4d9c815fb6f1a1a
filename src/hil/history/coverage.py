"""What each recording covers: the list of the timeline."""

from datetime import date
from pathlib import Path
from typing import Any

from hil.domain.downsample import instant
from hil.domain.plant import PlantId
from hil.history.days import Days, Later

# A list is wanted at once; what is not sealed yet is shown with what its name says.
READS_MAX = 10


def coverage(
    days: Days, plant: PlantId | None, first: date | None, last: date | None, *, today: date
) -> list[dict[str, Any]]:
    """Every file of a plant (None: of all) and of the days `[first, last]`, the newest first.

    Files of days that were not looked at yet, and are too many to be looked at now, have null in
    what only their rows say. Several files of one day have what they cover together.
    """
    days.allow(READS_MAX)
    found = []
    for owner, by_day in days.files().items():
        if plant is None or owner == plant:
            found += [
                (day, owner, paths)
                for day, paths in by_day.items()
                if (first is None or first <= day) and (last is None or day <= last)
            ]
    found.sort(key=lambda each: each[:2], reverse=True)
    return [
        entry
        for day, owner, paths in found
        for entry in _entries(days, owner, day, paths, today=today)
    ]


def _entries(
    days: Days, plant: PlantId, day: date, paths: list[Path], *, today: date
) -> list[dict[str, Any]]:
    covered: dict[str, Any] = dict.fromkeys(("rows", "first", "last", "sessions", "spans"))
    try:
        one = days.day(plant, day, today=today)
    except (Later, OSError):
        one = None
    if one is not None:
        spans = [[instant(at_us) for at_us in span] for span in one.about.spans]
        covered = {
            "rows": one.about.rows,
            "first": spans[0][0] if spans else None,
            "last": spans[-1][1] if spans else None,
            "sessions": one.about.sessions,
            "spans": spans,
        }
    entries: list[dict[str, Any]] = []
    for path in paths:
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        entries.append({"name": path.name, "plant": plant, "day": day, "bytes": size, **covered})
    return entries
