"""Recordings as daily CSV files, written by one thread, whole rows only."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TypeVar, TypeVarTuple
from zoneinfo import ZoneInfo

from hil.adapters.row_file import RowFile, lines_backwards
from hil.domain.plant import PlantId
from hil.domain.recording_file import SOC, TIMESTAMP, file_name, number_text
from hil.domain.signals import COLUMNS, Row
from hil.domain.site_day import LocalText, day_name, site_day

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Newest:
    """The times of the newest durable rows: with values, and of any kind."""

    values_at: datetime | None = None
    at: datetime | None = None

    def is_before(self, row: Row) -> bool:
        """Whether the row is yet to be written: not tried before, nothing later written already.

        A row with values may stand at the time of the boundary before it, so that a session that
        begins within a period of the last one's end loses no row.
        """
        if row.values is None:
            return self.at is None or self.at < row.at
        return (self.values_at is None or self.values_at < row.at) and (
            self.at is None or self.at <= row.at
        )

    def after(self, row: Row) -> "_Newest":
        return _Newest(self.values_at if row.values is None else row.at, row.at)


class CsvRecordings:
    """The `RowSink` of the data folder: `YYYYMMDD_<plant>.csv` by the site day of each row.

    Rows of a plant come in the order of time. A row that is not later than the newest durable one
    is taken as tried again and written once; boundaries of one instant merge. Everything is
    written by one thread, off the loop.

    Args:
        directory: Made when it is missing.
        columns_extra: The names of further signals of a plant, after those that all plants have.
            A day's file that was begun with other ones keeps its own columns until midnight.
    """

    def __init__(
        self,
        directory: Path,
        *,
        zone: ZoneInfo,
        columns_extra: Mapping[PlantId, tuple[str, ...]] | None = None,
    ) -> None:
        self._directory = directory
        self._zone = zone
        self._columns_extra = columns_extra or {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recordings")
        # Below: the thread's own.
        self._text = LocalText(zone)
        self._files: dict[PlantId, RowFile] = {}
        self._newest: dict[PlantId, _Newest] = {}

    async def append(self, batch: Mapping[PlantId, Sequence[Row]]) -> None:
        """Make the rows durable, in order; one plant's trouble does not keep back the others'.

        Raises:
            OSError: Not all rows are durable. Their files hold whole rows only, and the same
                batch can be tried again: no row is doubled.
        """
        await self._run(self._append, batch)

    def file_name(self, plant: PlantId, at: datetime) -> str:
        """The name of the file that a row of this instant belongs to."""
        return file_name(day_name(site_day(at, self._zone)), plant)

    async def newest_soc_pu(self, plant: PlantId) -> float | None:
        """The last recorded state of charge of the plant; None when there is none."""
        return await self._run(self._newest_soc_pu, plant)

    async def close(self) -> None:
        """Close every file."""
        await self._run(self._close)
        self._pool.shutdown()

    async def _run(self, call: Callable[[*Ts], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)

    def _append(self, batch: Mapping[PlantId, Sequence[Row]]) -> None:
        first_error: OSError | None = None
        for plant, rows in batch.items():
            try:
                self._append_plant(plant, rows)
            except OSError as error:
                first_error = first_error or error
        if first_error is not None:
            raise first_error

    def _append_plant(self, plant: PlantId, rows: Sequence[Row]) -> None:
        if plant not in self._newest:
            self._newest[plant] = self._newest_written(plant)
        newest = self._newest[plant]
        new: list[Row] = []
        for row in rows:
            if newest.is_before(row):
                newest = newest.after(row)
                new.append(row)
        for day, group in groupby(new, key=lambda row: self._text.day_name(row.at)):
            todays = list(group)
            file = self._file(plant, file_name(day, plant))
            file.append(self._lines(plant, todays, file))
            for row in todays:
                self._newest[plant] = self._newest[plant].after(row)

    def _file(self, plant: PlantId, name: str) -> RowFile:
        """The open file of that name; the one of the day before is closed."""
        file = self._files.get(plant)
        if file is not None:
            if file.path.name == name and file.is_in_place():
                return file
            del self._files[plant]
            file.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        file = self._files[plant] = RowFile(
            self._directory / name,
            self._columns(plant),
            required=frozenset({TIMESTAMP, *COLUMNS}),
        )
        missing = [column for column in self._columns(plant) if column not in file.columns]
        if missing:
            log.warning(
                "plant=%s file=%s was begun without columns %s: they are recorded from the next"
                " day on",
                plant,
                name,
                ",".join(missing),
            )
        return file

    def _columns(self, plant: PlantId) -> tuple[str, ...]:
        return (TIMESTAMP, *COLUMNS, *self._columns_extra.get(plant, ()))

    def _lines(self, plant: PlantId, rows: Iterable[Row], file: RowFile) -> list[bytes]:
        """The rows as lines, in the order of the file's own columns."""
        own = self._columns(plant)
        nothing = "," * (len(file.columns) - 1)
        places: list[int | None] | None = None
        if file.columns != own:
            places = [own.index(name) - 1 if name in own else None for name in file.columns[1:]]
        lines: list[bytes] = []
        for row in rows:
            values = row.values
            if values is None:
                cells = nothing
            else:
                assert len(values) == len(own) - 1, (plant, row)
                if places is not None:
                    values = tuple([None if p is None else values[p] for p in places])
                cells = "," + ",".join(map(number_text, values))
            lines.append(f"{self._text.text(row.at)}{cells}\n".encode())
        return lines

    def _newest_written(self, plant: PlantId) -> _Newest:
        """What an earlier run has left: the time of the last row of the newest file."""
        for path in self._paths(plant):
            for line in lines_backwards(path):
                stamp, _, cells = line.decode("utf-8", errors="replace").partition(",")
                try:
                    at = datetime.fromisoformat(stamp).astimezone(UTC)
                except ValueError:
                    continue  # the header, or what is no row
                return _Newest(at if cells.strip(",\r\n") else None, at)
        return _Newest()

    def _paths(self, plant: PlantId) -> list[Path]:
        """The plant's files, the newest first."""
        name = re.compile(rf"[0-9]{{8}}_{re.escape(plant)}\.csv")
        try:
            paths = [path for path in self._directory.iterdir() if name.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        return sorted(paths, reverse=True)

    def _newest_soc_pu(self, plant: PlantId) -> float | None:
        for path in self._paths(plant):
            soc_pu = _last_soc_pu(path)
            if soc_pu is not None:
                return soc_pu
        return None

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()


def _last_soc_pu(path: Path) -> float | None:
    """The last state of charge in a recording, read from its end."""
    try:
        with path.open("rb") as file:
            header = file.readline().decode("utf-8-sig", errors="replace").strip().split(",")
        if SOC not in header:
            return None
        place = header.index(SOC)
        for line in lines_backwards(path):
            cells = line.split(b",")
            soc_pu = _share(cells[place]) if len(cells) == len(header) else None
            if soc_pu is not None:
                return soc_pu
    except OSError as error:
        log.warning("file=%s cannot be read: %s", path.name, error)
    return None


def _share(cell: bytes) -> float | None:
    """The number from 0 to 1 in a cell; None for anything else."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None
