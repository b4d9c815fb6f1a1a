"""Durations and times as people type them."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from hil.domain.errors import InvalidInput
from hil.domain.site_day import resolve_local

# An override is for hours; a week is a slip of the pen or a schedule.
LONGEST = timedelta(days=7)

_UNITS = {"h": 3600.0, "min": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<min>\d+(?:\.\d+)?)min)?(?:(?P<s>\d+)s)?")


class DurationType(click.ParamType[timedelta]):
    """A duration such as 90s, 10min, 2h or 1h30min; longer than 0, at most a week."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        text = str(value)
        found = _DURATION.fullmatch(text.replace(" ", "").casefold())
        if not text or found is None:
            self.fail(f"{text!r} is no duration; write it as 90s, 10min, 2h or 1h30min", param, ctx)
        seconds = sum(
            factor * min(float(found[unit]), LONGEST.total_seconds() + 1)
            for unit, factor in _UNITS.items()
            if found[unit]
        )
        if not 0 < seconds <= LONGEST.total_seconds():
            self.fail(f"{text!r} is not longer than 0 and at most {LONGEST.days} days", param, ctx)
        return timedelta(seconds=seconds)


def parse_instant(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The UTC instant of an ISO time: `now`, with an offset, or site time without one.

    Raises:
        InvalidInput: It is no time, or one that the site's clocks skip or show twice.
    """
    if text == "now":
        return now
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else resolve_local(at, zone)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text!r} is no time; write now, 2026-05-04T10:00 in site time or with an offset"
        ) from None
