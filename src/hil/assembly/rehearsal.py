"""A bench in virtual time: days of schedules in seconds, the same bytes every time."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hil.assembly.bench import build_engine, checked_specs, emulated_fleet
from hil.config.model import Config
from hil.domain.commands import CommandKind
from hil.domain.errors import HilError
from hil.domain.plant import Device, Endpoint, PlantId, Transport
from hil.domain.rehearsal import PlantSummary, Summary
from hil.domain.schedule import Schedule
from hil.domain.site_day import day_range
from hil.domain.snapshot import PlantState
from hil.engine.cadence import NS_PER_S, Bell
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_link import MemoryLink
from hil.virtual.memory_locks import MemoryLocks
from hil.virtual.memory_store import MemoryStore

log = logging.getLogger(__name__)

# Between two looks at a rehearsal's progress, in virtual time.
PROGRESS_EVERY_NS = 600 * NS_PER_S
# A rehearsal's files need only be whole at its end; a sync every few virtual seconds would take
# half of its time.
REHEARSAL_FLUSH_S = 3600.0


def rehearsal(
    config: Config,
    schedules: Mapping[PlantId, Schedule],
    *,
    day: date,
    days: int,
    seed: int,
    out: Path,
    progress: Callable[[float], None],
) -> Summary:
    """Play the schedules against emulated plants in virtual time, and record below `out`.

    Every plant is started and recorded from the beginning of the site day on; before the end of
    the last day the recordings are closed and the plants safe-stopped. Equal arguments give equal
    bytes.

    Args:
        progress: Called with the share that is done, 0..1.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(
            _rehearse(config, schedules, day, days=days, seed=seed, out=out, progress=progress)
        )


async def _rehearse(
    config: Config,
    schedules: Mapping[PlantId, Schedule],
    day: date,
    *,
    days: int,
    seed: int,
    out: Path,
    progress: Callable[[float], None],
) -> Summary:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    config = _for_rehearsal(config)
    zone = ZoneInfo(config.site.timezone)
    start, _ = day_range(day, zone)
    _, end = day_range(day + timedelta(days=days - 1), zone)
    clock = VirtualClock(loop, start)
    specs = checked_specs(config)
    fleet = emulated_fleet(config, specs, clock)
    engine = build_engine(
        config,
        specs,
        lambda spec, transport, device: MemoryLink(
            fleet.served(spec.id)[_name_of(device, spec.endpoints[transport])].handle,
            timeout_s=config.timing.modbus_timeout_s,
        ),
        clock,
        directory=out,
        store=MemoryStore(),
        locks=MemoryLocks({}),
        emulator=fleet,
        draw=random.Random(f"{seed}/ids"),  # noqa: S311 - ids of a rehearsal, to be the same again
    )
    await engine.start()
    for plant, schedule in schedules.items():
        await engine.put_manual_schedule(plant, schedule, by="rehearsal")
    started = engine.submit(CommandKind.FLEET_START, None, by="rehearsal")
    # The step at the end of the last day belongs to the next one.
    end_ns = int((end - start) / timedelta(microseconds=1)) * 1_000 - NS_PER_S // 1_000
    bell = Bell(clock)
    while clock.monotonic_ns() < end_ns:
        await bell.wait_until(min(clock.monotonic_ns() + PROGRESS_EVERY_NS, end_ns))
        progress(clock.monotonic_ns() / end_ns)
    last = engine.snapshot()
    for plant in last.plants:
        engine.submit(CommandKind.STOP_RECORDING, plant, by="rehearsal")
    left = await engine.stop_safely()
    unwritten = await engine.close()
    failed = engine.command(started.id).error
    if failed is not None or left:
        raise HilError(f"the rehearsal could not run every plant: {failed or '; '.join(left)}")
    if unwritten:
        raise HilError(f"the recordings in {out} are cut short: {'; '.join(unwritten)}")
    return Summary(
        day=day,
        days=days,
        seed=seed,
        plants={plant: _plant_summary(state) for plant, state in last.plants.items()},
    )


def _name_of(device: Device, endpoint: Endpoint) -> str | None:
    """The name of a further device; None: the plant's own server."""
    return next((name for name, one in endpoint.devices.items() if one is device), None)


def _for_rehearsal(config: Config) -> Config:
    """The same bench against its emulated plants, writing to disk rarely."""
    startup = config.startup.model_copy(update={"transport": Transport.LOCAL})
    recording = config.recording.model_copy(update={"flush_period_s": REHEARSAL_FLUSH_S})
    return config.model_copy(update={"startup": startup, "recording": recording})


def _plant_summary(state: PlantState) -> PlantSummary:
    measured = state.measurement
    assert measured is not None, state.name
    return PlantSummary(
        discharged_kwh=measured.energy_since_start_kwh.discharged,
        charged_kwh=measured.energy_since_start_kwh.charged,
        soc_end_pu=measured.soc_pu,
    )
