"""One daily recording as columns, ours or the predecessor's, whatever state it is in."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hil.domain.recording_file import DECIMALS, TIMESTAMP, VOLTAGE_PU
from hil.domain.signals import COLUMNS

if TYPE_CHECKING:
    import polars as pl

TIME = "time"
V_POI = "v_poi_kV"

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.f%#z"
_NUMBER = rb"(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[nN]a[nN])?"


@dataclass(frozen=True, slots=True)
class DayRows:
    """The rows of a file in the order of time.

    `frame` has `time` (UTC, microseconds), the standard signals and then the file's extra ones,
    all Float64; null is not known, a row that is null in all signals is a boundary. `left_out`
    counts the lines that are no rows: cut off, damaged, or of another width.
    """

    frame: "pl.DataFrame"
    left_out: int


def read_day(path: Path, *, v_nominal_kv: float | None) -> DayRows:
    """The rows of one daily file; raises OSError where it cannot be read.

    Args:
        v_nominal_kv: What a voltage in per unit is multiplied with; None leaves it unknown.
    """
    return rows_of(path.read_bytes(), v_nominal_kv=v_nominal_kv)


def rows_of(data: bytes, *, v_nominal_kv: float | None) -> DayRows:
    """The same as `read_day`, of a file's content."""
    # Only who reads recordings pays for it: a quarter of a second and 60 MB.
    import polars as pl  # noqa: PLC0415 - see above

    header, body, left_out = _split(data)
    signals = list(dict.fromkeys([*COLUMNS, *header[1:]]))
    try:
        frame = _parsed(body, header)
    except pl.exceptions.ComputeError:
        lines = body.count(b"\n")
        body = _good_lines(body, len(header))
        left_out += lines - body.count(b"\n")
        frame = _parsed(body, header)
    count = frame.height
    frame = frame.with_columns(
        pl.col(TIME).str.to_datetime(TIME_FORMAT, time_unit="us", strict=False),
        *(pl.lit(None, pl.Float64).alias(name) for name in signals if name not in frame.columns),
    ).drop_nulls(TIME)
    left_out += count - frame.height
    if VOLTAGE_PU in signals:
        signals.remove(VOLTAGE_PU)
        if V_POI not in header:
            kilovolts = pl.col(VOLTAGE_PU) * pl.lit(v_nominal_kv, pl.Float64)
            frame = frame.with_columns(kilovolts.alias(V_POI))
    numbers = pl.col(signals)
    frame = frame.select(
        TIME, pl.when(numbers.is_finite()).then(numbers.round(DECIMALS) + 0.0).name.keep()
    )
    if not frame[TIME].is_sorted():
        frame = frame.sort(TIME, maintain_order=True)
    return DayRows(frame, left_out)


def _parsed(body: bytes, header: list[str]) -> "pl.DataFrame":
    """The lines as text and numbers; raises ComputeError when one of them is no row."""
    import polars as pl  # noqa: PLC0415 - see above

    if not body:
        return pl.DataFrame(schema={TIME: pl.String})
    lines = body.split(b"\n")
    lines.pop()
    # The reader fills short lines up, and a NUL ends its number.
    commas = len(header) - 1
    if b"\0" in body or any(line.count(b",") != commas for line in lines):
        raise pl.exceptions.ComputeError("lines of different widths")
    return pl.read_csv(
        body,
        has_header=False,
        quote_char=None,
        schema={TIME: pl.String, **dict.fromkeys(header[1:], pl.Float64)},
    )


def _good_lines(body: bytes, columns: int) -> bytes:
    row = re.compile(rb"[0-9T:.Z+-]+(?:,%b){%d}\n" % (_NUMBER, columns - 1))
    return b"".join(filter(row.fullmatch, body.splitlines(keepends=True)))


def _split(data: bytes) -> tuple[list[str], bytes, int]:
    """The columns of a file, its whole lines, and how many lines are none."""
    first, newline, body = data.partition(b"\n")
    names = first.decode("utf-8-sig", errors="replace").strip().split(",")
    if not newline or names[0] != TIMESTAMP or len(set(names)) < len(names) or TIME in names:
        return [TIMESTAMP], b"", sum(map(bool, data.split(b"\n"))) - bool(first)
    whole = body.rfind(b"\n") + 1
    left_out = int(whole < len(body))
    # The predecessor's tools wrote a space before the time of the day.
    body = body[:whole].replace(b"\r\n", b"\n").replace(b" ", b"T")
    if b"\n\n" in body or body.startswith(b"\n"):
        body = b"".join(line + b"\n" for line in body.split(b"\n") if line)
    return names, body, left_out
