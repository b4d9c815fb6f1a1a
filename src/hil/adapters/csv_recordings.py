"""Recordings as daily CSV files and sessions as JSON files, written by threads off the loop."""

import asyncio
import logging
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar, TypeVarTuple
from zoneinfo import ZoneInfo

from hil.adapters.plant_files import PlantFiles
from hil.adapters.recordings_folder import RecordingsFolder
from hil.adapters.session_files import SESSIONS, write_sessions
from hil.domain.plant import PlantId
from hil.domain.recording_file import file_name
from hil.domain.session import NewestRow, Session
from hil.domain.signals import Row
from hil.domain.site_day import day_name, site_day
from hil.ports import RowsNotDurable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logging.getLogger(__name__)

# One thread waits for the disk 1.5 ms a file: for a thousand plants more than a second.
PLANTS_OF_ONE_THREAD_MAX = 50
THREADS = 8


class _Writer:
    """One thread and the files that it alone writes."""

    def __init__(self, files: PlantFiles, number: int) -> None:
        self.files = files
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"recordings-{number}")

    def call(self, call: Callable[[*Ts], T], *args: *Ts) -> Future[T]:
        """Begin the call in the thread."""
        return asyncio.get_running_loop().run_in_executor(self._pool, call, *args)

    async def close(self) -> None:
        """Close the files and end the thread."""
        await self.call(self.files.close)
        self._pool.shutdown()


class CsvRecordings:
    """The `RowSink` of the data folder: `YYYYMMDD_<plant>.csv` by the site day of each row.

    Rows of a plant come in the order of time. A row that is not later than the newest durable one
    is taken as tried again and written once; boundaries of one instant merge. Everything is
    written off the loop: by one thread or, above `PLANTS_OF_ONE_THREAD_MAX` plants, by several,
    each with plants of its own. Documents of sessions are `sessions/<uid>.json`.

    Args:
        directory: Made when it is missing.
        columns_extra: The names of further signals of each plant, after those that all plants
            have. A day's file that was begun with other ones keeps its own columns until midnight.
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
        plants = list(columns_extra or {})
        threads = 1 if len(plants) <= PLANTS_OF_ONE_THREAD_MAX else THREADS
        folder = RecordingsFolder(directory)
        self._writers = [
            _Writer(PlantFiles(folder, zone=zone, columns_extra=columns_extra or {}), number)
            for number in range(threads)
        ]
        self._writer_of = {
            plant: self._writers[place % threads] for place, plant in enumerate(plants)
        }

    async def append(self, batch: Mapping[PlantId, Sequence[Row]]) -> None:
        """Make the rows durable, in order; one plant's trouble does not keep back the others'.

        Raises:
            RowsNotDurable: Those of some plants are not. Their files hold whole rows only, and the
                same batch can be tried again: no row is doubled.
        """
        shares: dict[_Writer, dict[PlantId, Sequence[Row]]] = {}
        for plant, rows in batch.items():
            shares.setdefault(self._writer(plant), {})[plant] = rows
        under_way = [writer.call(writer.files.append, share) for writer, share in shares.items()]
        errors: dict[PlantId, OSError] = {}
        for share in under_way:
            errors |= await share
        if errors:
            text = str(next(iter(errors.values())))
            raise RowsNotDurable(text, frozenset(errors))

    async def save_sessions(self, sessions: Mapping[str, Session]) -> None:
        """Write the documents by uid, each whole; raises OSError when not all are durable."""
        await self._writers[0].call(write_sessions, self._directory / SESSIONS, sessions)

    def file_name(self, plant: PlantId, at: datetime) -> str:
        """The name of the file that a row of this instant belongs to."""
        return file_name(day_name(site_day(at, self._zone)), plant)

    async def newest(self, plant: PlantId) -> NewestRow | None:
        """The last row of the plant on disk; None when there is none. Raises OSError."""
        writer = self._writer(plant)
        return await writer.call(writer.files.newest, plant)

    async def newest_soc_pu(self, plant: PlantId) -> float | None:
        """The last recorded state of charge of the plant; None when there is none."""
        writer = self._writer(plant)
        return await writer.call(writer.files.newest_soc_pu, plant)

    async def close(self) -> None:
        """Close every file."""
        for writer in self._writers:
            await writer.close()

    def _writer(self, plant: PlantId) -> _Writer:
        return self._writer_of.get(plant, self._writers[0])
