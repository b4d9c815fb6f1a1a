"""The site's calendar: what a day is, and how an instant is written in the site's time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hil.domain.errors import InvalidInput

_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_HALF_MS = timedelta(microseconds=500)


def site_day(at: datetime, zone: ZoneInfo) -> date:
    """The site day of an aware instant."""
    return at.astimezone(zone).date()


def day_name(day: date) -> str:
    """The day as daily files spell it: `YYYYMMDD`."""
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def day_range(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The UTC instants `[start, end)` of a site day, 23, 24 or 25 hours apart as a rule."""
    return _day_start(day, zone), _day_start(day + timedelta(days=1), zone)


def resolve_local(naive: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a site time without an offset.

    Raises:
        InvalidInput: The clocks skip that time or show it twice. `fold` is not looked at: only an
            offset tells the two apart.
    """
    assert naive.tzinfo is None, naive
    first, second = _both_folds(naive, zone)
    if first == second:
        return first
    spelled = naive.isoformat()
    if first > second:
        raise InvalidInput(
            f"{spelled} does not exist in {zone.key}, where the clocks skip it;"
            " write the time with its offset"
        )
    ways = " or ".join(at.astimezone(zone).isoformat() for at in (first, second))
    raise InvalidInput(f"{spelled} exists twice in {zone.key}; write {ways}")


def local_text(at: datetime, zone: ZoneInfo) -> str:
    """An aware instant in site time as ISO 8601 with offset, to the millisecond.

    Whole seconds have no fraction, others `.mmm`.
    """
    local = _to_ms(at).astimezone(zone)
    return local.isoformat(timespec="milliseconds" if local.microsecond else "seconds")


class LocalText:
    """`local_text` and `day_name` for long runs of instants: the offset is looked up once an hour.

    The offset of an hour is kept only when the hour starts and ends with the same one.
    """

    __slots__ = ("_end", "_offset", "_start", "_suffix", "_zone")

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._start = self._end = datetime.min.replace(tzinfo=UTC)
        self._offset = timedelta()
        self._suffix = ""

    def text(self, at: datetime) -> str:
        """The same as `local_text`, for an aware UTC instant."""
        if at.microsecond:
            at = _to_ms(at)
        if not self._start <= at < self._end and not self._remember(at):
            return local_text(at, self._zone)
        local = (at + self._offset).replace(tzinfo=None)
        # With no fraction `isoformat` prints none; a fraction of whole milliseconds needs cutting.
        return (local.isoformat()[:23] if local.microsecond else local.isoformat()) + self._suffix

    def day_name(self, at: datetime) -> str:
        """The `YYYYMMDD` of the site day of an aware UTC instant."""
        if not self._start <= at < self._end and not self._remember(at):
            return day_name(site_day(at, self._zone))
        return day_name((at + self._offset).date())

    def _remember(self, at: datetime) -> bool:
        start = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        first = start.astimezone(self._zone)
        last = (start + _HOUR - _SECOND).astimezone(self._zone)
        offset = first.utcoffset()
        if offset is None or offset != last.utcoffset():
            return False
        self._start, self._end, self._offset = start, start + _HOUR, offset
        self._suffix = first.isoformat()[len("YYYY-MM-DDTHH:MM:SS") :]
        return True


def _to_ms(at: datetime) -> datetime:
    """Rounded to the nearest millisecond, so that no float noise reaches the text."""
    rounded = at + _HALF_MS
    return rounded.replace(microsecond=rounded.microsecond // 1000 * 1000)


def _both_folds(naive: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return first, naive.replace(tzinfo=zone, fold=1).astimezone(UTC)


def _day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day: midnight, its first showing, or where the clocks skip it to."""
    first, second = _both_folds(datetime.combine(day, time()), zone)
    if first <= second:
        return first
    # In a gap the two folds enclose the change of the clocks; some zones change before midnight.
    early, late = second, first
    before = early.astimezone(zone).utcoffset()
    while late - early > _SECOND:
        middle = early + (late - early) // 2 // _SECOND * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late
