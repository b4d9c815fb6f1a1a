"""The alarms: what each kind says, how soon a person must act, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hil.domain.snapshot import AlarmPriority


class AlarmKind(StrEnum):
    """Every kind of alarm that something raises."""

    LINK_LOST = "link_lost"
    WRITE_REFUSED = "write_refused"
    WRITE_CLAMPED = "write_clamped"
    WRITE_LOST = "write_lost"
    FOREIGN_WRITER = "foreign_writer"
    FOUND_ENABLED = "found_enabled"
    SELF_DISABLED = "self_disabled"
    SOC_UNKNOWN = "soc_unknown"
    SOC_JUMP = "soc_jump"
    MEASUREMENT_FROZEN = "measurement_frozen"
    SIGN_CONTRADICTED = "sign_contradicted"
    OUTLIER = "outlier"
    STOP_NOT_REACHED = "stop_not_reached"
    STOP_PENDING = "stop_pending"
    START_FAILED = "start_failed"
    DISABLE_FAILED = "disable_failed"
    RESTARTED = "restarted"
    ESTOP = "estop"
    CLOCK_STEPPED = "clock_stepped"
    DATABASE_FAILING = "database_failing"
    RECORDING_FAILING = "recording_failing"
    LATE_LOOP = "late_loop"
    NO_WATCHDOG = "no_watchdog"
    DEVICE_ALARM = "device_alarm"
    LOCAL_MODE = "local_mode"
    SCHEDULE_API_FAILING = "schedule_api_failing"
    PLAN_MISSING = "plan_missing"
    OUTBOX_FILLING = "outbox_filling"


@dataclass(frozen=True, slots=True)
class AlarmText:
    """The fixed part of an alarm; what was seen follows the text of each one."""

    priority: AlarmPriority
    text: str
    action: str


_CRITICAL, _HIGH, _LOW = AlarmPriority.CRITICAL, AlarmPriority.HIGH, AlarmPriority.LOW

CATALOGUE: Mapping[AlarmKind, AlarmText] = {
    AlarmKind.LINK_LOST: AlarmText(
        _HIGH,
        "The plant does not answer",
        "Check that the device is powered, its cable and its address; it is asked again at every"
        " step. A plant that was running keeps its last setpoint unless it has a watchdog.",
    ),
    AlarmKind.WRITE_REFUSED: AlarmText(
        _HIGH,
        "The plant refuses setpoints",
        "Read the plant's own alarms and mode; the refused setpoint is shown on its card.",
    ),
    AlarmKind.WRITE_CLAMPED: AlarmText(
        _LOW,
        "The plant holds another setpoint than the one written",
        "Compare the plant's own limits with those of the configuration.",
    ),
    AlarmKind.WRITE_LOST: AlarmText(
        _HIGH,
        "Setpoints have no effect",
        "Check whether the plant is in local mode, and the address of its setpoint registers.",
    ),
    AlarmKind.FOREIGN_WRITER: AlarmText(
        _CRITICAL,
        "Something else writes the plant's setpoint",
        "Find the other controller and stop it; then press Dispatch if the gate was closed.",
    ),
    AlarmKind.FOUND_ENABLED: AlarmText(
        _CRITICAL,
        "The plant was found enabled, and not by this program",
        "Nothing was written to it. Press Stop to bring it to zero and disable it.",
    ),
    AlarmKind.SELF_DISABLED: AlarmText(
        _CRITICAL,
        "The plant disabled itself while running",
        "Read the plant's own alarms. It is not enabled again: press Stop, then Start.",
    ),
    AlarmKind.SOC_UNKNOWN: AlarmText(
        _HIGH,
        "The state of charge is not known",
        "Active power is held at zero. Check the state of charge point of the register map.",
    ),
    AlarmKind.SOC_JUMP: AlarmText(
        _LOW,
        "The state of charge jumped further than the power explains",
        "Check the battery's own reading; it may have recalibrated itself.",
    ),
    AlarmKind.MEASUREMENT_FROZEN: AlarmText(
        _HIGH,
        "The measurements do not move although the link is healthy",
        "The device answers from a memory that is not renewed: restart its gateway or controller.",
    ),
    AlarmKind.SIGN_CONTRADICTED: AlarmText(
        _HIGH,
        "The sign of the battery's power contradicts its state of charge",
        "Check the scale of p_battery in the register map: a sign convention is negated by a"
        " negative scale.",
    ),
    AlarmKind.OUTLIER: AlarmText(
        _LOW,
        "A measurement is far beyond the nameplate",
        "Check scale, format and word order of the point. The value is shown, not acted on.",
    ),
    AlarmKind.STOP_NOT_REACHED: AlarmText(
        _CRITICAL,
        "The plant was disabled while it still carried power",
        "Check at the plant that it is at rest.",
    ),
    AlarmKind.STOP_PENDING: AlarmText(
        _CRITICAL,
        "A stop could not be delivered",
        "Stop the plant by its own controls. The stop is tried at every step until it is read"
        " back, also after a restart of this program.",
    ),
    AlarmKind.START_FAILED: AlarmText(
        _HIGH,
        "The plant did not start",
        "Zero and disable were written. Read the plant's own alarms, press Stop, then Start.",
    ),
    AlarmKind.DISABLE_FAILED: AlarmText(
        _CRITICAL,
        "The plant does not read back disabled",
        "Stop the plant by its own controls.",
    ),
    AlarmKind.RESTARTED: AlarmText(
        _HIGH,
        "This program ended without a safe stop while the plant was under its control",
        "Zero was written. Check the plant, then press Dispatch or Stop.",
    ),
    AlarmKind.ESTOP: AlarmText(
        _CRITICAL,
        "Emergency stop",
        "Start and Dispatch are refused. When the cause is gone, reset the emergency stop.",
    ),
    AlarmKind.CLOCK_STEPPED: AlarmText(
        _LOW,
        "The wall clock was stepped",
        "Check the time source of this machine. A recording keeps its time line until it ends.",
    ),
    AlarmKind.DATABASE_FAILING: AlarmText(
        _HIGH,
        "The state database cannot be written",
        "Free space or mend the disk of the data directory. What changed is kept in memory and"
        " written when it can be.",
    ),
    AlarmKind.RECORDING_FAILING: AlarmText(
        _HIGH,
        "Recordings cannot be written",
        "Free space or mend the disk of the data directory. Rows wait in memory and are written"
        " when they can be.",
    ),
    AlarmKind.LATE_LOOP: AlarmText(
        _LOW,
        "Dispatch steps are late",
        "Something else uses this machine's processor; move it, or lengthen the periods.",
    ),
    AlarmKind.NO_WATCHDOG: AlarmText(
        _HIGH,
        "Nothing stops this plant if this program dies",
        "Configure a heartbeat point or the device's revert time (setpoint.revert_s).",
    ),
    AlarmKind.DEVICE_ALARM: AlarmText(
        _HIGH,
        "The plant reports alarms of its own",
        "Read the plant's manual for what is named here; its bits are named by alarm_bits.",
    ),
    AlarmKind.LOCAL_MODE: AlarmText(
        _HIGH,
        "The plant is in local mode and does not allow control",
        "Switch the plant to remote control at the plant; Start is refused until then.",
    ),
    AlarmKind.SCHEDULE_API_FAILING: AlarmText(
        _LOW,
        "The market API does not give its plan",
        "What has come before is dispatched, and the plan is asked for again. Check the password,"
        " the address in schedule_api.base_url and the network.",
    ),
    AlarmKind.PLAN_MISSING: AlarmText(
        _HIGH,
        "The plan has no setpoint for now",
        "0 kW is sent. Wait for the plan, set an override, or switch the source to manual.",
    ),
    AlarmKind.OUTBOX_FILLING: AlarmText(
        _HIGH,
        "Measurements wait for the market API and will soon be dropped",
        "Check why posting fails; the oldest measurements are dropped, and counted, when"
        " schedule_api.posting.queue_max is reached.",
    ),
}
