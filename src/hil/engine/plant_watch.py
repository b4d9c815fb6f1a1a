"""Looks at every reading of a plant for what must be said or acted upon."""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from hil.domain.alarms import AlarmKind
from hil.domain.phase import Phase
from hil.domain.plant import Nameplate
from hil.domain.plausibility_watch import PlausibilityWatch
from hil.domain.signals import OptionalPoint, PointName
from hil.domain.snapshot import WriteStatus
from hil.engine.cadence import NS_PER_S
from hil.engine.plant_points import Outcome

# So many exchanges in a row without an answer are a lost link, not a hiccup.
LINK_LOST_AFTER = 3
# A running plant that reads disabled so often has disabled itself.
DISABLED_READINGS = 2
# So many foreign writes within this time close the gate.
FOREIGN_WRITES_MAX = 3
FOREIGN_WRITES_NS = 60 * NS_PER_S
# A step of the state of charge beyond twice what rated power explains, and these, is a jump.
SOC_JUMP_PU = 0.02

Say = Callable[[AlarmKind, str | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the owner must do about a reading."""

    self_disabled: bool = False
    foreign_hold: bool = False


NOTHING = Verdict()


class PlantWatch:
    """Remembers what it needs of earlier readings, and raises and clears the plant's alarms.

    Args:
        alarm_bits: The names of the bits of the alarm word.
        points: The names of the points that this endpoint has.
    """

    def __init__(
        self,
        nameplate: Nameplate,
        alarm_bits: Mapping[int, str],
        points: Collection[str],
        say: Say,
    ) -> None:
        self._nameplate = nameplate
        self._alarm_bits = sorted(alarm_bits.items())
        self._points = points
        self._say = say
        self._plausibility = PlausibilityWatch(nameplate)
        self.quality: dict[str, list[str]] = {}
        self._said: dict[AlarmKind, tuple[str, ...]] = {}
        self.in_local_mode = False
        self._disabled_readings = 0
        self._foreign_ns: deque[int] = deque(maxlen=FOREIGN_WRITES_MAX)
        self._soc: tuple[float, int] | None = None

    def look(
        self,
        outcome: Outcome,
        *,
        phase: Phase,
        failures: int,
        lost_devices: Mapping[str, str],
        status: WriteStatus,
        foreign_write: bool,
        heartbeat: str | None,
        now_ns: int,
    ) -> Verdict:
        """Say what this exchange shows; returns what must be done about it.

        Args:
            phase: Of the plant during the exchange.
            failures: Exchanges without an answer in a row.
            lost_devices: The further devices that do not answer, and why.
            status: Of the last write of the setpoint.
            foreign_write: The setpoint register changed without our write.
            heartbeat: What is wrong with its read-back; None: nothing.
        """
        self._look_at_links(outcome, failures, lost_devices)
        if not outcome.values:
            return NOTHING
        self._look_at_device(outcome.values)
        self._look_at_write(status, outcome.error)
        self._look_at_soc(outcome.values.get(PointName.SOC), now_ns)
        judged = self._plausibility.judge(outcome.values, now_ns=now_ns)
        self.quality = judged.quality
        self._say(AlarmKind.MEASUREMENT_FROZEN, heartbeat or judged.frozen)
        self._say(AlarmKind.SIGN_CONTRADICTED, judged.sign)
        self._say(AlarmKind.OUTLIER, judged.outlier)
        is_off = phase is Phase.RUNNING and outcome.values.get(PointName.ENABLE) == 0
        self._disabled_readings = self._disabled_readings + 1 if is_off else 0
        return Verdict(
            self_disabled=self._disabled_readings == DISABLED_READINGS,
            foreign_hold=self._look_for_foreign_writes(foreign_write, now_ns),
        )

    def _look_at_links(
        self, outcome: Outcome, failures: int, lost_devices: Mapping[str, str]
    ) -> None:
        if failures >= LINK_LOST_AFTER:
            self._renew(AlarmKind.LINK_LOST, ("", *lost_devices), outcome.error or "")
        elif outcome.link_ok and not lost_devices:
            self._renew(AlarmKind.LINK_LOST, (), "")
        elif outcome.link_ok:
            devices = "; ".join(f"its device {name} ({why})" for name, why in lost_devices.items())
            text = f"{devices}; its own link is fine"
            self._renew(AlarmKind.LINK_LOST, tuple(lost_devices), text)

    def _look_at_device(self, values: Mapping[str, float | None]) -> None:
        """What the plant says of itself; a word that is not known leaves its alarms as they are."""
        word = self._value(OptionalPoint.ALARM_WORD, values, without=0.0)
        if word is not None:
            bits = int(word)
            names = tuple(name for bit, name in self._alarm_bits if bits >> bit & 1) if bits else ()
            self._renew(AlarmKind.DEVICE_ALARM, names, ", ".join(names))
        allowed = self._value(OptionalPoint.CONTROL_ALLOWED, values, without=1.0)
        if allowed is not None:
            self.in_local_mode = allowed == 0
            self._say(AlarmKind.LOCAL_MODE, "" if self.in_local_mode else None)

    def _value(
        self, point: OptionalPoint, values: Mapping[str, float | None], *, without: float
    ) -> float | None:
        return values.get(point) if point in self._points else without

    def _renew(self, kind: AlarmKind, what: tuple[str, ...], text: str) -> None:
        """Raise an alarm of these things (none: clear it), anew when they are others than before.

        An alarm keeps the text it was raised with, so that it says what somebody acknowledged.
        """
        if self._said.get(kind, what) != what:
            self._say(kind, None)
        self._said[kind] = what
        self._say(kind, text if what else None)

    def _look_at_write(self, status: WriteStatus, error: str | None) -> None:
        reasons: Mapping[WriteStatus, AlarmKind] = {
            WriteStatus.REFUSED: AlarmKind.WRITE_REFUSED,
            WriteStatus.CLAMPED: AlarmKind.WRITE_CLAMPED,
            WriteStatus.LOST: AlarmKind.WRITE_LOST,
        }
        if status in {WriteStatus.PENDING, WriteStatus.UNKNOWN}:
            return
        for seen, kind in reasons.items():
            self._say(kind, (error or "") if status is seen else None)

    def _look_at_soc(self, soc_pu: float | None, now_ns: int) -> None:
        if soc_pu is None:
            return
        if self._soc is not None:
            before_pu, before_ns = self._soc
            hours = (now_ns - before_ns) / NS_PER_S / 3600
            rated_kw = max(self._nameplate.p_max_kw, -self._nameplate.p_min_kw)
            room_pu = SOC_JUMP_PU + 2 * rated_kw * hours / self._nameplate.capacity_kwh
            jumped = abs(soc_pu - before_pu) > room_pu
            self._say(
                AlarmKind.SOC_JUMP, f"from {before_pu:.4f} to {soc_pu:.4f}" if jumped else None
            )
        self._soc = (soc_pu, now_ns)

    def _look_for_foreign_writes(self, foreign_write: bool, now_ns: int) -> bool:
        if foreign_write:
            self._foreign_ns.append(now_ns)
            self._say(AlarmKind.FOREIGN_WRITER, "")
        elif not self._foreign_ns or now_ns - self._foreign_ns[-1] > FOREIGN_WRITES_NS:
            self._say(AlarmKind.FOREIGN_WRITER, None)
        return (
            foreign_write
            and len(self._foreign_ns) == FOREIGN_WRITES_MAX
            and now_ns - self._foreign_ns[0] <= FOREIGN_WRITES_NS
        )
