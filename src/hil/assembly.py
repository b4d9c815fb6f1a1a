"""The composition root: the parts put together, live or in virtual time."""

import asyncio
import gc
import getpass
import logging
import os
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from hil import __version__
from hil.adapters.csv_recordings import CsvRecordings
from hil.adapters.data_directory import DataDirectory, listen_tcp
from hil.adapters.emulator_control import ControlClient, EmulatorControlServer
from hil.adapters.modbus_client import TcpLink
from hil.adapters.modbus_server import ModbusServer
from hil.adapters.sqlite_store import SqliteStore
from hil.adapters.system_clock import SystemClock
from hil.config.model import Config
from hil.config.unmet import passed_over, refusals
from hil.config.values import plant_faults, plant_specs, site_info
from hil.domain.commands import CommandKind
from hil.domain.errors import HilError, InvalidInput
from hil.domain.plant import PlantId, PlantSpec, Source, Transport
from hil.domain.rehearsal import PlantSummary, Summary
from hil.domain.schedule import Schedule
from hil.domain.site_day import day_range
from hil.domain.snapshot import PlantState
from hil.emulation.fleet import EmulatedFleet
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.engine import Engine
from hil.engine.fleet import LinkOf
from hil.engine.settings import EngineSettings
from hil.engine.supervisor import Supervisor
from hil.ports import Clock, EmulatorControl, StateStore
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_link import MemoryLink
from hil.virtual.memory_store import MemoryStore
from hil.web.app import WebSettings, make_app
from hil.web.server import Server

log = logging.getLogger(__name__)

STATE_NAME = "hil.sqlite"
# Open answers have this long to be finished at the end; the server itself drops streams sooner.
WEB_CLOSES_WITHIN_S = 10.0
# Between two looks at a rehearsal's progress, in virtual time.
PROGRESS_EVERY_NS = 600 * NS_PER_S
# A rehearsal's files need only be whole at its end; a sync every few virtual seconds would take
# half of its time.
REHEARSAL_FLUSH_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which parts a process runs."""

    engine: bool = True
    emulation: bool = True
    web: bool = True


class Live:
    """What `hil run`, `hil engine` and `hil emulate` start, in one process and one loop.

    Args:
        data_dir: Where the engine keeps its files; one engine a directory.
    """

    def __init__(self, config: Config, data_dir: Path, parts: Parts) -> None:
        self._config = config
        self._data_dir = data_dir
        self._parts = parts
        self._clock = SystemClock()
        self._supervisor = Supervisor(self._clock)
        self._doors = Supervisor(self._clock)
        self._stack = AsyncExitStack()
        self._server: Server | None = None
        self._web_ended = asyncio.Event()
        self._unwritten: tuple[str, ...] = ()
        self.engine: Engine | None = None

    @property
    def address(self) -> str:
        """Where the page is."""
        host = self._config.web.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._config.web.port}"

    async def start(self) -> None:
        """Start the parts, or raise HilError with nothing left running."""
        specs = checked_specs(self._config)
        try:
            directory = self._open_directory() if self._parts.engine else None
            if self._parts.emulation:
                await self._start_emulation(specs)
            if directory is not None:
                await self._start_engine(specs, directory)
        except BaseException:
            await self._stack.aclose()
            raise
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be walked again

    async def stop(self) -> tuple[str, ...]:
        """Safe-stop the plants, then close everything.

        Returns a sentence for each plant that could not be stopped or recorded to the end.
        """
        left: tuple[str, ...] = ()
        if self.engine is not None:
            stopped = await self.engine.stop_safely()
            left = tuple(f"NOT STOPPED: {sentence}" for sentence in stopped)
        await self._stack.aclose()
        return left + tuple(f"NOT RECORDED: {sentence}" for sentence in self._unwritten)

    async def _close_engine(self) -> None:
        assert self.engine is not None
        self._unwritten = await self.engine.close()

    async def _stop_web(self) -> None:
        """Let the streams end and the open answers be finished, then drop what is left."""
        if self._server is not None:
            self._server.should_exit = True
            with suppress(TimeoutError):
                async with asyncio.timeout(WEB_CLOSES_WITHIN_S):
                    await self._web_ended.wait()
        await self._supervisor.stop()

    def _open_directory(self) -> DataDirectory:
        directory = DataDirectory(self._data_dir)
        self._stack.callback(directory.close)
        return directory

    async def _start_emulation(self, specs: tuple[PlantSpec, ...]) -> None:
        fleet = emulated_fleet(self._config, specs, self._clock)
        for spec in specs:
            device = spec.endpoints[Transport.LOCAL].main
            plant = fleet.plants[spec.id]
            server = ModbusServer(plant.handle, unit_id=device.unit_id)
            await server.start(device.host, device.port)
            self._stack.push_async_callback(server.close)
            plant.listen(server.knock)
            self._doors.start(f"door {spec.id}", partial(server.attend, plant.door))
            log.info("plant=%s emulated on %s:%d", spec.id, device.host, device.port)
        self._stack.push_async_callback(self._doors.stop)
        control = EmulatorControlServer(fleet)
        await control.start(self._config.emulation.control_port)
        self._stack.push_async_callback(control.close)

    async def _start_engine(self, specs: tuple[PlantSpec, ...], directory: DataDirectory) -> None:
        config = self._config
        listeners = [directory.listen()]
        self._stack.callback(listeners[0].close)
        if self._parts.web:
            listeners.append(listen_tcp(config.web.host, config.web.port, what="the page"))
            self._stack.callback(listeners[1].close)
        timeout_s = config.timing.modbus_timeout_s
        self.engine = build_engine(
            config,
            specs,
            lambda spec, transport: TcpLink(spec.endpoints[transport].main, timeout_s=timeout_s),
            self._clock,
            directory=directory.path,
            store=SqliteStore(directory.path / config.recording.directory / STATE_NAME),
            emulator=ControlClient(config.emulation.control_port),
            draw=random.SystemRandom(),
        )
        self._stack.push_async_callback(self._close_engine)
        await self.engine.start()
        app = make_app(self.engine, clock=self._clock, settings=self._web_settings())

        async def serve() -> None:
            # Copies of the sockets, because the server closes its own when it ends.
            self._server = Server(app)
            await self._server.serve(sockets=[listener.dup() for listener in listeners])
            self._web_ended.set()

        self._supervisor.start("web", serve)
        self._stack.push_async_callback(self._stop_web)

    def _web_settings(self) -> WebSettings:
        web, site = self._config.web, self._config.site
        return WebSettings(
            title=web.brand.title or site.name,
            zone=ZoneInfo(site.timezone),
            host=web.host,
            port=web.port,
            allowed_hosts=tuple(web.allowed_hosts),
            os_user=user_name(),
        )


def user_name() -> str:
    """Who runs this process; its number where it has no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


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
    """One emulated plant per plant."""
    return EmulatedFleet(
        specs,
        kinds={PlantId(plant): each.model.kind for plant, each in config.plants.items()},
        clock=clock,
        step_s=config.timing.emulation_period_s,
        initial_soc_pu=config.startup.initial_soc_pu,
        v_source_pu=config.grid.v_source_pu,
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
        has_api=False,
        stale_after_s=None if api is None else api.schedule_period_min * 60,
        dispatch_period_s=config.timing.dispatch_period_s,
        measurement_period_s=config.timing.measurement_period_s,
        modbus_timeout_s=config.timing.modbus_timeout_s,
        start_timeout_s=config.timing.start_timeout_s,
        stop_timeout_s=config.safe_stop.timeout_s,
        threshold_kw=config.safe_stop.threshold_kw,
        threshold_kvar=config.safe_stop.threshold_kvar,
        flush_period_s=config.recording.flush_period_s,
        initial_soc_pu=config.startup.initial_soc_pu,
        soc_from_recording=config.startup.soc_from_recording,
        resume=config.startup.resume == "resume",
        resume_max_age_s=config.startup.resume_max_age_s,
        version=__version__,
    )


def build_engine(
    config: Config,
    specs: tuple[PlantSpec, ...],
    link_of: LinkOf,
    clock: Clock,
    *,
    directory: Path,
    store: StateStore,
    emulator: EmulatorControl,
    draw: random.Random,
) -> Engine:
    """An engine over these links, with its recordings below the directory.

    Args:
        draw: Where ids come from.
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
        emulator=emulator,
        new_id=lambda: f"{draw.getrandbits(64):016x}",
    )


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
        lambda spec, _: MemoryLink(
            fleet.plants[spec.id].handle, timeout_s=config.timing.modbus_timeout_s
        ),
        clock,
        directory=out,
        store=MemoryStore(),
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


def _for_rehearsal(config: Config) -> Config:
    """The same bench against its emulated plants, writing to disk rarely."""
    startup = config.startup.model_copy(update={"transport": "local"})
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
