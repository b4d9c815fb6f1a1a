"""A whole recording as lines beside its columns: row k of the columns is line k of the file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hil.domain.errors import HilError
from hil.domain.recording_file import DECIMALS, TIMESTAMP
from hil.history.read import TIME, TIME_FORMAT

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class RecordingLines:
    """A file without damage.

    `head` is the line of the columns, `lines` are the rows as they stand, each with its newline.
    `frame` has `time` (UTC, microseconds) and the signals by the names of the file, Float64, null
    where not known; it has the order of the lines, which is that of time. Blank lines are left out.
    """

    head: bytes
    lines: list[bytes]
    frame: "pl.DataFrame"

    @property
    def signals(self) -> list[str]:
        """The columns after the time."""
        return self.frame.columns[1:]


def split_lines(data: bytes) -> RecordingLines:
    """The lines and columns of a file's content; raises HilError for what is not whole."""
    import polars as pl  # noqa: PLC0415 - a quarter of a second, for who reads recordings alone

    head, newline, rest = data.partition(b"\n")
    names = head.decode("utf-8-sig", errors="replace").strip().split(",")
    if not newline or names[0] != TIMESTAMP or len(set(names)) < len(names):
        raise HilError("its first line does not name the columns of a recording")
    if rest and not rest.endswith(b"\n"):
        raise HilError("its last line is cut off")
    lines = [line + b"\n" for line in rest.split(b"\n")[:-1]]
    if b"\n\n" in data or b"\n\r" in data:
        lines = [line for line in lines if line.strip()]
        rest = b"".join(lines)
    commas = len(names) - 1
    for number, line in enumerate(lines, 2):
        if line.count(b",") != commas:
            raise HilError(f"row {number - 1} has {line.count(b',') + 1} cells, not {commas + 1}")
    if b"\0" in rest:
        raise HilError("it has NUL bytes")
    body = rest.replace(b"\r\n", b"\n").replace(b" ", b"T")
    frame = _frame(body, names)
    if frame.height != len(lines):
        raise HilError("it has lines that are no rows")
    if frame[TIME].null_count():
        raise HilError(f"row {(frame[TIME].is_null().arg_max() or 0) + 1} has no time")
    if not frame[TIME].is_sorted():
        raise HilError("its rows are not in the order of time")
    numbers = pl.col(names[1:])
    frame = frame.with_columns(
        pl.when(numbers.is_finite()).then(numbers.round(DECIMALS) + 0.0).name.keep()
    )
    return RecordingLines(head + newline, lines, frame)


def _frame(body: bytes, names: list[str]) -> "pl.DataFrame":
    import polars as pl  # noqa: PLC0415 - see above

    schema = {TIME: pl.String, **dict.fromkeys(names[1:], pl.Float64)}
    if not body.strip():
        return pl.DataFrame(schema={**schema, TIME: pl.Datetime("us", "UTC")})
    try:
        frame = pl.read_csv(body, has_header=False, quote_char=None, schema=schema)
    except pl.exceptions.PolarsError as error:
        raise HilError("a cell is not a number") from error
    return frame.with_columns(
        pl.col(TIME).str.to_datetime(TIME_FORMAT, time_unit="us", strict=False)
    )
