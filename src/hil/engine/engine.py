"""The engine: its parts put together, started, asked and stopped."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hil.api import Versioned, VersionedOverride
from hil.domain.alarms import AlarmKind
from hil.domain.commands import Command, CommandKind
from hil.domain.errors import NotFound
from hil.domain.faults import Fault, FaultKind
from hil.domain.plant import PlantId, PlantSpec, Transport
from hil.domain.schedule import EffectivePoint, Schedule, Series, Signal, effective_points
from hil.domain.signals import COLUMNS
from hil.domain.snapshot import Alarm, EngineState, ScheduleApiState, Snapshot
from hil.domain.stored import Alive
from hil.engine.alarm_desk import AlarmDesk
from hil.engine.audit import Audit
from hil.engine.board import Board, first_picture
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.claims import Claims
from hil.engine.commander import Commander
from hil.engine.day_memory import DayMemory
from hil.engine.earlier_run import EarlierRun
from hil.engine.emulator_desk import EmulatorDesk
from hil.engine.fleet import Fleet, LinkOf
from hil.engine.guests import LentLink
from hil.engine.journal import DURABLE_WITHIN_S, Journal
from hil.engine.lateness import Lateness
from hil.engine.ledger import Ledger, latencies
from hil.engine.market import MarketAccess
from hil.engine.market_desk import MarketDesk
from hil.engine.plant_parts import Plan
from hil.engine.recorder import Recorder
from hil.engine.schedules import Schedules, StoredOverride
from hil.engine.sessions import SHUTDOWN, Sessions
from hil.engine.settings import EngineSettings
from hil.engine.shutdown import stop_all
from hil.engine.site import Site
from hil.engine.supervisor import Supervisor
from hil.ports import Clock, DeviceLocks, EmulatorControl, RowSink, StateStore

log = logging.getLogger(__name__)

# How often the engine says that it is alive: a crash is dated to this.
ALIVE_NS = 10 * NS_PER_S


class Engine:
    """Runs the plants; implements `EngineApi` once it is started.

    Args:
        link_of: Makes the link to a device of a plant's endpoint.
        locks: Keeps other processes from writing to the same devices.
        emulator: The control port of the emulated plants; None when there is none.
        market: The market API; None when there is none.
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
        locks: DeviceLocks,
        emulator: EmulatorControl | None,
        market: MarketAccess | None = None,
        new_id: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._market_access = market
        self._specs = {spec.id: spec for spec in specs}
        self._link_of = link_of
        self._locks = locks
        self._sink = sink
        self._clock = clock
        self._new_id = new_id
        self.memory = DayMemory({s.id: (*COLUMNS, *s.extra_signals) for s in specs})
        self._lateness = Lateness()
        self._ledgers = {spec.id: Ledger() for spec in specs}
        self._supervisor = Supervisor(clock)
        self._journal = Journal(store, clock, on_failing=self._teller(AlarmKind.DATABASE_FAILING))
        self.board = Board(
            first_picture(settings, specs, now=clock.now()), clock, facts=self._facts
        )
        self._desk = AlarmDesk(
            self._journal,
            clock,
            new_id=new_id,
            on_change=lambda: self.board.update(alarms=self._desk.listed()),
        )
        self.sessions = Sessions(self._journal, clock, settings, new_uid=new_id)
        failing = self._teller(AlarmKind.RECORDING_FAILING)
        self._recorder = Recorder(
            sink, self.sessions, clock, settings, specs, ledgers=self._ledgers, on_failing=failing
        )
        self._audit = Audit(self._journal, self.board, clock)
        self._is_started = False
        self._bench = EmulatorDesk(
            emulator,
            clock,
            self.board,
            self._supervisor,
            self._audit,
            new_id=new_id,
            plants=tuple(self._specs),
            soc_left=self._soc_left,
            is_local=lambda: self._site.selectors.transport is Transport.LOCAL,
        )

    def _teller(self, kind: AlarmKind) -> Callable[[str | None], None]:
        return lambda detail: self._desk.set(kind, None, detail)

    # Life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what an earlier run left, and start the owners.

        Raises:
            Impossible: Another process writes to one of the plants.
            HilError: What an earlier run left cannot be read, or a plant has no endpoint.
        """
        await self._journal.load()
        earlier = EarlierRun(self._journal, self._settings, now=self._clock.now())
        leftovers = earlier.leftovers(self._specs.values())
        claims = Claims(self._locks, self._specs, left=leftovers)
        claims.select(earlier.selectors().transport)
        self._desk.restore(self._journal.all("alarm/", Alarm).values())
        self._audit.restore()
        self._recorder.restore()
        self._schedules = Schedules(self._specs, self._journal)
        self._site = self._restored_site(earlier)
        self._market = self._made_market()
        self._fleet = Fleet(
            self._settings,
            list(self._specs.values()),
            self._link_of,
            self._clock,
            board=self.board,
            desk=self._desk,
            journal=self._journal,
            recorder=self._recorder,
            memory=self.memory,
            lateness=self._lateness,
            ledgers=self._ledgers,
            schedules=self._schedules,
            api_base=self._market.base,
            site=self._site,
            supervisor=self._supervisor,
            claims=claims,
            prepare=self._bench.prepare,
        )
        self._fleet.build(
            {plant: earlier.control(plant) for plant in self._specs},
            leftovers=leftovers,
            resume=earlier.is_resumed,
        )
        self._commander = Commander(
            self._fleet.loops,
            self.board,
            self._site,
            self._audit,
            self._clock,
            new_id=self._new_id,
            transport_refusal=self._transport_refusal,
            has_api=self._market.has_api,
            claims=claims,
            on_transport=self._fleet.switch_transport,
        )
        self._start_tasks(" after a crash" if earlier.crashed else "")

    def _start_tasks(self, after: str) -> None:
        self._publish_site()
        self._supervisor.start("journal", self._journal.run)
        self._supervisor.start("alive", self._say_alive)
        self._supervisor.start("recorder", self._recorder.run)
        self._supervisor.start("faults", self._bench.run)
        self._market.start(self._supervisor)
        for plant, loop in self._fleet.loops.items():
            self._supervisor.start(f"plant {plant}", loop.run, loop.after_failure)
        self._is_started = True
        log.info(
            "engine started site=%r transport=%s source=%s plants=%s%s",
            self._settings.site.name,
            self._site.selectors.transport,
            self._site.selectors.source,
            ",".join(self._specs),
            after,
        )

    def _made_market(self) -> MarketDesk:
        return MarketDesk(
            self._market_access,
            self._journal,
            self._clock,
            self.board,
            self._audit,
            new_id=self._new_id,
            selectors=lambda: self._site.selectors,
            measured=self.memory.newest,
            tell=lambda kind, detail: self._desk.set(kind, None, detail),
        )

    def _restored_site(self, earlier: EarlierRun) -> Site:
        if earlier.estop.active:
            self._desk.set(AlarmKind.ESTOP, None, f"by {earlier.estop.by}")
        return Site(
            self._journal,
            earlier.selectors(),
            earlier.services(self._specs.values()),
            estop=earlier.estop,
            on_change=self._publish_site,
        )

    async def _say_alive(self) -> None:
        bell = Bell(self._clock)
        while True:
            self._journal.put("alive", Alive(at=self._clock.now(), clean=False))
            await bell.wait_until(self._clock.monotonic_ns() + ALIVE_NS)

    async def stop_safely(self) -> tuple[str, ...]:
        """Safe-stop every plant that may be under control; nothing is started any more.

        Returns one sentence for each plant that could not be brought to a stop.
        """
        self._recorder.note_ending_of_all(SHUTDOWN)
        left = await stop_all(self._fleet.loops, self._commander, self._audit, self._clock)
        return tuple(f"{self._specs[plant].name}: {why}" for plant, why in left.items())

    async def close(self) -> tuple[str, ...]:
        """Stop the tasks and write what is left; no plant is written any more.

        Returns one sentence for each plant whose rows could not be written.
        """
        await self._supervisor.stop()
        self._locks.hold(())
        if self._is_started:
            await self._market.close()
        for plant in self._specs:
            self._recorder.close_session(plant, SHUTDOWN)
        await self._recorder.flush()
        await self._sink.close()
        if self._is_started:  # else what an earlier run left has still to be taken up
            self._journal.put("alive", Alive(at=self._clock.now(), clean=True))
        await self._journal.close()
        return tuple(
            f"{self._specs[plant].name}: {rows} rows could not be written"
            for plant, rows in self._recorder.unwritten().items()
        )

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
        self.board.update(
            source=site.selectors.source,
            transport=site.selectors.transport,
            switching=site.switching,
            estop=site.estop,
            posting=replace(self.board.snapshot().posting, enabled=site.selectors.posting_enabled),
        )
        self._market.look_again()

    def _facts(self, state: EngineState) -> EngineState:
        return replace(
            state,
            dispatch_lateness_ms=self._lateness.percentiles(),
            missed_steps=self._lateness.missed_steps,
            latency_ms=latencies(self._ledgers.values()),
        )

    # EngineApi -------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        return self.board.snapshot()

    async def changed(self, after_seq: int) -> None:
        await self.board.changed(after_seq)

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
        plan = self.plan(plant)
        return effective_points(
            plan.base,
            plan.overrides,
            plan.source,
            start=start,
            end=end,
            stale_after_s=plan.stale_after_s,
        )

    def plan(self, plant: PlantId) -> Plan:
        """What is to be dispatched to a plant now."""
        return self._fleet.plan(self._known(plant))

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

    def api_schedule(self, plant: PlantId) -> Schedule:
        return self._market.base(self._known(plant))

    async def connect_schedule_api(self, password: str | None, *, by: str) -> ScheduleApiState:
        return await self._market.connect(password, by=by)

    async def disconnect_schedule_api(self, *, by: str) -> ScheduleApiState:
        return await self._market.disconnect(by=by)

    async def set_fault(
        self, plant: PlantId, faults: Sequence[Fault], *, by: str
    ) -> tuple[Fault, ...]:
        return await self._bench.set_faults(self._known(plant), faults, by=by)

    async def clear_fault(
        self, plant: PlantId, kinds: Sequence[FaultKind], *, by: str
    ) -> tuple[Fault, ...]:
        return await self._bench.clear_faults(self._known(plant), kinds, by=by)

    def lend(self, plant: PlantId, device: str | None = None) -> LentLink:
        return self._fleet.loops[self._known(plant)].guests.lend(device)

    def _known(self, plant: PlantId) -> PlantId:
        if plant not in self._specs:
            raise NotFound(f"there is no plant {plant!r}; there are {', '.join(self._specs)}")
        return plant
