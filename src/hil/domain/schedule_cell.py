"""The cells of a schedule file: numbers and times, refused when they can be read in two ways."""

import math
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hil.domain.errors import InvalidInput
from hil.domain.site_day import resolve_local

# Outside these years a date is a slip of the pen, and time zones would leave the calendar.
FIRST_YEAR, LAST_YEAR = 1970, 2199
# Of a wrong cell this much is shown, so that a message stays a line.
SHOWN_CHARACTERS = 40

_NUMBER = re.compile(r"[+-]?(?:[0-9]+([.,])?[0-9]*|([.,])[0-9]+)(?:[eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:[.,'’\s][0-9]{3})+(?:[.,][0-9]*)?")
_CLOCK = r"(?P<clock>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)"
_OFFSET = r"\s?(?P<offset>Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
_ISO = re.compile(r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]" + _CLOCK + _OFFSET)
_YEAR_LAST = re.compile(
    r"(?P<first>[0-9]{1,2})(?P<mark>[/.-])(?P<second>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4})[T ]"
    + _CLOCK
    + _OFFSET
)


class CellError(Exception):
    """Why a cell cannot be read; the text goes into the problem of its row."""


class NumberCells:
    """Reads the numbers of one file, in which the decimal mark must be the same throughout.

    Args:
        comma_is_free: The separator is not the comma, which may then be the decimal mark.
    """

    def __init__(self, *, comma_is_free: bool) -> None:
        self._comma_is_free = comma_is_free
        self._mark = ""
        self._mark_line = 0

    def value(self, cell: str, *, line: int) -> float:
        """The number in a cell of that line; never -0.0, NaN or infinite. Raises `CellError`."""
        text = cell.replace("\N{MINUS SIGN}", "-")
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise CellError(_why_no_number(cell))
        mark = match[1] or match[2] or ""
        if mark:
            self._check(mark, cell, line)
        number = float(text.replace(",", "."))
        if not math.isfinite(number):
            raise CellError(f"{_shown(cell)} is not a finite number")
        return number + 0.0

    def _check(self, mark: str, cell: str, line: int) -> None:
        if mark == "," and not self._comma_is_free:
            raise CellError(
                f"{_shown(cell)} has a comma, which separates the cells of this file; write a point"
            )
        if not self._mark:
            self._mark, self._mark_line = mark, line
        elif mark != self._mark:
            raise CellError(
                f"{_shown(cell)} has the decimal mark {mark!r}, line {self._mark_line} has"
                f" {self._mark!r}; use one in the whole file, and none between thousands"
            )


class TimeCells:
    """Reads the times of one file: with an offset as they stand, without one as site time.

    Dates that start with day or month must do so in one order throughout the file.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._order = ""
        self._order_line = 0

    def value(self, cell: str, *, line: int) -> datetime:
        """The aware UTC instant in a cell of that line; raises `CellError`."""
        iso, order = _iso(cell)
        if order and order != self._order:
            if self._order:
                raise CellError(
                    f"{_shown(cell)} has the {order} first, line {self._order_line} has the"
                    f" {self._order} first; write dates such as 2026-10-25"
                )
            self._order, self._order_line = order, line
        try:
            at = datetime.fromisoformat(iso)
        except ValueError as error:
            raise CellError(f"{_shown(cell)} is not a time: {error}") from None
        if not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise CellError(f"{_shown(cell)} is not between {FIRST_YEAR} and {LAST_YEAR}")
        if at.tzinfo is not None:
            return at.astimezone(UTC)
        try:
            return resolve_local(at, self._zone)
        except InvalidInput as error:
            raise CellError(str(error)) from None


def _iso(cell: str) -> tuple[str, str]:
    """The cell as an ISO time, and what its date starts with when it shows: day, month or ""."""
    match = _ISO.fullmatch(cell)
    if match is not None:
        return f"{match['date']}T{_clock(match)}", ""
    match = _YEAR_LAST.fullmatch(cell)
    if match is None:
        raise CellError(
            f"{_shown(cell)} is not a time such as 2026-10-25T14:30:00+01:00"
            if cell
            else "is empty"
        )
    first, second, year = int(match["first"]), int(match["second"]), match["year"]
    day_first = f"{year}-{second:02d}-{first:02d}"
    month_first = f"{year}-{first:02d}-{second:02d}"
    if first <= 12 and second <= 12 and first != second:
        raise CellError(f"{_shown(cell)} may be {day_first} or {month_first}; write which")
    if second > 12:
        return f"{month_first}T{_clock(match)}", "month"
    return f"{day_first}T{_clock(match)}", "day" if first > 12 else ""


def _clock(match: re.Match[str]) -> str:
    clock = match["clock"] if match["clock"][1] != ":" else "0" + match["clock"]
    return clock + (match["offset"] or "").upper()


def _why_no_number(cell: str) -> str:
    if not cell:
        return "is empty; write 0 for a setpoint of zero"
    if _GROUPED.fullmatch(cell):
        return f"{_shown(cell)} has thousands separators; write the digits without them"
    if cell.lstrip("+-").casefold() in {"nan", "inf", "infinity"}:
        return f"{_shown(cell)} is not a finite number"
    return f"{_shown(cell)} is not a number"


def _shown(cell: str) -> str:
    short = cell if len(cell) <= SHOWN_CHARACTERS else cell[: SHOWN_CHARACTERS - 1] + "…"
    return repr(short)
