"""Daily files of one plant as one file: Parquet with units, or CSV, a file at a time in memory."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import orjson

from hil.domain.errors import HilError, InvalidInput
from hil.domain.recording_file import TIME_S, TIMESTAMP, VOLTAGE_PU, parse_name
from hil.domain.signals import COLUMNS
from hil.history.read import TIME, read_day

if TYPE_CHECKING:
    import polars as pl

UNITS = {
    name: unit
    for name in COLUMNS
    for unit in ("kW", "kvar", "pu", "kV")
    if name.lower().endswith(f"_{unit.lower()}")
}
PARQUET = ".parquet"
CSV = ".csv"
_HEADER_MAX = 64 * 1024
_WHOLE = "%Y-%m-%dT%H:%M:%S%:z"
_WITH_MS = "%Y-%m-%dT%H:%M:%S%.3f%:z"
_US_PER_S = 1_000_000


def export(
    paths: Sequence[Path],
    out: Path,
    *,
    zone: ZoneInfo,
    v_nominal_kv: float | None,
    units: Mapping[str, str],
    is_epoch: bool,
    done: Callable[[], object],
) -> int:
    """Write the files into one, by day, and return how many lines were left out as no rows.

    Boundaries stay, as rows without values. The result takes its name when it is complete.

    Args:
        out: Ends with `.parquet` or `.csv`; what is there is replaced.
        v_nominal_kv: What voltages in per unit are multiplied with; None leaves them unknown.
        units: Of signals besides the standard ones.
        is_epoch: A CSV begins with `time_s`, seconds since 1970 UTC, before `timestamp`.
        done: Called after each file.

    Raises:
        InvalidInput: The ending is another one, or the files are of several plants.
        HilError: A file cannot be read or written.
    """
    if out.suffix not in {PARQUET, CSV}:
        raise InvalidInput(f"{out}: can be written as .parquet or .csv")
    names = [parse_name(path.name) for path in paths]
    plants = sorted({name.suffix for name in names if name is not None})
    if len(plants) > 1:
        listed = ", ".join(plants)
        raise InvalidInput(f"the files are of several plants ({listed}); export one at a time")
    days = _Days(sorted(paths, key=lambda path: path.name), v_nominal_kv=v_nominal_kv, done=done)
    part = out.with_name(f"{out.name}.part")
    try:
        if out.suffix == PARQUET:
            known = {name: {**UNITS, **units}.get(name) for name in days.signals}
            facts = {"units": known, "timezone": zone.key, "plant": plants[0] if plants else None}
            _write_parquet(days, part, facts)
        else:
            _write_csv(days, part, zone=zone, is_epoch=is_epoch)
        part.replace(out)
    except OSError as error:
        raise HilError(f"{error.filename or out}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()
    return days.left_out


class _Days:
    """The rows of each file in turn, all with the same columns."""

    def __init__(
        self, paths: Sequence[Path], *, v_nominal_kv: float | None, done: Callable[[], object]
    ) -> None:
        self._paths = paths
        self._v_nominal_kv = v_nominal_kv
        self._done = done
        self.left_out = 0
        self.signals = list(dict.fromkeys([*COLUMNS, *(n for path in paths for n in _extra(path))]))

    def frames(self) -> Iterator["pl.DataFrame"]:
        import polars as pl  # noqa: PLC0415 - a quarter of a second, for who reads recordings alone

        for path in self._paths:
            try:
                day = read_day(path, v_nominal_kv=self._v_nominal_kv)
            except OSError as error:
                raise HilError(f"{path}: cannot be read: {error.strerror}") from error
            self.left_out += day.left_out
            missing = [name for name in self.signals if name not in day.frame.columns]
            yield day.frame.with_columns(
                pl.lit(None, pl.Float64).alias(name) for name in missing
            ).select(TIME, *self.signals)
            self._done()


def _extra(path: Path) -> list[str]:
    """The signals of a file besides the standard ones."""
    try:
        with path.open("rb") as file:
            header = file.readline(_HEADER_MAX).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise HilError(f"{path}: cannot be read: {error.strerror}") from error
    first, *names = header.strip().split(",")
    return [name for name in names if name != VOLTAGE_PU] if first == TIMESTAMP else []


def _write_parquet(days: _Days, part: Path, facts: Mapping[str, object]) -> None:
    import polars as pl  # noqa: PLC0415 - see above
    from polars.io.plugins import register_io_source  # noqa: PLC0415 - see above

    def batches(
        columns: list[str] | None, predicate: "pl.Expr | None", _: int | None, __: int | None
    ) -> Iterator["pl.DataFrame"]:
        assert predicate is None, predicate
        for frame in days.frames():
            yield frame if columns is None else frame.select(columns)

    schema = {TIME: pl.Datetime("us", "UTC"), **dict.fromkeys(days.signals, pl.Float64())}
    try:
        register_io_source(batches, schema=schema).sink_parquet(
            part,
            compression="zstd",
            maintain_order=True,
            metadata={"hil": orjson.dumps(facts).decode()},
            sync_on_close="all",
        )
    except pl.exceptions.ComputeError as error:
        # What a file's reading raised comes wrapped.
        raise HilError(str(error).splitlines()[0]) from error


def _write_csv(days: _Days, part: Path, *, zone: ZoneInfo, is_epoch: bool) -> None:
    import polars as pl  # noqa: PLC0415 - see above

    local = pl.col(TIME).dt.convert_time_zone(zone.key)
    has_fraction = pl.col(TIME).dt.microsecond() > 0
    stamp = pl.when(has_fraction).then(local.dt.to_string(_WITH_MS))
    times = [stamp.otherwise(local.dt.to_string(_WHOLE)).alias(TIMESTAMP)]
    if is_epoch:
        times.insert(0, (pl.col(TIME).dt.epoch("us") / _US_PER_S).alias(TIME_S))
    with part.open("wb") as file:
        is_first = True
        for frame in days.frames():
            frame.select(*times, *days.signals).write_csv(
                file, include_header=is_first, float_scientific=False
            )
            is_first = False
        file.flush()
        os.fsync(file.fileno())
