"""The daily files of some plants, as the one thread that writes them has them."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from hil.adapters.recordings_folder import RecordingsFolder
from hil.adapters.row_file import RowFile, lines_backwards
from hil.adapters.row_repair import mend
from hil.domain.plant import PlantId
from hil.domain.recording_file import SOC, TIMESTAMP, file_name, number_text
from hil.domain.session import NewestRow
from hil.domain.signals import COLUMNS, Row
from hil.domain.site_day import LocalText

log = logging.getLogger(__name__)

REQUIRED = frozenset({TIMESTAMP, *COLUMNS})


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


class PlantFiles:
    """Appends the rows of its plants to the file of each row's site day; used by one thread.

    Args:
        folder: Made when it is missing.
        columns_extra: The names of further signals of a plant, after those that all plants have.
    """

    def __init__(
        self,
        folder: RecordingsFolder,
        *,
        zone: ZoneInfo,
        columns_extra: Mapping[PlantId, tuple[str, ...]],
    ) -> None:
        self._folder = folder
        self._columns_extra = columns_extra
        self._text = LocalText(zone)
        self._files: dict[PlantId, RowFile] = {}
        self._newest: dict[PlantId, _Newest] = {}

    def append(self, batch: Mapping[PlantId, Sequence[Row]]) -> dict[PlantId, OSError]:
        """Make the rows durable; the plants whose rows are not, with what was in the way."""
        errors: dict[PlantId, OSError] = {}
        for plant, rows in batch.items():
            try:
                self._append_plant(plant, rows)
            except OSError as error:
                errors[plant] = error
        return errors

    def newest(self, plant: PlantId) -> NewestRow | None:
        """The last row of the plant on disk; None when there is none. Raises OSError."""
        newest = self._known_newest(plant)
        if newest.at is None:
            return None
        return NewestRow(newest.at, is_boundary=newest.values_at != newest.at)

    def newest_soc_pu(self, plant: PlantId) -> float | None:
        """The last recorded state of charge; None when there is none."""
        for path in self._folder.newest_first(plant):
            soc_pu = _last_soc_pu(path)
            if soc_pu is not None:
                return soc_pu
        return None

    def close(self) -> None:
        """Close every file."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _append_plant(self, plant: PlantId, rows: Sequence[Row]) -> None:
        newest = self._known_newest(plant)
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
        self._folder.directory.mkdir(parents=True, exist_ok=True)
        self._folder.has_changed()
        path = self._folder.directory / name
        file = self._files[plant] = RowFile(path, self._columns(plant), required=REQUIRED)
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

    def _known_newest(self, plant: PlantId) -> _Newest:
        if plant not in self._newest:
            self._newest[plant] = self._newest_written(plant)
        return self._newest[plant]

    def _newest_written(self, plant: PlantId) -> _Newest:
        """What an earlier run has left: the time of the last row of the newest file."""
        for path in self._folder.newest_first(plant):
            mend(path)
            for line in lines_backwards(path):
                stamp, _, cells = line.decode("utf-8", errors="replace").partition(",")
                try:
                    at = datetime.fromisoformat(stamp).astimezone(UTC)
                except ValueError:
                    continue  # the header, or what is no row
                return _Newest(at if cells.strip(",\r\n") else None, at)
        return _Newest()


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
