"""A live bench: sockets, files and signals' safe end, in one process and one loop."""

import asyncio
import getpass
import logging
import os
import random
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from hil.adapters.data_directory import DataDirectory, listen_tcp
from hil.adapters.device_lock import FileLocks, addresses_of
from hil.adapters.emulator_control import ControlClient, EmulatorControlServer
from hil.adapters.garbage import settle
from hil.adapters.log_files import LogFiles
from hil.adapters.log_folder import LogFolder
from hil.adapters.log_writer import LogWriter
from hil.adapters.modbus_server import ModbusServer
from hil.adapters.shared_link import TcpLinks
from hil.adapters.sqlite_store import SqliteStore
from hil.adapters.system_clock import SystemClock
from hil.assembly.bench import build_engine, build_history, checked_specs, emulated_fleet
from hil.assembly.feasibility import subjects_of
from hil.assembly.market import market_access
from hil.checkup.through_engine import Checkups
from hil.config.model import Config
from hil.domain.errors import HilError
from hil.domain.plant import PlantSpec, Transport
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.engine import Engine
from hil.engine.feasibility_desk import FeasibilityDesk
from hil.engine.supervisor import Supervisor
from hil.history.history import History
from hil.web.app import WebSettings, make_app
from hil.web.server import Server

log = logging.getLogger(__name__)

STATE_NAME = "hil.sqlite"
# Open answers have this long to be finished at the end; the server itself drops streams sooner.
WEB_CLOSES_WITHIN_S = 10.0
# So long after midnight, at most, the day before begins to be sealed.
LOOKS_FOR_DAYS_NS = 1800 * NS_PER_S


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
        self._sealing = Supervisor(self._clock)
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
            logs = None if directory is None else self._open_log(directory)
            if self._parts.emulation:
                await self._start_emulation(specs)
            if directory is not None and logs is not None:
                await self._start_engine(specs, directory, logs)
        except BaseException:
            await self._stack.aclose()
            raise
        settle()

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
            served_by = fleet.served(spec.id)
            for name, device in spec.endpoints[Transport.LOCAL].servers.items():
                served, who = served_by[name], spec.label(name)
                server = ModbusServer(served.handle, unit_id=device.unit_id)
                await server.start(device.host, device.port)
                self._stack.push_async_callback(server.close)
                served.listen(server.knock)
                self._doors.start(f"door {who}", partial(server.attend, served.door))
                log.info("plant=%s emulated on %s:%d", who, device.host, device.port)
        self._stack.push_async_callback(self._doors.stop)
        control = EmulatorControlServer(fleet)
        await control.start(self._config.emulation.control_port)
        self._stack.push_async_callback(control.close)

    def _open_log(self, directory: DataDirectory) -> LogFiles:
        """Log to files as well from now on, until all that logs has ended."""
        section, zone = self._config.logging, ZoneInfo(self._config.site.timezone)
        folder = LogFolder(directory.path / section.directory)
        writer = LogWriter(
            folder,
            zone=zone,
            retention_days=section.retention_days,
            bytes_max=round(section.max_total_mb * 1e6),
            clock=self._clock,
        )
        writer.start()
        self._stack.callback(writer.close)
        files = LogFiles(folder, zone=zone, clock=self._clock)
        self._stack.callback(files.close)
        return files

    async def _start_engine(
        self, specs: tuple[PlantSpec, ...], directory: DataDirectory, logs: LogFiles
    ) -> None:
        config = self._config
        listeners = [directory.listen()]
        self._stack.callback(listeners[0].close)
        if self._parts.web:
            listeners.append(listen_tcp(config.web.host, config.web.port, what="the page"))
            self._stack.callback(listeners[1].close)
        hosts = {e.main.host for spec in specs for e in spec.endpoints.values()}
        links = TcpLinks(timeout_s=config.timing.modbus_timeout_s)
        self.engine = build_engine(
            config,
            specs,
            lambda _, __, device: links.link(device),
            self._clock,
            directory=directory.path,
            store=SqliteStore(directory.path / config.recording.directory / STATE_NAME),
            locks=FileLocks(f"data directory {directory.path}", await addresses_of(hosts)),
            emulator=ControlClient(config.emulation.control_port),
            draw=random.SystemRandom(),
            market=market_access(config, specs, self._clock, draw=random.SystemRandom()),
        )
        self._stack.push_async_callback(self._close_engine)
        await self.engine.start()
        desk = FeasibilityDesk(
            self.engine.plan, self.engine.board, self._clock, subjects_of(config, specs)
        )
        self._supervisor.start("feasibility", desk.run)
        history = self._start_history(specs, directory, self.engine)
        app = make_app(
            self.engine,
            logs=logs,
            checkups=Checkups(
                self.engine, specs, self._clock, within_s=config.timing.modbus_timeout_s
            ),
            feasibility=desk,
            sessions=self.engine.sessions,
            history=history,
            clock=self._clock,
            settings=self._web_settings(),
        )

        async def serve() -> None:
            # Copies of the sockets, because the server closes its own when it ends.
            self._server = Server(app)
            await self._server.serve(sockets=[listener.dup() for listener in listeners])
            self._web_ended.set()

        self._supervisor.start("web", serve)
        self._stack.push_async_callback(self._stop_web)

    def _start_history(
        self, specs: tuple[PlantSpec, ...], directory: DataDirectory, engine: Engine
    ) -> History:
        history = build_history(
            self._config, specs, directory.path, recent=engine.memory, clock=self._clock
        )
        self._stack.push_async_callback(history.close)

        async def seal() -> None:
            bell = Bell(self._clock)
            while True:
                try:
                    is_done = not await history.seal_next()
                except HilError as error:
                    log.warning("a day is not sealed: %s", error)
                    is_done = False
                if is_done:
                    await bell.wait_until(self._clock.monotonic_ns() + LOOKS_FOR_DAYS_NS)

        self._sealing.start("seal days", seal)
        self._stack.push_async_callback(self._sealing.stop)
        return history

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
