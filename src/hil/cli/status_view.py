"""The picture of a site as a table for a terminal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hil.domain.phase import Phase
from hil.domain.snapshot import (
    Alarm,
    AlarmPriority,
    ConnectionStatus,
    LinkStatus,
    PlantState,
    Snapshot,
    WriteStatus,
)

_UNKNOWN = "-"
_PHASE_STYLES = {
    Phase.STOPPED: "dim",
    Phase.STARTING: "yellow",
    Phase.RUNNING: "green",
    Phase.STOPPING: "yellow",
    Phase.UNKNOWN: "bold red",
}
_PRIORITY_STYLES = {
    AlarmPriority.CRITICAL: "bold red",
    AlarmPriority.HIGH: "red",
    AlarmPriority.LOW: "yellow",
}
_WRITTEN_WELL = {WriteStatus.NONE, WriteStatus.PENDING, WriteStatus.CONFIRMED}


def status_view(picture: Snapshot, *, old: str | None = None) -> RenderableType:
    """Header, plants and alarms.

    Args:
        old: Why the values are old; None: they are the newest.
    """
    zone = ZoneInfo(picture.site.timezone)
    parts: list[RenderableType] = []
    if old is not None:
        parts.append(Text(f"OLD VALUES of {clock_text(picture.time, zone)}: {old}", "bold red"))
    parts += [_header(picture, zone), _plants(picture, is_old=old is not None)]
    if picture.alarms:
        parts.append(alarm_table(picture.alarms, zone))
    return Group(*parts)


def clock_text(at: datetime, zone: ZoneInfo) -> str:
    """An instant as a person at the site reads it, to the second."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def time_text(iso: object, zone: ZoneInfo) -> str:
    """A time of the engine's JSON as a person at the site reads it."""
    try:
        return clock_text(datetime.fromisoformat(str(iso)), zone)
    except ValueError:
        return str(iso)


def alarm_table(alarms: Iterable[Alarm], zone: ZoneInfo) -> Table:
    """The alarms with what to do about each."""
    table = _table("alarm", "plant", "what", "what to do", "since", "id")
    for alarm in alarms:
        over = "" if alarm.cleared_at is None else " (over)"
        seen = "" if alarm.acked_by is None else f" (seen by {alarm.acked_by})"
        table.add_row(
            Text(alarm.priority.value + over, _PRIORITY_STYLES[alarm.priority]),
            Text(alarm.plant or "site"),
            Text(alarm.text + seen),
            Text(alarm.action),
            Text(clock_text(alarm.raised_at, zone)),
            Text(alarm.id),
        )
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingOverride:
    """An override that has not begun; None: it does not end, or leaves that signal alone."""

    plant: str
    begins_at: datetime
    ends_at: datetime | None
    p_kw: float | None
    q_kvar: float | None


def override_table(coming: Iterable[ComingOverride], zone: ZoneInfo) -> Table:
    """What will replace the schedule later: the setpoints with which it begins."""
    table = _table("plant", "override from", "until", "P kW", "Q kvar", right=("P kW", "Q kvar"))
    for one in coming:
        until = "removed" if one.ends_at is None else clock_text(one.ends_at, zone)
        table.add_row(
            Text(one.plant),
            Text(clock_text(one.begins_at, zone)),
            Text(until),
            _number(one.p_kw, 1),
            _number(one.q_kvar, 1),
        )
    return table


def _header(picture: Snapshot, zone: ZoneInfo) -> Text:
    line = Text()
    line.append(picture.site.name, "bold")
    line.append(
        f" · {clock_text(picture.time, zone)} · source {picture.source}"
        f" · transport {picture.transport}"
    )
    if picture.switching is not None:
        line.append(f" · switching {picture.switching.kind} to {picture.switching.to}", "yellow")
    if picture.posting.effective:
        line.append(" · posting")
    line.append_text(_estop(picture, zone))
    if picture.schedule_api.today.date is not None:
        line.append_text(_market(picture))
    return line


def _market(picture: Snapshot) -> Text:
    """The market API and what waits to be posted there."""
    api, posting = picture.schedule_api, picture.posting
    is_well = api.connection is ConnectionStatus.CONNECTED
    line = Text("\nmarket API ")
    line.append(api.connection.value, "green" if is_well else "yellow")
    for name, day in (("today", api.today), ("tomorrow", api.tomorrow)):
        line.append(f" · {name} {day.points}/{day.expected} periods")
    pending = sum(plant.pending for plant in posting.plants.values())
    line.append(f" · {pending} samples wait")
    if posting.why_not is not None:
        line.append(f" (not posted: {posting.why_not})", "dim")
    if api.error is not None:
        line.append(f"\n{api.error}", "yellow")
    return line


def _estop(picture: Snapshot, zone: ZoneInfo) -> Text:
    if not picture.estop.active:
        return Text(" · e-stop clear")
    since = "" if picture.estop.since is None else f" since {clock_text(picture.estop.since, zone)}"
    by = "" if picture.estop.by is None else f" by {picture.estop.by}"
    return Text(f"\nE-STOP{since}{by}: reset it with `hil estop-reset`", "bold red")


def _plants(picture: Snapshot, *, is_old: bool) -> Table:
    numbers = ("P kW", "set kW", "SoC %", "Q kvar", "V kV")
    table = _table("plant", "phase", *numbers, "link", "origin", "limited by", "rec", right=numbers)
    for plant, state in picture.plants.items():
        table.add_row(*_plant_row(plant, state), style="dim" if is_old else None)
    return table


def _plant_row(plant: str, state: PlantState) -> list[Text]:
    seen = state.measurement
    setpoint = state.setpoint
    phase = state.phase.value
    if state.phase is Phase.RUNNING and not state.dispatching:
        phase = "paused"
    if not state.in_service:
        phase += ", out of service"
    link = Text(_UNKNOWN if state.link.status is None else state.link.status.value)
    if state.link.status not in {None, LinkStatus.OK}:
        link.stylize("red")
    doubt = "" if setpoint.write.status in _WRITTEN_WELL else f" {setpoint.write.status}"
    return [
        Text(plant),
        Text(phase, _PHASE_STYLES[state.phase]),
        _number(None if seen is None else seen.p_poi_kw, 1),
        _number(setpoint.p_kw, 1) + Text(doubt, "red"),
        _number(None if seen is None else seen.soc_pu, 1, factor=100),
        _number(None if seen is None else seen.q_poi_kvar, 1),
        _number(None if seen is None else seen.v_poi_kV, 3),
        link,
        Text(setpoint.origin.value),
        Text(", ".join(setpoint.limited_by), "yellow"),
        Text("yes" if state.recording else "no"),
    ]


def _number(value: float | None, digits: int, *, factor: float = 1.0) -> Text:
    return Text(_UNKNOWN if value is None else f"{value * factor + 0.0:.{digits}f}")


def _table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for heading in headings:
        is_right = heading in right
        table.add_column(
            heading,
            justify="right" if is_right else "left",
            no_wrap=is_right or heading in _NEVER_BROKEN,
            overflow="fold",
        )
    return table


# What is short anyhow; of a narrow terminal the other columns get what is left.
_NEVER_BROKEN = {"plant", "link", "origin", "rec", "alarm"}
