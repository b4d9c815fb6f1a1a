"""Which times a recording covers: its sessions, cut at boundaries and at gaps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hil.history.read import TIME

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Span:
    """Rows without a boundary or a gap between them; the instants of the first and the last."""

    start: datetime
    end: datetime
    rows: int

    @property
    def length(self) -> timedelta:
        """From the first row to the last."""
        return self.end - self.start


def spans_of(frame: "pl.DataFrame", *, max_gap_s: float) -> list[Span]:
    """The spans in the order of time.

    Args:
        frame: `time` and signals, as `read_day` gives them.
        max_gap_s: Longer without a row is a gap: compressed rows are never further apart.
    """
    import polars as pl  # noqa: PLC0415 - a quarter of a second, for who reads recordings alone

    is_boundary = pl.all_horizontal(pl.exclude(TIME).is_null())
    is_wide = pl.col(TIME).diff() > timedelta(seconds=max_gap_s)
    found = (
        frame.select(
            TIME,
            is_boundary.alias("boundary"),
            (is_boundary | is_wide.fill_null(value=False)).cum_sum().alias("span"),
        )
        .filter(~pl.col("boundary"))
        .group_by("span", maintain_order=True)
        .agg(pl.col(TIME).first().alias("start"), pl.col(TIME).last().alias("end"), pl.len())
    )
    return [Span(start, end, rows) for _, start, end, rows in found.iter_rows()]
