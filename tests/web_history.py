"""A history over a fake engine: a few files, and waves of any range."""

import math
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta

import orjson

from hil.api import Download, ExportForm
from hil.domain.downsample import Buckets, SignalBuckets
from hil.domain.errors import NotFound, QueueFull
from hil.domain.plant import PlantId
from hil.domain.signals import COLUMNS
from web_support import FakeEngine

RECORDINGS = {
    "20260115_lib.csv": b"timestamp,soc_pu\n2026-01-15T13:00:00+01:00,0.5\n",
    "20260114_vrfb.csv": b"timestamp,soc_pu\n",
}


class FakeHistory:
    """Keeps what it was asked for."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.asked: list[tuple[object, ...]] = []
        self.is_full = False

    async def measurements(
        self, plant: PlantId, start: datetime, end: datetime, *, points: int
    ) -> bytes:
        self._known(plant)
        await self._engine.may_measure.wait()
        count = min(points, 450, int((end - start).total_seconds() // 2) + 1)
        time = [start + timedelta(seconds=2 * k) for k in range(count)]
        signals = {name: _wave(name, count) for name in COLUMNS}
        return orjson.dumps(Buckets(time=time, level_s=0.0, signals=signals))

    async def recordings(
        self, plant: PlantId | None, first: date | None, last: date | None
    ) -> bytes:
        self._known(plant)
        self.asked.append((plant, first, last))
        return orjson.dumps([{"name": name} for name in RECORDINGS])

    async def recording(self, name: str) -> Download:
        if name not in RECORDINGS:
            raise NotFound("there is no recording of that name; GET /recordings lists them")
        content = RECORDINGS[name]
        return Download(name, "text/csv", len(content), _pieces(content))

    async def export(
        self, plant: PlantId, start: datetime, end: datetime, form: ExportForm, *, is_numeric: bool
    ) -> Download:
        self._known(plant)
        if self.is_full:
            raise QueueFull("2 exports are under way; try again when one is done")
        self.asked.append((plant, start, end, form, is_numeric))
        return Download(f"20260115_{plant}.{form}", "text/csv", None, _pieces(b"a", b"b"))

    def _known(self, plant: PlantId | None) -> None:
        if plant is not None and plant not in self._engine.picture.plants:
            raise NotFound(f"There is no plant {plant!r}; there are lib and vrfb.")


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _wave(name: str, count: int) -> SignalBuckets:
    # In the resolution of a meter, which is what makes real histories short.
    values: list[float | None] = [
        round(0.5 + k / 9000, 4) if name == "soc_pu" else round(100 * math.sin(k / 40), 1)
        for k in range(count)
    ]
    return SignalBuckets(min=values, max=values, mean=values, last=values)
