"""Plans as schedule files in a folder, which another program or a person puts there."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from hil.domain.errors import InvalidInput
from hil.domain.market import CallFailed, Failure
from hil.domain.plant import PlantId
from hil.domain.schedule_csv import MAX_BYTES, parse_schedule_csv
from hil.domain.site_day import day_name, site_day


class CsvFolder:
    """Implements `ScheduleSource` over `YYYYMMDD_<plant>.csv`, a file a site day and plant.

    A file is a schedule CSV; a delivery period has the value that is in force at its start, and is
    missing before the first row. A file with a bad row is refused whole, and looked at again.

    Args:
        zone: The site's, which says what a day is and how times without an offset are read.
    """

    def __init__(self, folder: Path, plants: Iterable[PlantId], *, zone: ZoneInfo) -> None:
        self._folder = folder
        self._plants = tuple(plants)
        self._zone = zone

    async def log_in(self, password: str | None) -> None:
        await asyncio.to_thread(self._look)

    async def log_out(self) -> None:
        """Nothing is held."""

    async def setpoints(self, periods: Sequence[datetime]) -> dict[PlantId, dict[datetime, float]]:
        return await asyncio.to_thread(self._read, periods)

    async def close(self) -> None:
        """Nothing is open."""

    def _look(self) -> None:
        if not self._folder.is_dir():
            raise CallFailed(
                f"schedule_api.folder {self._folder} is no folder that can be read",
                Failure.TRANSIENT,
            )

    def _read(self, periods: Sequence[datetime]) -> dict[PlantId, dict[datetime, float]]:
        self._look()
        day = day_name(site_day(periods[0], self._zone))
        return {
            plant: self._setpoints(self._folder / f"{day}_{plant}.csv", periods)
            for plant in self._plants
        }

    def _setpoints(self, path: Path, periods: Sequence[datetime]) -> dict[datetime, float]:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            update = parse_schedule_csv(data, zone=self._zone)
        except FileNotFoundError:
            return {}
        except (OSError, InvalidInput) as error:
            why = " ".join(str(error).split())
            raise CallFailed(f"{path.name}: {why}", Failure.TRANSIENT) from None
        if update.p is None:
            return {}
        values = {at: update.p.at(at) for at in periods}
        return {at: value for at, value in values.items() if value is not None}
