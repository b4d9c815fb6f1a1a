"""The engine: its parts put together, started, asked and stopped."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hil.domain.alarms import AlarmKind
from hil.domain.commands import Command, CommandKind
from hil.domain.errors import NotFound
from hil.domain.faults import Fault, FaultKind
from hil.domain.plant import PlantId, PlantSpec, Transport
from hil.domain.schedule import EffectivePoint, Schedule, Series, Signal, effective_points
from hil.domain.signals import COLUMNS
from hil.domain.snapshot import Alarm, EngineState, Estop, Snapshot, initial_snapshot
from hil.domain.stored import Alive, Control, Selectors, Service
from hil.engine.alarm_desk import AlarmDesk
from hil.engine.audit import Audit
from hil.engine.board import Board
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.commander import Commander
from hil.engine.day_memory import DayMemory
from hil.engine.emulator_desk import EmulatorDesk
from hil.engine.fleet import Fleet, LinkOf
from hil.engine.guests import LentLink
from hil.engine.journal import Journal
from hil.engine.lateness import Lateness
from hil.engine.ledger import Ledger, latencies
from hil.engine.recorder import Recorder
from hil.engine.schedules import Schedules, StoredOverride
from hil.engine.settings import EngineSettings
from hil.engine.site import Site
from hil.engine.supervisor import Supervisor
from hil.ports import Clock, EmulatorControl, RowSink, StateStore, Versioned, VersionedOverride

log = logging.getLogger(__name__)

# How long an edit waits to be durable before it is answered all the same (an alarm says why).
DURABLE_WITHIN_S = 1.0
# How often the engine says that it is alive: a crash is dated to this.
ALIVE_NS = 10 * NS_PER_S
# Rounds of stops at a shutdown: a second one for what came in during the first.
SHUTDOWN_ROUNDS = 2


class Engine:
    """Runs the plants; implements `EngineApi` once it is started.

    Args:
        link_of: Makes the link to a device of a plant's endpoint.
        emulator: The control port of the emulated plants; None when there is none.
        new_id: Gives ids of commands, alarms and sessions.
    """

    def __init__(
        self,
        settings: EngineSettings,
        specs: Sequence[PlantSpec],
        link_of: LinkOf,
        sink: RowSink,
        store: StateStore,
        clock: Clock,
        *,
        emulator: EmulatorControl | None,
        new_id: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._specs = {spec.id: spec for spec in specs}
        self._link_of = link_of
        self._sink = sink
        self._clock = clock
        self._new_id = new_id
        self.memory = DayMemory({s.id: (*COLUMNS, *s.extra_signals) for s in specs})
        self._lateness = Lateness()
        self._ledgers = {spec.id: Ledger() for spec in specs}
        self._supervisor = Supervisor(clock)
        self._journal = Journal(store, clock, on_failing=self._teller(AlarmKind.DATABASE_FAILING))
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
        self._desk = AlarmDesk(
            self._journal,
            clock,
            new_id=new_id,
            on_change=lambda: self._board.update(alarms=self._desk.listed()),
        )
        self._recorder = Recorder(
            sink,
            clock,
            flush_period_s=settings.flush_period_s,
            row_period_s=settings.measurement_period_s,
            new_uid=new_id,
            on_failing=self._teller(AlarmKind.RECORDING_FAILING),
        )
        self._audit = Audit(self._journal, self._board, clock)
        self._bench = EmulatorDesk(
            emulator,
            clock,
            self._board,
            self._supervisor,
            plants=tuple(self._specs),
            soc_left=self._soc_left,
            is_local=lambda: self._site.selectors.transport is Transport.LOCAL,
        )

    def _teller(self, kind: AlarmKind) -> Callable[[str | None], None]:
        return lambda detail: self._desk.set(kind, None, detail)

    # Life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what an earlier run left, and start the owners; raises HilError."""
        await self._journal.load()
        alive = self._journal.get("alive", Alive)
        crashed = alive is not None and not alive.clean
        self._desk.restore(self._journal.all("alarm/", Alarm).values())
        self._audit.restore()
        self._schedules = Schedules(self._specs, self._journal)
        self._site = self._restored_site(crashed=crashed)
        self._fleet = Fleet(
            self._settings,
            list(self._specs.values()),
            self._link_of,
            self._clock,
            board=self._board,
            desk=self._desk,
            journal=self._journal,
            recorder=self._recorder,
            memory=self.memory,
            lateness=self._lateness,
            ledgers=self._ledgers,
            schedules=self._schedules,
            site=self._site,
            supervisor=self._supervisor,
            prepare=self._bench.prepare,
        )
        self._fleet.build(
            {plant: self._left(plant, crashed=crashed) for plant in self._specs},
            resume=crashed and self._is_fresh(alive),
        )
        self._commander = Commander(
            self._fleet.loops,
            self._board,
            self._site,
            self._audit,
            self._clock,
            new_id=self._new_id,
            transport_refusal=self._transport_refusal,
            has_api=self._settings.has_api,
            on_transport=self._fleet.switch_transport,
        )
        self._publish_site()
        self._supervisor.start("journal", self._journal.run)
        self._supervisor.start("alive", self._say_alive)
        self._supervisor.start("recorder", self._recorder.run)
        self._supervisor.start("faults", self._bench.run)
        for plant, loop in self._fleet.loops.items():
            self._supervisor.start(f"plant {plant}", loop.run, loop.after_failure)
        log.info(
            "engine started site=%r transport=%s source=%s plants=%s%s",
            self._settings.site.name,
            self._site.selectors.transport,
            self._site.selectors.source,
            ",".join(self._specs),
            " after a crash" if crashed else "",
        )

    def _restored_site(self, *, crashed: bool) -> Site:
        configured = Selectors(
            source=self._settings.source,
            transport=self._settings.transport,
            posting_enabled=self._settings.posting_enabled,
        )
        stored = self._journal.get("selectors", Selectors) if crashed else None
        estop = self._journal.get("estop", Estop) or Estop()
        if estop.active:
            self._desk.set(AlarmKind.ESTOP, None, f"by {estop.by}")
        return Site(
            self._journal,
            stored or configured,
            {
                plant: self._journal.get(f"service/{plant}", Service)
                or Service(in_service=spec.in_service)
                for plant, spec in self._specs.items()
            },
            estop=estop,
            on_change=self._publish_site,
        )

    def _left(self, plant: PlantId, *, crashed: bool) -> Control:
        """What an earlier run left of a plant: after an orderly end only a stop that is pending."""
        stored = self._journal.get(f"control/{plant}", Control) or Control()
        if stored.engaged and self._site.estop.active:
            return replace(stored, stop_pending=True)
        return stored if crashed else Control(stop_pending=stored.stop_pending)

    def _is_fresh(self, alive: Alive | None) -> bool:
        if alive is None or not self._settings.resume:
            return False
        age = self._clock.now() - alive.at
        return timedelta(0) <= age <= timedelta(seconds=self._settings.resume_max_age_s)

    async def _say_alive(self) -> None:
        bell = Bell(self._clock)
        while True:
            self._journal.put("alive", Alive(at=self._clock.now(), clean=False))
            await bell.wait_until(self._clock.monotonic_ns() + ALIVE_NS)

    async def stop_safely(self) -> tuple[str, ...]:
        """Safe-stop every plant that may be under control; nothing is started any more.

        Returns one sentence for each plant that could not be brought to a stop.
        """
        self._commander.closing = "the engine is shutting down"
        loops = self._fleet.loops
        ended: dict[PlantId, Command] = {}
        for _ in range(SHUTDOWN_ROUNDS):
            stops = {
                plant: self._commander.submit(CommandKind.STOP, plant, by="shutdown")
                for plant, loop in loops.items()
                if not loop.is_quiet and not loop.is_foreign
            }
            ended |= {plant: await self._ended(stop.id) for plant, stop in stops.items()}
        failures = {plant: stop.error for plant, stop in ended.items() if stop.error is not None}
        foreign = {
            plant: "it was found enabled by somebody else, and was left alone"
            for plant, loop in loops.items()
            if loop.is_foreign
        }
        return tuple(
            f"{self._specs[plant].name}: {why}" for plant, why in (failures | foreign).items()
        )

    async def close(self) -> tuple[str, ...]:
        """Stop the tasks and write what is left; no plant is written any more.

        Returns one sentence for each plant whose rows could not be written.
        """
        await self._supervisor.stop()
        for plant in self._specs:
            self._recorder.close_session(plant)
        await self._recorder.flush()
        await self._sink.close()
        self._journal.put("alive", Alive(at=self._clock.now(), clean=True))
        await self._journal.close()
        return tuple(
            f"{self._specs[plant].name}: {rows} rows could not be written"
            for plant, rows in self._recorder.unwritten().items()
        )

    async def _ended(self, command_id: str) -> Command:
        bell = Bell(self._clock)
        while not (command := self._audit.command(command_id)).status.is_final:
            await bell.wait_until(self._clock.monotonic_ns() + NS_PER_S // 20)
        return command

    async def _soc_left(self, plant: PlantId) -> float:
        """The state of charge that an idle emulated plant is to take up."""
        soc_pu: float | None = None
        if self._settings.soc_from_recording:
            await self._recorder.flush()
            soc_pu = await self._sink.newest_soc_pu(plant)
        return self._settings.initial_soc_pu if soc_pu is None else soc_pu

    def _transport_refusal(self, transport: Transport) -> str | None:
        missing = [s.name for s in self._specs.values() if transport not in s.endpoints]
        if missing:
            return f"{', '.join(missing)}: no {transport} endpoint is configured"
        return None

    def _publish_site(self) -> None:
        site = self._site
        self._bench.look_now()
        self._desk.set(AlarmKind.ESTOP, None, f"by {site.estop.by}" if site.estop.active else None)
        self._board.update(
            source=site.selectors.source,
            transport=site.selectors.transport,
            switching=site.switching,
            estop=site.estop,
            posting=replace(self._board.snapshot().posting, enabled=site.selectors.posting_enabled),
        )

    def _facts(self, state: EngineState) -> EngineState:
        return replace(
            state,
            dispatch_lateness_ms=self._lateness.percentiles(),
            missed_steps=self._lateness.missed_steps,
            latency_ms=latencies(self._ledgers.values()),
        )

    # EngineApi -------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        return self._board.snapshot()

    async def changed(self, after_seq: int) -> None:
        await self._board.changed(after_seq)

    def submit(
        self,
        kind: CommandKind,
        plant: PlantId | None,
        *,
        by: str,
        asked: dict[str, Any] | None = None,
    ) -> Command:
        return self._commander.submit(kind, plant, by=by, asked=asked)

    def command(self, command_id: str) -> Command:
        return self._audit.command(command_id)

    def commands(self) -> tuple[Command, ...]:
        return self._audit.commands()

    async def acknowledge(self, alarm_id: str, *, by: str, note: str | None) -> Alarm:
        alarm = self._desk.acknowledge(alarm_id, by=by, note=note)
        await self._journal.flush(DURABLE_WITHIN_S)
        return alarm

    def effective_schedule(
        self, plant: PlantId, start: datetime, end: datetime
    ) -> tuple[EffectivePoint, ...]:
        plan = self._fleet.plan(self._known(plant))
        return effective_points(plan.base, plan.overrides, plan.source, start=start, end=end)

    def manual_schedule(self, plant: PlantId) -> Versioned:
        return self._schedules.manual(self._known(plant))

    async def put_manual_schedule(
        self, plant: PlantId, schedule: Schedule, *, by: str, if_match: str | None = None
    ) -> Versioned:
        kept = self._schedules.put(self._known(plant), schedule, by=by, if_match=if_match)
        await self._journal.flush(DURABLE_WITHIN_S)
        return kept

    def override(self, plant: PlantId, signal: Signal) -> VersionedOverride:
        return self._versioned(self._schedules.override(self._known(plant), signal))

    async def put_override(
        self,
        plant: PlantId,
        signal: Signal,
        series: Series,
        *,
        by: str,
        if_match: str | None = None,
    ) -> VersionedOverride:
        kept = self._schedules.put_override(
            self._known(plant), signal, series, by=by, if_match=if_match
        )
        await self._journal.flush(DURABLE_WITHIN_S)
        return self._versioned(kept)

    def _versioned(self, stored: StoredOverride) -> VersionedOverride:
        is_active = stored.series.at(self._clock.now()) is not None
        return VersionedOverride(stored.series, etag=stored.etag, is_active=is_active)

    async def set_fault(
        self, plant: PlantId, faults: Sequence[Fault], *, by: str
    ) -> tuple[Fault, ...]:
        return await self._bench.set_faults(self._known(plant), faults, by=by)

    async def clear_fault(
        self, plant: PlantId, kinds: Sequence[FaultKind], *, by: str
    ) -> tuple[Fault, ...]:
        return await self._bench.clear_faults(self._known(plant), kinds, by=by)

    def lend(self, plant: PlantId) -> LentLink:
        return self._fleet.loops[self._known(plant)].guests.lend()

    def _known(self, plant: PlantId) -> PlantId:
        if plant not in self._specs:
            raise NotFound(f"there is no plant {plant!r}; there are {', '.join(self._specs)}")
        return plant
