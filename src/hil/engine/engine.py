"""The engine: its parts put together, started, asked and stopped."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hil.domain.commands import Command, CommandKind
from hil.domain.downsample import Buckets, bucketise
from hil.domain.errors import HilError, NotFound
from hil.domain.phase import Phase
from hil.domain.plant import PlantId, PlantSpec, Source, Transport
from hil.domain.schedule import EffectivePoint, Schedule, effective_points
from hil.domain.signals import COLUMNS
from hil.domain.snapshot import EngineState, SiteInfo, Snapshot, initial_snapshot
from hil.engine.board import Board
from hil.engine.cadence import NS_PER_S, Bell, Cadence, period_ns
from hil.engine.commander import Commander
from hil.engine.day_memory import DayMemory
from hil.engine.lateness import Lateness
from hil.engine.meter import extra_signals
from hil.engine.plant_loop import PlantLoop, PlantParts, PlantTiming
from hil.engine.plant_points import PlantPoints
from hil.engine.recorder import Recorder
from hil.engine.schedules import Schedules
from hil.engine.supervisor import Supervisor
from hil.ports import Clock, EmulatorControl, PlantLink, RowSink, Versioned

log = logging.getLogger(__name__)

# Up to this many plants all steps lie at phase 0; above it they are spread over the period, because
# many exchanges at one instant queue up behind each other.
PLANTS_IN_PHASE_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What an engine is told once; periods and time-outs in seconds."""

    site: SiteInfo
    source: Source
    transport: Transport
    posting_enabled: bool
    dispatch_period_s: float
    measurement_period_s: float
    modbus_timeout_s: float
    start_timeout_s: float
    stop_timeout_s: float
    threshold_kw: float
    threshold_kvar: float
    flush_period_s: float
    initial_soc_pu: float
    soc_from_recording: bool
    version: str

    @property
    def exchange_within_s(self) -> float:
        """A whole exchange ends within this, so that the next step finds the owner free."""
        return min(
            2 * self.modbus_timeout_s,
            0.8 * min(self.dispatch_period_s, self.measurement_period_s),
        )


class Engine:
    """Runs the plants; implements `EngineApi`.

    Args:
        emulator: The control port of the emulated plants; None when there is none.
        new_id: Gives ids of commands and sessions.
    """

    def __init__(
        self,
        settings: EngineSettings,
        specs: Sequence[PlantSpec],
        links: Mapping[PlantId, PlantLink],
        sink: RowSink,
        clock: Clock,
        *,
        emulator: EmulatorControl | None,
        new_id: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._specs = {spec.id: spec for spec in specs}
        self._sink = sink
        self._clock = clock
        self._emulator = emulator
        self._lateness = Lateness()
        self._memory = DayMemory()
        self._schedules = Schedules(self._specs)
        self._supervisor = Supervisor(clock)
        self._board = Board(
            initial_snapshot(
                site=settings.site,
                plants=specs,
                source=settings.source,
                transport=settings.transport,
                posting_enabled=settings.posting_enabled,
                version=settings.version,
                now=clock.now(),
            ),
            clock,
            facts=self._facts,
        )
        self._recorder = Recorder(
            sink,
            clock,
            flush_period_s=settings.flush_period_s,
            row_period_s=settings.measurement_period_s,
            new_uid=new_id,
        )
        self._loops = {
            spec.id: self._plant_loop(spec, links[spec.id], index, len(specs))
            for index, spec in enumerate(specs)
        }
        self._commander = Commander(self._loops, self._board, clock, new_id=new_id)

    def _plant_loop(self, spec: PlantSpec, link: PlantLink, index: int, count: int) -> PlantLoop:
        settings = self._settings
        dispatch_ns = period_ns(settings.dispatch_period_s)
        spread_ns = dispatch_ns * index // count if count > PLANTS_IN_PHASE_MAX else 0
        return PlantLoop(
            spec,
            PlantPoints(
                spec.id,
                spec.endpoints[settings.transport],
                link,
                self._clock,
                within_s=settings.exchange_within_s,
            ),
            Cadence(
                self._clock,
                dispatch_ns=dispatch_ns,
                measurement_ns=period_ns(settings.measurement_period_s),
                phase_ns=spread_ns // 1_000_000 * 1_000_000,  # rows are stamped in whole ms
            ),
            PlantParts(
                clock=self._clock,
                board=self._board,
                recorder=self._recorder,
                memory=self._memory,
                lateness=self._lateness,
                timing=PlantTiming(
                    start_timeout_s=settings.start_timeout_s,
                    stop_timeout_s=settings.stop_timeout_s,
                    threshold_kw=settings.threshold_kw,
                    threshold_kvar=settings.threshold_kvar,
                ),
                source=lambda: settings.source,
                before_start=lambda: self._seed_soc(spec.id),
            ),
            lambda: self._schedules.manual(spec.id).schedule,
        )

    # Life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the recorder and one owner a plant."""
        self._supervisor.start("recorder", self._recorder.run)
        for plant, loop in self._loops.items():
            self._supervisor.start(f"plant {plant}", loop.run, loop.after_failure)
        log.info(
            "engine started site=%r transport=%s source=%s plants=%s",
            self._settings.site.name,
            self._settings.transport,
            self._settings.source,
            ",".join(self._loops),
        )

    async def stop_safely(self) -> tuple[str, ...]:
        """Safe-stop every plant that may be under our control, then close the recordings.

        Returns one sentence for each plant that could not be brought to a stop.
        """
        moving = [
            plant for plant in self._loops if self._board.plant(plant).phase is not Phase.STOPPED
        ]
        stops = [self._commander.submit(CommandKind.STOP, plant, by="shutdown") for plant in moving]
        ended = [await self._ended(stop.id) for stop in stops]
        return tuple(
            f"{self._board.plant(stop.plant).name}: {stop.error}"
            for stop in ended
            if stop.plant is not None and stop.error is not None
        )

    async def close(self) -> None:
        """Stop the tasks and flush what was recorded; no plant is written any more."""
        await self._supervisor.stop()
        for plant in self._loops:
            self._recorder.close_session(plant)
        await self._recorder.flush()
        await self._sink.close()

    async def _ended(self, command_id: str) -> Command:
        bell = Bell(self._clock)
        while not (command := self._commander.command(command_id)).status.is_final:
            await bell.wait_until(self._clock.monotonic_ns() + NS_PER_S // 20)
        return command

    async def _seed_soc(self, plant: PlantId) -> None:
        """Give an idle emulated plant the state of charge it was left with."""
        if self._emulator is None or self._settings.transport is not Transport.LOCAL:
            return
        soc_pu: float | None = None
        if self._settings.soc_from_recording:
            await self._recorder.flush()
            soc_pu = await self._sink.newest_soc_pu(plant)
        if soc_pu is None:
            soc_pu = self._settings.initial_soc_pu
        try:
            await self._emulator.set_soc(plant, soc_pu)
        except HilError as error:
            log.warning("plant=%s keeps its state of charge: %s", plant, error)

    def _facts(self, state: EngineState) -> EngineState:
        return replace(
            state,
            dispatch_lateness_ms=self._lateness.percentiles(),
            missed_steps=self._lateness.missed_steps,
        )

    # EngineApi -------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        return self._board.snapshot()

    async def changed(self, after_seq: int) -> None:
        await self._board.changed(after_seq)

    def submit(self, kind: CommandKind, plant: PlantId | None, *, by: str) -> Command:
        return self._commander.submit(kind, plant, by=by)

    def command(self, command_id: str) -> Command:
        return self._commander.command(command_id)

    def commands(self) -> tuple[Command, ...]:
        return self._commander.commands()

    def effective_schedule(
        self, plant: PlantId, start: datetime, end: datetime
    ) -> tuple[EffectivePoint, ...]:
        base = self._schedules.manual(self._known(plant)).schedule
        return effective_points(base, self._settings.source, start=start, end=end)

    def manual_schedule(self, plant: PlantId) -> Versioned:
        return self._schedules.manual(self._known(plant))

    def put_manual_schedule(
        self, plant: PlantId, schedule: Schedule, *, by: str, if_match: str | None = None
    ) -> Versioned:
        return self._schedules.put(self._known(plant), schedule, by=by, if_match=if_match)

    async def measurements(
        self, plant: PlantId, start: datetime, end: datetime, *, points: int
    ) -> Buckets:
        registers = self._specs[self._known(plant)].endpoints[self._settings.transport].registers
        return bucketise(
            self._memory.between(plant, start, end),
            (*COLUMNS, *extra_signals(registers)),
            start=start,
            end=end,
            points=points,
        )

    def _known(self, plant: PlantId) -> PlantId:
        if plant not in self._specs:
            raise NotFound(f"there is no plant {plant!r}; there are {', '.join(self._specs)}")
        return plant
