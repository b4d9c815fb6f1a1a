"""Schedule files: both CSV forms into a schedule, or every wrong row by line and column."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from hil.domain.errors import InvalidInput, Problem
from hil.domain.schedule import MAX_POWER, Schedule, Series, Signal
from hil.domain.schedule_cell import CellError, NumberCells, TimeCells

# Enough for MAX_ROWS with every cell written out; more is not a schedule.
MAX_BYTES = 8 * 1024 * 1024
# A site day of 25 hours at 1 s, and some; each row is kept in memory and in the state database.
MAX_ROWS = 100_000
# An offset of more than a year is a slip of the pen, and would run into the calendar's end.
MAX_OFFSET = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleUpdate:
    """What a file says; a signal that it does not speak of is None and keeps its points.

    `is_relative`: the file counts from a start, and sets the signal that is given beside it.
    """

    p: Series | None = None
    q: Series | None = None
    is_relative: bool = False

    def applied_to(self, schedule: Schedule) -> Schedule:
        """The schedule with the signals of this file in place of its own."""
        return Schedule(
            p=schedule.p if self.p is None else self.p, q=schedule.q if self.q is None else self.q
        )


class _Column(StrEnum):
    TIME = "time"
    P = "p_kw"
    Q = "q_kvar"
    HOURS = "hours"
    MINUTES = "minutes"
    SECONDS = "seconds"
    SETPOINT = "setpoint"


_SPELLINGS = {
    **{column.value: column for column in _Column},
    "datetime": _Column.TIME,
    "power_setpoint_kw": _Column.P,
    "reactive_power_setpoint_kvar": _Column.Q,
}
_HOURS_FORM = frozenset({_Column.HOURS, _Column.MINUTES, _Column.SECONDS, _Column.SETPOINT})
_FORMS = "`time,p_kw[,q_kvar]` or `hours,minutes,seconds,setpoint`"
_END = "end"


@dataclass(frozen=True, slots=True)
class _Line:
    """One line with content: its number in the file and its cells, stripped."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """The header's columns by meaning (their place and the file's spelling) and the rows.

    `problems` are the rows that could not be split into cells.
    """

    columns: Mapping[_Column, tuple[int, str]]
    width: int
    separator: str
    rows: Sequence[_Line]
    problems: tuple[Problem, ...]

    def name(self, column: _Column) -> str:
        return f"column {self.columns[column][1]}"


@dataclass(frozen=True, slots=True)
class _Row:
    """One row whose time is known; None in `values` is the end, or what could not be read."""

    line: int
    at: datetime
    values: tuple[float | None, ...]
    is_end: bool = False


def parse_schedule_csv(
    data: bytes, *, zone: ZoneInfo, start: datetime | None = None, signal: Signal = Signal.P
) -> ScheduleUpdate:
    """The schedule in a file, rows in the order of time, each exactly where the file puts it.

    Args:
        data: The file: UTF-8 with or without BOM; `,` `;` or tab; decimal comma where the
            separator allows; CRLF or LF; any order of columns and rows.
        zone: The site's time zone, for times without an offset. One that the clocks skip or show
            twice is refused; there is no guess by position.
        start: Aware instant from which the hours form counts; the other form does not look at it.
        signal: The signal that the hours form sets; the other form does not look at it.

    Raises:
        InvalidInput: Something is wrong. `problems` names every bad row; nothing is taken.
    """
    assert start is None or start.tzinfo is not None, start
    table = _table(_lines(_text(data)))
    problems = list(table.problems)
    if _Column.TIME in table.columns:
        rows = _time_rows(table, zone, problems)
    elif start is None:
        raise InvalidInput(
            "the file counts hours, minutes and seconds from a start: give the start as well"
        )
    else:
        rows = _hours_rows(table, start.astimezone(UTC), problems)
    rows.sort(key=lambda row: (row.at, row.line))
    problems += _order_problems(table, rows)
    if problems:
        problems.sort(key=lambda problem: problem.line or 0)
        wrong = len({problem.line for problem in problems})
        total = len(table.rows) + len(table.problems)
        raise InvalidInput(
            f"{wrong} of {total} rows {'is' if wrong == 1 else 'are'} wrong",
            problems,
        )
    return _update(table, rows, signal)


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"the file has {len(data)} bytes, at most {MAX_BYTES} are read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(
            "the file is not UTF-8 text: save it as CSV UTF-8",
            [Problem(where="row", why=f"byte 0x{data[error.start]:02x}", line=line)],
        ) from None


def _lines(text: str) -> list[tuple[int, str]]:
    """Lines with content, numbered from 1 as an editor does."""
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if not line.isspace():
            lines.append((number, line.rstrip("\n")))
        if len(lines) > MAX_ROWS + 1:
            raise InvalidInput(f"the file has more than {MAX_ROWS} rows")
    return lines


def _table(lines: list[tuple[int, str]]) -> _Table:
    if not lines:
        raise InvalidInput(f"the file is empty: it needs a header, {_FORMS}, and rows below")
    number, head = lines[0]
    separator = next((mark for mark in ("\t", ";", ",") if mark in head), ",")
    names = _cells(number, head, separator)
    if isinstance(names, Problem):
        raise InvalidInput("the header cannot be split into columns", [names])
    width = max((place for place, name in enumerate(names, start=1) if name), default=0)
    columns = _columns(number, names[:width])
    rows: list[_Line] = []
    problems: list[Problem] = []
    for number, line in lines[1:]:
        cells = _cells(number, line, separator)
        if isinstance(cells, Problem):
            problems.append(cells)
        else:
            rows.append(_Line(number, cells))
    while rows and not any(rows[-1].cells):
        rows.pop()  # a spreadsheet writes its empty rows as separators
    if not rows and not problems:
        raise InvalidInput("the file has a header and no rows below it")
    return _Table(columns, width, separator, rows, tuple(problems))


def _cells(number: int, line: str, separator: str) -> tuple[str, ...] | Problem:
    if '"' not in line:
        return tuple(cell.strip() for cell in line.split(separator))
    try:
        (cells,) = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
    except csv.Error as error:
        why = f"its quotes do not match ({error}); a cell must end on its line"
        return Problem(where="row", why=why, line=number)
    return tuple(cell.strip() for cell in cells)


def _columns(number: int, names: Sequence[str]) -> dict[_Column, tuple[int, str]]:
    """The columns by meaning; each must be known, once, and all of one form."""
    found: dict[_Column, tuple[int, str]] = {}
    problems: list[Problem] = []

    def wrong(name: str, why: str) -> None:
        problems.append(Problem(where=f"column {name or '(empty)'}", why=why, line=number))

    for place, name in enumerate(names):
        column = _SPELLINGS.get(name.casefold())
        if column is None:
            near = get_close_matches(name.casefold(), _SPELLINGS, n=1)
            wrong(name, f"is not known; did you mean {near[0]}?" if near else "is not known")
        elif column in found:
            wrong(name, f"says the same as column {found[column][1]}")
        else:
            found[column] = (place, name)
    hours = found.keys() & _HOURS_FORM
    times = found.keys() - _HOURS_FORM
    if hours and times:
        mixed = ", ".join(found[column][1] for column in sorted(hours))
        problems.append(
            Problem(where=f"column {mixed}", why="belongs to the other form", line=number)
        )
    else:
        wanted = _HOURS_FORM if hours else {_Column.TIME} if _Column.Q in times else _TIME_MINIMUM
        for column in sorted(wanted - found.keys()):
            wrong(column.value, "is missing")
    if problems:
        raise InvalidInput(f"the header is wrong, it must be {_FORMS}", problems)
    return found


_TIME_MINIMUM = frozenset({_Column.TIME, _Column.P})


class _Reader:
    """Reads the cells of one row after the other and notes what is wrong with them."""

    def __init__(self, table: _Table, problems: list[Problem]) -> None:
        self._table = table
        self._problems = problems
        self._numbers = NumberCells(comma_is_free=table.separator != ",")

    def fits(self, row: _Line) -> bool:
        """Whether the row has no more cells than the header has columns."""
        spare = row.cells[self._table.width :]
        if not any(spare):
            return True
        why = f"{len(row.cells)} cells, but the header names {self._table.width} columns"
        if self._table.separator == ",":
            why += "; a decimal comma needs ; or a tab between the cells"
        self._problems.append(Problem(where="row", why=why, line=row.number))
        return False

    def cell(self, row: _Line, column: _Column) -> str:
        """The text of a cell; empty where the row is too short."""
        place = self._table.columns[column][0]
        return row.cells[place] if place < len(row.cells) else ""

    def number(self, row: _Line, column: _Column) -> float | None:
        """The number in a cell; None after noting what is wrong."""
        try:
            return self._numbers.value(self.cell(row, column), line=row.number)
        except CellError as error:
            self.wrong(row, column, str(error))
            return None

    def power(self, row: _Line, column: _Column) -> float | None:
        """The kW or kvar in a cell; None after noting what is wrong."""
        number = self.number(row, column)
        if number is None or abs(number) <= MAX_POWER:
            return number
        self.wrong(row, column, f"{number:.10g} is not from {-MAX_POWER:.0f} to {MAX_POWER:.0f}")
        return None

    def wrong(self, row: _Line, column: _Column, why: str) -> None:
        self._problems.append(Problem(where=self._table.name(column), why=why, line=row.number))


def _time_rows(table: _Table, zone: ZoneInfo, problems: list[Problem]) -> list[_Row]:
    reader = _Reader(table, problems)
    times = TimeCells(zone)
    signals = [column for column in (_Column.P, _Column.Q) if column in table.columns]
    rows: list[_Row] = []
    for row in table.rows:
        if not reader.fits(row):
            continue
        at: datetime | None = None
        try:
            at = times.value(reader.cell(row, _Column.TIME), line=row.number)
        except CellError as error:
            reader.wrong(row, _Column.TIME, str(error))
        values = tuple([reader.power(row, column) for column in signals])
        if at is not None:
            rows.append(_Row(row.number, at, values))
    return rows


def _hours_rows(table: _Table, start: datetime, problems: list[Problem]) -> list[_Row]:
    reader = _Reader(table, problems)
    rows: list[_Row] = []
    for row in table.rows:
        if not reader.fits(row):
            continue
        offsets = [_offset(reader, row, column) for column in _UNITS]
        is_end = reader.cell(row, _Column.SETPOINT).casefold() == _END
        value = None if is_end else reader.power(row, _Column.SETPOINT)
        known = [offset for offset in offsets if offset is not None]
        if len(known) == len(offsets):
            rows.append(_Row(row.number, start + sum(known, timedelta()), (value,), is_end))
    return rows


_UNITS = {
    _Column.HOURS: timedelta(hours=1),
    _Column.MINUTES: timedelta(minutes=1),
    _Column.SECONDS: timedelta(seconds=1),
}


def _offset(reader: _Reader, row: _Line, column: _Column) -> timedelta | None:
    number = reader.number(row, column)
    if number is None:
        return None
    most = MAX_OFFSET / _UNITS[column]
    if not 0 <= number <= most:
        reader.wrong(row, column, f"{number:g} is not from 0 to {most:.0f}")
        return None
    return number * _UNITS[column]


def _order_problems(table: _Table, rows: list[_Row]) -> list[Problem]:
    """Rows of the same instant, and an end that is not the last or ends nothing."""
    is_hours = _Column.SETPOINT in table.columns
    time_columns = tuple(_UNITS) if is_hours else (_Column.TIME,)
    where = "column " + ", ".join(table.columns[column][1] for column in time_columns)
    problems = [
        Problem(where=where, why=f"the same instant as line {first.line}", line=second.line)
        for first, second in pairwise(rows)
        if first.at == second.at
    ]
    for row in rows:
        if row.is_end and row is not rows[-1]:
            why = f"the end, but line {rows[-1].line} is later; only the last row may be the end"
        elif row.is_end and len(table.rows) == 1:
            why = "the end of a schedule that has no setpoint"
        else:
            continue
        problems.append(Problem(where=table.name(_Column.SETPOINT), why=why, line=row.line))
    return problems


def _update(table: _Table, rows: list[_Row], signal: Signal) -> ScheduleUpdate:
    times = tuple(row.at for row in rows)
    series = [Series(times, values) for values in zip(*(row.values for row in rows), strict=True)]
    if _Column.SETPOINT in table.columns:
        (only,) = series
        if signal is Signal.P:
            return ScheduleUpdate(p=only, is_relative=True)
        return ScheduleUpdate(q=only, is_relative=True)
    names = [column for column in (_Column.P, _Column.Q) if column in table.columns]
    by_column = dict(zip(names, series, strict=True))
    return ScheduleUpdate(p=by_column.get(_Column.P), q=by_column.get(_Column.Q))
