"""What live and virtual benches share: the plants, the emulation and the engine."""

import hashlib
import logging
import random
from pathlib import Path
from zoneinfo import ZoneInfo

from hil import __version__
from hil.adapters.csv_recordings import CsvRecordings
from hil.api import Recent
from hil.config.model import Config
from hil.config.unmet import passed_over, refusals
from hil.config.values import plant_faults, plant_specs, site_info
from hil.domain.errors import InvalidInput
from hil.domain.plant import PlantId, PlantSpec, Source, Transport
from hil.domain.signals import COLUMNS
from hil.emulation.fleet import EmulatedFleet
from hil.engine.day_memory import HOLD_S
from hil.engine.engine import Engine
from hil.engine.fleet import LinkOf
from hil.engine.market import MarketAccess
from hil.engine.settings import Compression, EngineSettings
from hil.history.history import History, HistorySettings
from hil.history.listing import Owner
from hil.ports import Clock, DeviceLocks, EmulatorControl, StateStore

# Of the configuration's hash; enough to tell the configurations of a bench apart.
HASH_DIGITS = 16

log = logging.getLogger(__name__)


def checked_specs(config: Config) -> tuple[PlantSpec, ...]:
    """The plants, when this version can do what the configuration asks for.

    Raises:
        InvalidInput: It cannot.
    """
    if found := refusals(config):
        raise InvalidInput("the configuration asks for what cannot be done", found)
    for key in passed_over(config):
        log.warning("%s has no effect in this version", key)
    return plant_specs(config)


def emulated_fleet(config: Config, specs: tuple[PlantSpec, ...], clock: Clock) -> EmulatedFleet:
    """One emulated plant per plant, with its further devices."""
    return EmulatedFleet(
        specs,
        kinds={PlantId(plant): each.model.kind for plant, each in config.plants.items()},
        clock=clock,
        step_s=config.timing.emulation_period_s,
        initial_soc_pu=config.startup.initial_soc_pu,
        v_source_pu=config.grid.v_source_pu,
        f_hz=config.grid.f_hz,
        faults=plant_faults(config),
    )


def engine_settings(config: Config) -> EngineSettings:
    """What the engine is told of the configuration."""
    api = config.schedule_api
    return EngineSettings(
        site=site_info(config),
        source=Source(config.startup.source),
        transport=Transport(config.startup.transport),
        posting_enabled=api is not None and api.posting.enabled,
        stale_after_s=None if api is None else api.schedule_period_min * 60,
        dispatch_period_s=config.timing.dispatch_period_s,
        measurement_period_s=config.timing.measurement_period_s,
        modbus_timeout_s=config.timing.modbus_timeout_s,
        start_timeout_s=config.timing.start_timeout_s,
        stop_timeout_s=config.safe_stop.timeout_s,
        threshold_kw=config.safe_stop.threshold_kw,
        threshold_kvar=config.safe_stop.threshold_kvar,
        flush_period_s=config.recording.flush_period_s,
        compression=_compression(config),
        initial_soc_pu=config.startup.initial_soc_pu,
        soc_from_recording=config.startup.soc_from_recording,
        resume=config.startup.resume == "resume",
        resume_max_age_s=config.startup.resume_max_age_s,
        version=__version__,
        config_hash=hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:HASH_DIGITS],
    )


def _compression(config: Config) -> Compression | None:
    compression = config.recording.compression
    if not compression.enabled:
        return None
    tolerances = compression.tolerances.model_dump()
    return Compression(
        tolerances=tuple(tolerances[column] for column in COLUMNS),
        max_gap_s=compression.max_gap_s,
    )


def build_engine(
    config: Config,
    specs: tuple[PlantSpec, ...],
    link_of: LinkOf,
    clock: Clock,
    *,
    directory: Path,
    store: StateStore,
    locks: DeviceLocks,
    emulator: EmulatorControl,
    draw: random.Random,
    market: MarketAccess | None = None,
) -> Engine:
    """An engine over these links, with its recordings below the directory.

    Args:
        draw: Where ids come from.
        market: The market API; None when there is none.
    """
    sink = CsvRecordings(
        directory / config.recording.directory,
        zone=ZoneInfo(config.site.timezone),
        columns_extra={spec.id: spec.extra_signals for spec in specs},
    )
    return Engine(
        engine_settings(config),
        specs,
        link_of,
        sink,
        store,
        clock,
        locks=locks,
        emulator=emulator,
        market=market,
        new_id=lambda: f"{draw.getrandbits(64):016x}",
    )


def build_history(
    config: Config,
    specs: tuple[PlantSpec, ...],
    directory: Path,
    *,
    recent: Recent,
    clock: Clock,
) -> History:
    """The history of the recordings below the directory and of what is in memory."""
    return History(
        HistorySettings(
            folder=directory / config.recording.directory,
            zone=ZoneInfo(config.site.timezone),
            owners={spec.id: Owner(spec.name, spec.nameplate.v_nominal_kv) for spec in specs},
            signals={spec.id: (*COLUMNS, *spec.extra_signals) for spec in specs},
            hold_s=max(HOLD_S, config.recording.compression.max_gap_s),
        ),
        recent,
        clock,
    )
