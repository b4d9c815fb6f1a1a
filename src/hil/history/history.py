"""Measurements of any range: from the recordings until the memory begins, then from there."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import orjson

from hil.api import Download, ExportForm, Recent
from hil.domain.downsample import US_PER_S, grid_of, us
from hil.domain.errors import NotFound, QueueFull
from hil.domain.plant import PlantId
from hil.domain.recording_file import parse_name
from hil.domain.site_day import day_name, site_day
from hil.history.listing import Owner, day_key, files_of, sealed_keys
from hil.history.process import HistoryProcess
from hil.ports import Clock

T = TypeVar("T")

# Each is a process of its own for as long as it takes.
EXPORTS_MAX = 2
CHUNK_BYTES = 256 * 1024
# The recorder still adds rows that it held back to the file of the day that is over.
SETTLES = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """Where the recordings are, of whom, and how they are read.

    `signals` are those of each plant in the order of its rows; a row holds at most `hold_s`.
    """

    folder: Path
    zone: ZoneInfo
    owners: Mapping[PlantId, Owner]
    signals: Mapping[PlantId, tuple[str, ...]]
    hold_s: float


class History:
    """The `HistoryApi` of a recordings' folder and of what is in memory."""

    def __init__(self, settings: HistorySettings, recent: Recent, clock: Clock) -> None:
        self._settings = settings
        self._recent = recent
        self._clock = clock
        self._opening = {
            "folder": str(settings.folder.absolute()),
            "zone": settings.zone.key,
            "hold_us": int(settings.hold_s * US_PER_S),
            "owners": {
                plant: (owner.name, owner.v_nominal_kv) for plant, owner in settings.owners.items()
            },
        }
        self._process = HistoryProcess(self._opening)
        self._exports = 0
        self._tried: set[str] = set()
        self._unsealed: list[tuple[date, PlantId]] = []

    @property
    def pid(self) -> int | None:
        """The number of the process that reads recordings; None while there is none."""
        return self._process.pid

    async def measurements(
        self, plant: PlantId, start: datetime, end: datetime, *, points: int
    ) -> bytes:
        self._known(plant)
        since = self._recent.since(plant)
        if (since is not None and since <= start) or not await self._has_files(plant, start, end):
            rows, gaps = self._recent.count(plant, start, end)
            grid = grid_of(start, end, points=points, rows=rows, gaps=gaps)
            reduce = self._recent.cut(plant, start, end, grid)
            return await _off_loop(lambda: orjson.dumps(reduce()))
        seam = since if since is not None and since < end else None
        asked = {
            "plant": plant,
            "start_us": us(start),
            "end_us": us(end),
            "seam_us": None if seam is None else us(seam),
            "today": self._today().isoformat(),
        }
        grid_of(start, end, points=points, rows=0, gaps=0)  # refuses what cannot be answered
        answer = await self._ask({"do": "survey", "enough": points, **asked})
        rows, gaps = orjson.loads(answer)
        tail = None
        if seam is None:
            grid = grid_of(start, end, points=points, rows=rows, gaps=gaps)
        else:
            more_rows, more_gaps = self._recent.count(plant, seam, end)
            # The seam cuts a bucket in two, as a gap does.
            gaps += more_gaps + 1
            grid = grid_of(start, end, points=points, rows=rows + more_rows, gaps=gaps)
            reduce = self._recent.cut(plant, seam, end, grid)
            tail = orjson.Fragment(await _off_loop(lambda: orjson.dumps(reduce())))
        return await self._ask(
            {
                "do": "buckets",
                "grid": (grid.width_s, grid.anchor_s, grid.is_cut),
                "names": self._settings.signals[plant],
                "tail": tail,
                **asked,
            }
        )

    async def recordings(
        self, plant: PlantId | None, first: date | None, last: date | None
    ) -> bytes:
        if plant is not None:
            self._known(plant)
        return await self._ask(
            {
                "do": "recordings",
                "plant": plant,
                "first": first and first.isoformat(),
                "last": last and last.isoformat(),
                "today": self._today().isoformat(),
            }
        )

    async def recording(self, name: str) -> Download:
        folder = self._settings.folder

        def size() -> int:
            # From the listing, never a path that a client has made up.
            there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
            if name not in there or parse_name(name) is None:
                raise NotFound("there is no recording of that name; GET /recordings lists them")
            return (folder / name).stat().st_size

        length = await _off_loop(size)
        return Download(name, "text/csv", length, _read(folder / name, length))

    async def export(
        self, plant: PlantId, start: datetime, end: datetime, form: ExportForm, *, is_numeric: bool
    ) -> Download:
        self._known(plant)
        if self._exports >= EXPORTS_MAX:
            raise QueueFull(f"{EXPORTS_MAX} exports are under way; try again when one is done")
        zone = self._settings.zone
        days = "-".join(
            dict.fromkeys(
                day_name(site_day(at, zone)) for at in (start, end - timedelta(microseconds=1))
            )
        )
        pieces = self._pieces(
            {
                "do": form.value,
                "plant": plant,
                "start_us": us(start),
                "end_us": us(end),
                "is_numeric": is_numeric,
            }
        )
        # What cannot be begun is a problem, and no file that is cut short.
        first = await anext(pieces)
        types = {ExportForm.CSV: "text/csv", ExportForm.PARQUET: "application/vnd.apache.parquet"}
        name = f"{days}_{plant}.{form.value}"
        return Download(name, types[form], None, _chained(first, pieces))

    async def seal_next(self) -> bool:
        """Seal one day that is over, the newest first; False when there is none left."""
        if not self._unsealed:
            self._unsealed, has_orphans = await _off_loop(self._look_for_days)
            if has_orphans:
                await self._ask({"do": "clear"})
        if not self._unsealed:
            return False
        day, plant = self._unsealed.pop()
        # A day that cannot be sealed now is read when somebody asks for it.
        self._tried.add(day_key(plant, day))
        today = self._today().isoformat()
        await self._ask({"do": "seal", "plant": plant, "day": day.isoformat(), "today": today})
        return True

    def _look_for_days(self) -> tuple[list[tuple[date, PlantId]], bool]:
        """The days to be sealed, the newest last, and whether some have no recording any more."""
        today = self._today()
        days = {
            day_key(plant, day): (day, plant)
            for plant, files in files_of(self._settings.folder, self._settings.owners).items()
            for day in files
        }
        sealed = sealed_keys(self._settings.folder)
        left = days.keys() - sealed - self._tried
        unsealed = sorted(days[key] for key in left if days[key][0] < today)
        return unsealed, bool(sealed - days.keys())

    async def close(self) -> None:
        """End the process that reads recordings."""
        await self._process.close()

    async def _ask(self, asked: dict[str, object]) -> bytes:
        return await self._process.ask({**asked, "now_us": us(self._clock.now())})

    async def _pieces(self, asked: dict[str, object]) -> AsyncGenerator[bytes, None]:
        process = HistoryProcess(self._opening)
        self._exports += 1
        try:
            async with aclosing(
                process.pieces({**asked, "now_us": us(self._clock.now())})
            ) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._exports -= 1
            await process.close()

    async def _has_files(self, plant: PlantId, start: datetime, end: datetime) -> bool:
        """Whether a recording may have something to say, so that its process is worth a start."""
        if self._process.is_running:
            return True
        settings = self._settings
        # What held before midnight holds on.
        held_since = start - timedelta(seconds=settings.hold_s)
        first, last = (site_day(at, settings.zone) for at in (held_since, end))
        owners = {plant: settings.owners[plant]}
        files = await _off_loop(lambda: files_of(settings.folder, owners))
        return any(first <= day <= last for day in files[plant])

    def _today(self) -> date:
        return site_day(self._clock.now() - SETTLES, self._settings.zone)

    def _known(self, plant: PlantId) -> None:
        if plant not in self._settings.owners:
            there = ", ".join(self._settings.owners)
            raise NotFound(f"there is no plant {plant!r}; there are {there}")


async def _off_loop(call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, call)


async def _read(path: Path, length: int) -> AsyncIterator[bytes]:
    """The first bytes of a file that may be growing; it may also have been taken away."""
    try:
        file = await _off_loop(lambda: path.open("rb"))
    except OSError as error:
        raise NotFound(f"{path.name} cannot be read any more") from error
    with file:
        while length > 0 and (data := await _off_loop(lambda: file.read(CHUNK_BYTES))):
            yield data[:length]
            length -= len(data)


async def _chained(
    first: bytes, pieces: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        yield first
        async for piece in pieces:
            yield piece
