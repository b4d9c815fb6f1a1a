"""An engine that plays a script, a clock, and clients for the tests of the web part."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI

from hil.api import HistoryApi, LogApi, Versioned, VersionedOverride
from hil.domain.alarms import CATALOGUE, AlarmKind
from hil.domain.commands import Command, CommandKind, CommandStatus
from hil.domain.errors import EditConflict, Impossible, NotFound
from hil.domain.faults import Fault, FaultKind
from hil.domain.phase import Phase
from hil.domain.plant import Nameplate, PlantId, Source, Transport
from hil.domain.schedule import EffectivePoint, Schedule, Series, Signal
from hil.domain.signals import Measurement
from hil.domain.snapshot import (
    Alarm,
    CommandsState,
    ConnectionStatus,
    EngineState,
    Estop,
    Link,
    LinkStatus,
    Origin,
    Origins,
    PlantState,
    PostingPlant,
    PostingState,
    ScheduleApiState,
    SetpointState,
    SiteInfo,
    Snapshot,
)
from hil.web.app import WebSettings, make_app
from web_logs import FakeLogs
from web_sessions import sessions_of

NOON = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
LIB = PlantId("lib")
VRFB = PlantId("vrfb")
SETTINGS = WebSettings(title="HIL Scheduler", zone=ZoneInfo("Europe/Madrid"), os_user="ana")
PLATES = {
    LIB: ("LIB", Nameplate(
        p_max_kw=1000, p_min_kw=-1000, q_max_kvar=600, q_min_kvar=-600,
        capacity_kwh=500, v_nominal_kv=20,
    )),
    VRFB: ("VRFB", Nameplate(
        p_max_kw=160, p_min_kw=-160, q_max_kvar=64, q_min_kvar=-64,
        capacity_kwh=400, v_nominal_kv=0.22,
    )),
}  # fmt: skip


class FixedClock:
    """Shows the loop's time since noon of the test day, or stands still outside a loop."""

    def monotonic_ns(self) -> int:
        return round(self._loop_s() * 1e9)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self._loop_s())

    def _loop_s(self) -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0


def measured(at: datetime, *, p_kw: float, soc_pu: float, set_kw: float) -> Measurement:
    """A reading with this active power and state of charge."""
    return Measurement(
        time=at,
        p_setpoint_kw=set_kw,
        battery_active_power_kw=p_kw,
        q_setpoint_kvar=0.0,
        battery_reactive_power_kvar=0.0,
        soc_pu=soc_pu,
        p_poi_kw=p_kw,
        q_poi_kvar=0.0,
        v_poi_kV=20.01,
        enabled=True,
    )


def plant_state(plant: PlantId, **changes: Any) -> PlantState:
    """A stopped plant that answers; `changes` are fields of the state."""
    name, limits = PLATES[plant]
    state = PlantState(
        name=name,
        phase=Phase.STOPPED,
        dispatching=False,
        recording=False,
        in_service=True,
        limits=limits,
        measurement=measured(NOON, p_kw=0.0, soc_pu=0.5, set_kw=0.0),
        setpoint=SetpointState(p_kw=0.0, q_kvar=0.0, origin=Origin.NONE),
        link=Link(status=LinkStatus.OK, age_s=0.4),
    )
    return replace(state, **changes)


def first_snapshot() -> Snapshot:
    """Two stopped plants at noon."""
    return Snapshot(
        seq=1,
        time=NOON,
        site=SiteInfo(name="HIL bench", timezone="Europe/Madrid"),
        source=Source.MANUAL,
        transport=Transport.LOCAL,
        switching=None,
        estop=Estop(),
        plants={plant: plant_state(plant) for plant in (LIB, VRFB)},
        schedule_api=ScheduleApiState(),
        posting=PostingState(
            enabled=False,
            effective=False,
            why_not="no market API is configured",
            plants={plant: PostingPlant() for plant in (LIB, VRFB)},
        ),
        commands=CommandsState(),
        alarms=(),
        engine=EngineState(started_at=NOON, version="0.1.0"),
    )


def alarm(name: str, kind: AlarmKind = AlarmKind.LINK_LOST, **changes: Any) -> Alarm:
    """An active alarm of LIB, raised at noon; `changes` are fields of it."""
    fixed = CATALOGUE[kind]
    raised = Alarm(
        id=name,
        kind=kind,
        priority=fixed.priority,
        plant=LIB,
        text=fixed.text,
        action=fixed.action,
        raised_at=NOON,
    )
    return replace(raised, **changes)


class FakeEngine:
    """Holds a picture that the test changes; keeps what it was asked for."""

    def __init__(self) -> None:
        self.picture = first_snapshot()
        self.submitted: list[Command] = []
        self.schedules: dict[PlantId, Versioned] = {
            plant: Versioned(Schedule(), "v0") for plant in self.picture.plants
        }
        self.overrides: dict[tuple[PlantId, Signal], VersionedOverride] = {
            (plant, signal): VersionedOverride(Series(), "v0", is_active=False)
            for plant in self.picture.plants
            for signal in Signal
        }
        self.written_by: list[str] = []
        self.plans: dict[PlantId, Schedule] = {}
        self.passwords: list[str | None] = []
        self.faults: dict[FaultKind, Fault] = {}
        self.refuse: Exception | None = None
        self.may_measure = asyncio.Event()  # cleared: histories take for ever
        self.may_measure.set()
        self._news = asyncio.Event()

    def publish(self, **changes: Any) -> None:
        """Show a newer picture with these fields changed."""
        seq = self.picture.seq + 1
        self.picture = replace(self.picture, seq=seq, **changes)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def publish_plant(self, plant: PlantId, **changes: Any) -> None:
        """Show a newer picture in which one plant differs."""
        changed = replace(self.picture.plants[plant], **changes)
        self.publish(plants={**self.picture.plants, plant: changed})

    def settle(self, command: Command, status: CommandStatus, error: str | None = None) -> None:
        """Let a command stand at this status, in the audit trail and in the picture."""
        started = command.queued_at if status is not CommandStatus.QUEUED else None
        ended = command.queued_at if status.is_final else None
        new = replace(command, status=status, error=error, started_at=started, ended_at=ended)
        self.submitted = [new if old.id == new.id else old for old in self.submitted]
        self.publish(commands=self._shown())

    def _shown(self) -> CommandsState:
        of = {
            status: tuple(one for one in self.submitted if one.status is status)
            for status in CommandStatus
        }
        return CommandsState(
            queued=of[CommandStatus.QUEUED],
            running=of[CommandStatus.RUNNING],
            recent=tuple(one for one in reversed(self.submitted) if one.status.is_final)[:20],
        )

    def snapshot(self) -> Snapshot:
        return self.picture

    async def changed(self, after_seq: int) -> None:
        while self.picture.seq <= after_seq:
            await self._news.wait()

    def submit(
        self,
        kind: CommandKind,
        plant: PlantId | None,
        *,
        by: str,
        asked: dict[str, Any] | None = None,
    ) -> Command:
        if plant is not None:
            self._known(plant)
        if self.refuse is not None:
            raise self.refuse
        command = Command(
            id=f"c{len(self.submitted) + 1}",
            kind=kind,
            plant=plant,
            asked=asked,
            status=CommandStatus.QUEUED,
            by=by,
            queued_at=self.picture.time,
        )
        self.submitted.append(command)
        self.publish(commands=self._shown())
        return command

    def command(self, command_id: str) -> Command:
        for command in self.submitted:
            if command.id == command_id:
                return command
        raise NotFound(f"There is no command {command_id!r}.")

    def commands(self) -> tuple[Command, ...]:
        return tuple(reversed(self.submitted))

    def effective_schedule(
        self, plant: PlantId, start: datetime, end: datetime
    ) -> tuple[EffectivePoint, ...]:
        self._known(plant)
        return (EffectivePoint(time=start, p_kw=100.0, q_kvar=0.0, origin=Origin.MANUAL),)

    def manual_schedule(self, plant: PlantId) -> Versioned:
        self._known(plant)
        return self.schedules[plant]

    async def put_manual_schedule(
        self, plant: PlantId, schedule: Schedule, *, by: str, if_match: str | None = None
    ) -> Versioned:
        present = self.manual_schedule(plant)
        if if_match not in {None, present.etag}:
            raise EditConflict("The schedule was changed meanwhile. Read it again.")
        self.written_by.append(by)
        number = int(present.etag.removeprefix("v")) + 1
        self.schedules[plant] = Versioned(schedule, f"v{number}")
        self.publish()
        return self.schedules[plant]

    def override(self, plant: PlantId, signal: Signal) -> VersionedOverride:
        self._known(plant)
        return self.overrides[plant, signal]

    def api_schedule(self, plant: PlantId) -> Schedule:
        self._known(plant)
        return self.plans.get(plant, Schedule())

    async def connect_schedule_api(self, password: str | None, *, by: str) -> ScheduleApiState:
        self.written_by.append(by)
        self.passwords.append(password)
        if password == "wrong":
            raise Impossible("the market API refuses the log-in of bench; check the password")
        return self._show_connection(ConnectionStatus.CONNECTED)

    async def disconnect_schedule_api(self, *, by: str) -> ScheduleApiState:
        self.written_by.append(by)
        return self._show_connection(ConnectionStatus.DISCONNECTED)

    def _show_connection(self, status: ConnectionStatus) -> ScheduleApiState:
        self.publish(schedule_api=replace(self.picture.schedule_api, connection=status))
        return self.picture.schedule_api

    async def put_override(
        self,
        plant: PlantId,
        signal: Signal,
        series: Series,
        *,
        by: str,
        if_match: str | None = None,
    ) -> VersionedOverride:
        present = self.override(plant, signal)
        if if_match not in {None, present.etag}:
            raise EditConflict("The override was changed meanwhile. Read it again.")
        self.written_by.append(by)
        number = int(present.etag.removeprefix("v")) + 1
        active = series.at(self.picture.time) is not None
        new = VersionedOverride(series, f"v{number}", is_active=active)
        self.overrides[plant, signal] = new
        self._show_origin(plant)
        return new

    def _show_origin(self, plant: PlantId) -> None:
        p, q = (
            Origin.OVERRIDE if self.overrides[plant, signal].is_active else Origin.NONE
            for signal in Signal
        )
        either = Origin.OVERRIDE if Origin.OVERRIDE in {p, q} else Origin.NONE
        setpoint = self.picture.plants[plant].setpoint
        self.publish_plant(
            plant, setpoint=replace(setpoint, origin=either, origins=Origins(p=p, q=q))
        )

    async def acknowledge(self, alarm_id: str, *, by: str, note: str | None) -> Alarm:
        for alarm in self.picture.alarms:
            if alarm.id == alarm_id:
                break
        else:
            raise NotFound(f"There is no alarm {alarm_id!r}.")
        new = replace(alarm, acked_at=self.picture.time, acked_by=by, note=note)
        changed = tuple(new if old.id == new.id else old for old in self.picture.alarms)
        self.publish(alarms=tuple(one for one in changed if not _is_over(one)))
        return new

    async def set_fault(
        self, plant: PlantId, faults: Sequence[Fault], *, by: str
    ) -> tuple[Fault, ...]:
        self._known(plant)
        if self.picture.transport is Transport.REMOTE:
            raise Impossible("faults are for transport local only")
        self.faults |= {fault.kind: fault for fault in faults}
        self.publish_plant(plant, faults=tuple(map(str, self.faults.values())))
        return tuple(self.faults.values())

    async def clear_fault(
        self, plant: PlantId, kinds: Sequence[FaultKind], *, by: str
    ) -> tuple[Fault, ...]:
        self._known(plant)
        for kind in kinds:
            self.faults.pop(kind, None)
        self.publish_plant(plant, faults=tuple(map(str, self.faults.values())))
        return tuple(self.faults.values())

    def _known(self, plant: PlantId) -> None:
        if plant not in self.picture.plants:
            raise NotFound(f"There is no plant {plant!r}; there are lib and vrfb.")


def _is_over(alarm: Alarm) -> bool:
    return alarm.cleared_at is not None and alarm.acked_at is not None


def app_of(
    engine: FakeEngine,
    settings: WebSettings = SETTINGS,
    *,
    logs: LogApi | None = None,
    history: HistoryApi | None = None,
) -> FastAPI:
    """The application over this engine."""
    from web_checkups import checkups_of  # which, as the next, is built on this module
    from web_feasibility import FakeFeasibility
    from web_history import FakeHistory

    clock = FixedClock()
    return make_app(
        engine,
        checkups=checkups_of(engine),
        feasibility=FakeFeasibility(engine),
        logs=logs or FakeLogs(),
        sessions=sessions_of(clock),
        history=history or FakeHistory(engine),
        clock=clock,
        settings=settings,
    )


@asynccontextmanager
async def client_of(
    engine: FakeEngine,
    settings: WebSettings = SETTINGS,
    *,
    logs: LogApi | None = None,
    history: HistoryApi | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, in this process."""
    transport = httpx.ASGITransport(app=app_of(engine, settings, logs=logs, history=history))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8050") as client:
        yield client
