"""Rows as stretches of time with what was known in them: the arithmetic of the history.

Frames of rows have `at`, `end` (microseconds since the epoch, until when the row holds) and the
signals. Frames of stretches have `at` and five columns a signal, as `hil.domain.downsample`
describes: `NAME.min`, `.max`, `.area`, `.held`, `.last`; null is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from hil.domain.downsample import MEAN_DECIMALS, US_PER_S, Grid
from hil.history.read import TIME

AT, END = "at", "end"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The rows of a day and the instants from which nothing is known.

    `first_us` is the first row or boundary, `opens_with_boundary` says which. The last row's `end`
    is its own time; `is_open`: no boundary comes after it.
    """

    rows: pl.DataFrame
    gaps_us: list[int]
    first_us: int | None
    opens_with_boundary: bool
    is_open: bool


def signals_of(frame: pl.DataFrame) -> list[str]:
    """The signals of a frame of rows."""
    return [name for name in frame.columns if name not in (TIME, AT, END)]


def recorded(frame: pl.DataFrame, *, hold_us: int) -> Recorded:
    """What a day's frame (`time` and signals, in order) says; a row holds at most `hold_us`."""
    signals = signals_of(frame)
    known = pl.any_horizontal(pl.col(signals).is_not_null()) if signals else pl.lit(value=False)
    events = frame.lazy().with_columns(pl.col(TIME).dt.epoch("us").alias(AT), known.alias("known"))
    following, before = pl.col(AT).shift(-1), pl.col(AT).shift(1)
    until = pl.min_horizontal(following, pl.col(AT) + hold_us).fill_null(pl.col(AT))
    events = events.with_columns(
        pl.when(following.is_null()).then(pl.col(AT)).otherwise(until).alias(END),
        # Of a run of boundaries the first, if something was known; unless it lasts no time.
        (
            ~pl.col("known")
            & pl.col("known").shift(1, fill_value=False)
            & (pl.col(AT) - before <= hold_us)
            & ~(pl.col("known").shift(-1, fill_value=False) & (following == pl.col(AT)))
        ).alias("is_gap"),
        (pl.col("known") & (following - pl.col(AT) > hold_us)).fill_null(value=False).alias("ends"),
    )
    table = events.collect()
    gaps = table.filter("is_gap")[AT].to_list()
    gaps += table.filter("ends")[END].to_list()
    return Recorded(
        rows=table.filter("known").select(AT, END, *signals),
        gaps_us=sorted(gaps),
        first_us=table[AT].item(0) if table.height else None,
        opens_with_boundary=table.height > 0 and not table["known"].item(0),
        is_open=table.height > 0 and bool(table["known"].item(-1)),
    )


def stretches(rows: pl.DataFrame, gaps_us: Sequence[int], grid: Grid) -> pl.DataFrame:
    """The rows' stretches in each cell of the grid and, where it is cut, between two gaps."""
    signals = signals_of(rows)
    width, anchor = grid.width_s * US_PER_S, grid.anchor_s * US_PER_S
    next_cell = ((pl.col(AT) - anchor) // width + 1) * width + anchor
    crossing = next_cell < pl.col(END)
    parts = (
        rows.filter(crossing)
        .with_columns(pl.int_ranges(next_cell, pl.col(END), width).alias("begins"))
        .with_columns(pl.concat_list(pl.col(AT), pl.col("begins")).alias(AT))
        .drop("begins")
        .explode(AT)
    )
    parts = pl.concat([rows.filter(~crossing), parts]).sort(AT, maintain_order=True)
    held = (pl.min_horizontal(next_cell, pl.col(END)) - pl.col(AT)).cast(pl.Float64)
    parts = parts.with_columns(held.alias("held"), *_keys(parts[AT], gaps_us, grid))
    found = parts.group_by("cell", "cut", maintain_order=True).agg(
        pl.col(AT).first(),
        *(
            each
            for name in signals
            for each in (
                pl.col(name).min().alias(f"{name}.min"),
                pl.col(name).max().alias(f"{name}.max"),
                (pl.col(name) * pl.col("held")).sum().alias(f"{name}.area"),
                pl.col("held").filter(pl.col(name).is_not_null()).sum().alias(f"{name}.held"),
                pl.col(name).last().alias(f"{name}.last"),
            )
        ),
    )
    return found.drop("cell", "cut")


def alone(rows: pl.DataFrame) -> pl.DataFrame:
    """Every row as a stretch of its own, whose duration does not matter."""
    return rows.select(
        AT,
        *(
            each
            for name in signals_of(rows)
            for each in (
                pl.col(name).alias(f"{name}.min"),
                pl.col(name).alias(f"{name}.max"),
                pl.lit(0.0).alias(f"{name}.area"),
                pl.lit(0.0).alias(f"{name}.held"),
                pl.col(name).alias(f"{name}.last"),
            )
        ),
    )


def merged(found: pl.DataFrame, gaps_us: Sequence[int], grid: Grid) -> pl.DataFrame:
    """Stretches, in order, put together to those of a coarser grid."""
    names = [name.removesuffix(".min") for name in found.columns if name.endswith(".min")]
    found = found.with_columns(_keys(found[AT], gaps_us, grid))
    both = found.group_by("cell", "cut", maintain_order=True).agg(
        pl.col(AT).first(),
        *(
            each
            for name in names
            for each in (
                pl.col(f"{name}.min").min(),
                pl.col(f"{name}.max").max(),
                pl.col(f"{name}.area").sum(),
                pl.col(f"{name}.held").sum(),
                pl.col(f"{name}.last").last(),
            )
        ),
    )
    return both.drop("cell", "cut")


def shown(found: pl.DataFrame, gaps_us: Sequence[int], grid: Grid) -> pl.DataFrame:
    """Stretches as buckets: `at`, and `NAME.min`, `.max`, `.mean`, `.last`; a gap has nulls."""
    names = [name.removesuffix(".min") for name in found.columns if name.endswith(".min")]
    columns = []
    for name in names:
        low, high, held = pl.col(f"{name}.min"), pl.col(f"{name}.max"), pl.col(f"{name}.held")
        mean = (pl.col(f"{name}.area") / held).round(MEAN_DECIMALS).clip(low, high)
        middle = (low + high) / 2
        mean = pl.when(low == high).then(low).when(held > 0).then(mean).otherwise(middle)
        columns += [low, high, mean.alias(f"{name}.mean"), pl.col(f"{name}.last")]
    marks = pl.DataFrame({AT: pl.Series(gaps_us, dtype=pl.Int64)})
    if not grid.is_cut:
        cell = _cell(pl.col(AT), grid)
        marks = marks.filter((cell != cell.shift(1)).fill_null(value=True))
    return pl.concat([found.select(AT, *columns), marks], how="diagonal").sort(
        AT, maintain_order=True
    )


def _cell(at: pl.Expr, grid: Grid) -> pl.Expr:
    return (at - grid.anchor_s * US_PER_S) // (grid.width_s * US_PER_S)


def _keys(at: pl.Series, gaps_us: Sequence[int], grid: Grid) -> list[pl.Expr]:
    """What belongs together: the number of the cell, and how many gaps lie before."""
    cut = pl.lit(0, pl.UInt32)
    if grid.is_cut and gaps_us:
        gaps = pl.Series(gaps_us, dtype=pl.Int64)
        cut = pl.lit(gaps.search_sorted(at, side="right").cast(pl.UInt32))
    return [_cell(pl.col(AT), grid).alias("cell"), cut.alias("cut")]
