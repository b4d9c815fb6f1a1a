"""Recordings of any range as one CSV or Parquet, a day at a time."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from io import RawIOBase
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from hil.domain.plant import PlantId
from hil.domain.recording_file import TIME_S, TIMESTAMP, VOLTAGE_PU
from hil.domain.signals import COLUMNS
from hil.history.days import Days
from hil.history.read import TIME

# A year of one plant is some thirty of them.
ROW_GROUP_ROWS = 500_000

_POINT_ZERO = re.compile(rb"\.0(?=[,\n])")


@dataclass(frozen=True, slots=True)
class Export:
    """The rows of a plant in `[start, end)`, boundaries included, as the files have them."""

    days: Days
    plant: PlantId
    start: datetime
    end: datetime

    def csv(self, *, is_numeric: bool) -> Iterator[bytes]:
        """Lines as in a recording, times in site time.

        Args:
            is_numeric: With a leading column of the seconds since the epoch.
        """
        signals = self._signals()
        head = [TIME_S, TIMESTAMP, *signals] if is_numeric else [TIMESTAMP, *signals]
        yield ",".join(head).encode() + b"\n"
        local = pl.col(TIME).dt.convert_time_zone(self.days.zone.key)
        text = local.dt.to_string("%Y-%m-%dT%H:%M:%S%.3f%:z").str.replace(".000", "", literal=True)
        columns = [text.alias(TIMESTAMP), *signals]
        if is_numeric:
            columns.insert(0, (pl.col(TIME).dt.epoch("ms") / 1000).alias(TIME_S))
        for frame in self._frames(signals):
            lines = frame.select(columns).write_csv(include_header=False, float_scientific=False)
            yield _POINT_ZERO.sub(b"", lines.encode())

    def parquet(self, write: Callable[[bytes], None]) -> None:
        """Pass the file on in pieces, columns `time` (UTC) and the signals."""
        signals = self._signals()
        schema = pl.Schema({TIME: pl.Datetime("us", "UTC"), **dict.fromkeys(signals, pl.Float64())})

        def source(
            with_columns: list[str] | None,
            predicate: pl.Expr | None,
            n_rows: int | None,
            batch_size: int | None,
        ) -> Iterator[pl.DataFrame]:
            assert predicate is None
            assert n_rows is None
            del batch_size
            for frame in self._frames(signals):
                yield frame if with_columns is None else frame.select(with_columns)

        register_io_source(source, schema=schema).sink_parquet(
            _Pipe(write),  # type: ignore[call-overload] # any writable file will do
            compression="zstd",
            compression_level=3,
            row_group_size=ROW_GROUP_ROWS,
        )

    def _files(self) -> list[list[Path]]:
        first, last = (at.astimezone(self.days.zone).date() for at in (self.start, self.end))
        files = self.days.files().get(self.plant, {})
        return [files[day] for day in sorted(files) if first <= day <= last]

    def _signals(self) -> list[str]:
        """The standard signals and every further one that a file has."""
        found = dict.fromkeys(COLUMNS)
        for paths in self._files():
            for path in paths:
                with path.open(encoding="utf-8-sig", errors="replace") as file:
                    found |= dict.fromkeys(file.readline().strip().split(",")[1:])
        found.pop(VOLTAGE_PU, None)
        return list(found)

    def _frames(self, signals: list[str]) -> Iterator[pl.DataFrame]:
        unknown = {name: pl.lit(None, pl.Float64).alias(name) for name in signals}
        for paths in self._files():
            frames = [self.days.read(self.plant, path) for path in paths]
            frame = pl.concat(frames, how="diagonal")
            if len(frames) > 1:
                frame = frame.sort(TIME, maintain_order=True)
            frame = frame.filter(pl.col(TIME).is_between(self.start, self.end, closed="left"))
            missing = [unknown[name] for name in signals if name not in frame.columns]
            yield frame.with_columns(missing).select(TIME, *signals)


class _Pipe(RawIOBase):
    """A file that can be written to alone."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._write(bytes(data))
        return len(data)
