"""The whole picture that readers get: frozen values whose fields are those of `GET /state`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from hil.domain.commands import Command
from hil.domain.phase import Phase
from hil.domain.plant import Nameplate, PlantId, PlantSpec, Source, Transport
from hil.domain.signals import Measurement

Date = date  # inside a class with a field of that name `date` is the field


class Origin(StrEnum):
    """What a setpoint comes from."""

    MANUAL = "manual"
    API = "api"
    OVERRIDE = "override"
    STALE = "stale"
    NONE = "none"
    SAFE_STOP = "safe_stop"


class LimitName(StrEnum):
    """What narrowed a setpoint."""

    DEADBAND = "deadband"
    NAMEPLATE = "nameplate"
    PQ_CIRCLE = "pq_circle"
    SOC = "soc"
    SOC_UNKNOWN = "soc_unknown"
    RAMP = "ramp"


class WriteStatus(StrEnum):
    """What became of the last write of the setpoint."""

    NONE = "none"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    CLAMPED = "clamped"
    LOST = "lost"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class LinkStatus(StrEnum):
    """How the last exchange with the plant went."""

    OK = "ok"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    ERROR = "error"
    STALE = "stale"


class ConnectionStatus(StrEnum):
    """The connection to the market API."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    ERROR = "error"


class AlarmPriority(StrEnum):
    """How soon a person must act."""

    CRITICAL = "critical"
    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInfo:
    """The site's name and the time zone that decides what a day is."""

    name: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """A switch under way: `kind` is source or transport."""

    kind: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estop:
    """The emergency stop's latch."""

    active: bool = False
    since: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The last write of a setpoint and what the device holds since.

    `counts` are the writes of each point that the device acknowledged since the start.
    """

    status: WriteStatus = WriteStatus.NONE
    at: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)
    readback_p_kw: float | None = None
    readback_q_kvar: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSetpoint:
    """The next change of the active schedule."""

    at: datetime
    p_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """What each signal of the setpoint comes from."""

    p: Origin = Origin.NONE
    q: Origin = Origin.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointState:
    """The setpoint in force, the one asked for, and what stands between them."""

    p_kw: float | None = None
    q_kvar: float | None = None
    requested_p_kw: float | None = None
    requested_q_kvar: float | None = None
    origin: Origin = Origin.NONE
    origins: Origins = field(default_factory=Origins)
    limited_by: tuple[LimitName, ...] = ()
    write: Write = field(default_factory=Write)
    next: NextSetpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The link to a plant; everything is None before the first exchange."""

    status: LinkStatus | None = None
    age_s: float | None = None
    consecutive_failures: int = 0
    last_error: str | None = None
    learned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """The recording session under way."""

    uid: str
    name: str
    file: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """The first limit that the active schedule will hit."""

    first_limit: str | None = None
    at: datetime | None = None
    missing_kwh: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantState:
    """One plant as readers see it."""

    name: str
    phase: Phase
    dispatching: bool
    recording: bool
    in_service: bool
    limits: Nameplate
    measurement: Measurement | None = None
    setpoint: SetpointState = field(default_factory=SetpointState)
    link: Link = field(default_factory=Link)
    faults: tuple[str, ...] = ()
    session: SessionInfo | None = None
    feasibility: Feasibility | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDay:
    """How much of one site day's schedule has come: delivery periods known of every plant.

    `missing`: the ranges `[start, end)` without a setpoint of each plant that lacks some, once
    anything of the day has come.
    """

    date: Date | None = None
    points: int = 0
    expected: int | None = None
    complete: bool = False
    missing: dict[PlantId, tuple[tuple[datetime, datetime], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleApiState:
    """The market API as the fetcher sees it."""

    connection: ConnectionStatus = ConnectionStatus.DISCONNECTED
    today: ScheduleDay = field(default_factory=ScheduleDay)
    tomorrow: ScheduleDay = field(default_factory=ScheduleDay)
    last_attempt: datetime | None = None
    last_success: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingPlant:
    """The posting queue of one plant."""

    pending: int = 0
    oldest_age_s: float | None = None
    last_attempt: datetime | None = None
    last_success: datetime | None = None
    last_error: str | None = None
    sent: int = 0
    dropped: int = 0
    set_aside: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingState:
    """Whether measurements are posted, and if not, why not."""

    enabled: bool
    effective: bool
    why_not: str | None
    plants: dict[PlantId, PostingPlant]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsState:
    """The commands that wait, run and ended lately."""

    queued: tuple[Command, ...] = ()
    running: tuple[Command, ...] = ()
    recent: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm: active until `cleared_at`, open until it is acknowledged as well."""

    id: str
    kind: str
    priority: AlarmPriority
    plant: PlantId | None
    text: str
    action: str
    raised_at: datetime
    cleared_at: datetime | None = None
    acked_at: datetime | None = None
    acked_by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Of the last minutes; None before the first sample."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyState:
    """From the decision to the write, to its acknowledgement and to its read-back, in ms."""

    written: Percentiles = field(default_factory=Percentiles)
    acked: Percentiles = field(default_factory=Percentiles)
    readback: Percentiles = field(default_factory=Percentiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """Facts of the engine itself."""

    started_at: datetime
    version: str
    dispatch_lateness_ms: Percentiles = field(default_factory=Percentiles)
    missed_steps: int = 0
    latency_ms: LatencyState = field(default_factory=LatencyState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The whole site at one instant; `seq` grows with each change."""

    seq: int
    time: datetime
    site: SiteInfo
    source: Source
    transport: Transport
    switching: Switching | None
    estop: Estop
    plants: dict[PlantId, PlantState]
    schedule_api: ScheduleApiState
    posting: PostingState
    commands: CommandsState
    alarms: tuple[Alarm, ...]
    engine: EngineState


def initial_snapshot(
    *,
    site: SiteInfo,
    plants: Iterable[PlantSpec],
    source: Source,
    transport: Transport,
    posting_enabled: bool,
    version: str,
    now: datetime,
) -> Snapshot:
    """The state of an engine that has not done anything yet: all gates closed, nothing known.

    Args:
        now: Aware UTC instant of the start.
    """
    specs = tuple(plants)
    return Snapshot(
        seq=0,
        time=now,
        site=site,
        source=source,
        transport=transport,
        switching=None,
        estop=Estop(),
        plants={
            spec.id: PlantState(
                name=spec.name,
                phase=Phase.STOPPED,
                dispatching=False,
                recording=False,
                in_service=spec.in_service,
                limits=spec.nameplate,
            )
            for spec in specs
        },
        schedule_api=ScheduleApiState(),
        posting=PostingState(
            enabled=posting_enabled,
            effective=False,
            why_not="no market API is configured",
            plants={spec.id: PostingPlant() for spec in specs},
        ),
        commands=CommandsState(),
        alarms=(),
        engine=EngineState(started_at=now, version=version),
    )
