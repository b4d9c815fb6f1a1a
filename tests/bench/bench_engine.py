"""What the engines of the benchmarks have in common."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from hil.domain.plant import PlantId, Source, Transport
from hil.domain.session import NewestRow, Session
from hil.domain.signals import Row
from hil.domain.snapshot import SiteInfo
from hil.engine.settings import EngineSettings


class NoSink:
    """Keeps no rows."""

    async def append(self, batch: Mapping[PlantId, Sequence[Row]]) -> None:
        """Nothing is recorded."""

    async def save_sessions(self, sessions: Mapping[str, Session]) -> None:
        """Nothing is kept."""

    async def newest(self, plant: PlantId) -> NewestRow | None:
        return None

    def file_name(self, plant: PlantId, at: datetime) -> str:
        return f"{plant}.csv"

    async def newest_soc_pu(self, plant: PlantId) -> float | None:
        return None

    async def close(self) -> None:
        """Nothing is open."""


def bench_settings(*, period_s: float) -> EngineSettings:
    """An engine that dispatches and measures with this period, local and manual."""
    return EngineSettings(
        site=SiteInfo(name="bench", timezone="UTC"),
        source=Source.MANUAL,
        transport=Transport.LOCAL,
        posting_enabled=False,
        stale_after_s=None,
        dispatch_period_s=period_s,
        measurement_period_s=period_s,
        modbus_timeout_s=1,
        start_timeout_s=30,
        stop_timeout_s=30,
        threshold_kw=1,
        threshold_kvar=1,
        flush_period_s=5,
        compression=None,
        initial_soc_pu=0.5,
        soc_from_recording=False,
        resume=False,
        resume_max_age_s=300,
        version="bench",
        config_hash="",
    )
