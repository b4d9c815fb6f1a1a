"""What an engine is told once."""

from dataclasses import dataclass

from hil.domain.plant import Source, Transport
from hil.domain.snapshot import SiteInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """How far signals may move before a row is kept; `tolerances` in the order of `COLUMNS`.

    Extra signals are kept exactly.
    """

    tolerances: tuple[float, ...]
    max_gap_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Periods, time-outs and the state at a clean start; times in seconds.

    `compression` None: every row is recorded. `config_hash` tells configurations apart.
    """

    site: SiteInfo
    source: Source
    transport: Transport
    posting_enabled: bool
    stale_after_s: float | None
    dispatch_period_s: float
    measurement_period_s: float
    modbus_timeout_s: float
    start_timeout_s: float
    stop_timeout_s: float
    threshold_kw: float
    threshold_kvar: float
    flush_period_s: float
    compression: Compression | None
    initial_soc_pu: float
    soc_from_recording: bool
    resume: bool
    resume_max_age_s: float
    version: str
    config_hash: str

    @property
    def exchange_within_s(self) -> float:
        """A whole exchange ends within this, so that the next step finds the owner free."""
        return min(
            2 * self.modbus_timeout_s,
            0.8 * min(self.dispatch_period_s, self.measurement_period_s),
        )
