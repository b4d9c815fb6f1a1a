"""Start and safe stop as sequences without I/O: the owner asks what to do, does it, and reports.

Each `Do` is one exchange: the writes in their order, then a reading of everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from hil.domain.registers import RegisterMap
from hil.domain.signals import OptionalPoint, PointName

NS_PER_S = 1_000_000_000
# Between two looks at a plant that is starting or stopping: fine enough for a stop well under a
# second, coarse enough for a slow controller.
POLL_NS = 250_000_000
# Between two tries to reach a plant that was left running: about as often as a step.
TAKE_OVER_NS = 1_000_000_000
# How the errors begin; the alarms of the same say it in their own words.
NOT_DELIVERED = "the stop could not be delivered"
NOT_STARTED = "the plant did not start"
# A device that does not read back disabled after so many attempts needs a person.
DISABLE_TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the owner knows after the last `Do`; `link_ok` and the values are None before it."""

    now_ns: int
    link_ok: bool | None = None
    error: str | None = None
    enabled: bool | None = None
    p_battery_kw: float | None = None
    q_battery_kvar: float | None = None
    p_setpoint_kw: float | None = None
    q_setpoint_kvar: float | None = None

    @property
    def holds_zero(self) -> bool:
        """Whether both setpoint registers read back as zero."""
        return self.p_setpoint_kw == 0 and self.q_setpoint_kvar == 0


@dataclass(frozen=True, slots=True)
class Do:
    """Write these points, in order, then read everything."""

    writes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again at this instant."""

    until_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The sequence has ended; `error` None means that it reached its aim."""

    result: dict[str, Any]
    error: str | None = None


Action = Do | Wait | Finished


class Sequence(Protocol):
    """What the owner of a plant can carry out."""

    def next(self, seen: Seen) -> Action:
        """The next thing to do, given what came of the last one."""
        ...


ZERO_WRITES: Mapping[str, float] = {PointName.P_SETPOINT: 0.0, PointName.Q_SETPOINT: 0.0}


def disable_writes(registers: RegisterMap) -> dict[str, float]:
    """The command words that stop the plant, then enable 0."""
    return {**_command_words(registers, "stop"), PointName.ENABLE: 0.0}


def enable_writes(registers: RegisterMap) -> dict[str, float]:
    """Enable 1, then the command words that let the plant run."""
    return {PointName.ENABLE: 1.0, **_command_words(registers, "run")}


def _command_words(registers: RegisterMap, word: str) -> dict[str, float]:
    return {
        name: float(registers.points[name].values[word])
        for name in (OptionalPoint.STOP_COMMAND, OptionalPoint.START_COMMAND)
        if name in registers.points
    }


class _Stage(Enum):
    LOOK = auto()
    ZERO = auto()
    SETTLE = auto()
    ENABLE = auto()
    DISABLE = auto()
    GIVE_UP = auto()


class SafeStop:
    """Zero, wait until the battery is quiet, disable; ends early when the link is dead.

    Args:
        look_first: The plant is thought to be stopped: it is read first, and only a plant that is
            disabled and quiet counts as stopped without a write.
        at_once: An emergency stop: zero and disable in one exchange, without waiting for quiet.
    """

    def __init__(
        self,
        registers: RegisterMap,
        *,
        threshold_kw: float,
        threshold_kvar: float,
        timeout_s: float,
        now_ns: int,
        look_first: bool = False,
        at_once: bool = False,
    ) -> None:
        self._disable = disable_writes(registers)
        self._threshold_kw = threshold_kw
        self._threshold_kvar = threshold_kvar
        self._deadline_ns = now_ns + int(timeout_s * NS_PER_S)
        self._stage = _Stage.LOOK if look_first else _Stage.ZERO
        self._looked_at_ns = now_ns
        self._at_once = at_once
        self._reached = False
        self._disable_tries = 0

    def next(self, seen: Seen) -> Action:
        """The next action; the result is `{"threshold_reached", "disable_ok"}`."""
        if self._stage is _Stage.LOOK and seen.link_ok is None:
            return self._do({}, seen)
        if self._stage is _Stage.LOOK and seen.enabled is False and self._is_quiet(seen):
            self._reached = True
            return self._finished(seen, disabled=True)
        if self._stage in {_Stage.LOOK, _Stage.ZERO}:
            self._stage = _Stage.DISABLE if self._at_once else _Stage.SETTLE
            if self._at_once:
                self._disable_tries = 1
                return self._do({**ZERO_WRITES, **self._disable}, seen)
            return self._do(ZERO_WRITES, seen)
        if not seen.link_ok:
            return self._finished(seen, disabled=False)
        if seen.now_ns < self._looked_at_ns + POLL_NS and not self._settled(seen):
            return Wait(self._looked_at_ns + POLL_NS)
        if self._stage is _Stage.SETTLE:
            self._reached = self._is_quiet(seen)
            if not self._reached and seen.now_ns < self._deadline_ns:
                return self._do({} if seen.holds_zero else ZERO_WRITES, seen)
            self._stage = _Stage.DISABLE
        elif seen.enabled is False:
            self._reached = self._reached or self._is_quiet(seen)
            if not self._at_once or self._reached or seen.now_ns >= self._deadline_ns:
                return self._finished(seen, disabled=True)
            return self._do({}, seen)
        elif self._disable_tries >= DISABLE_TRIES:
            return self._finished(seen, disabled=False)
        self._disable_tries += 1
        return self._do({**ZERO_WRITES, **self._disable}, seen)

    def _settled(self, seen: Seen) -> bool:
        """Whether the last reading already says all that this stage waits for."""
        if self._stage is _Stage.SETTLE:
            return self._is_quiet(seen)
        return seen.enabled is False and (not self._at_once or self._is_quiet(seen))

    def _is_quiet(self, seen: Seen) -> bool:
        return (
            seen.holds_zero
            and seen.p_battery_kw is not None
            and seen.q_battery_kvar is not None
            and abs(seen.p_battery_kw) < self._threshold_kw
            and abs(seen.q_battery_kvar) < self._threshold_kvar
        )

    def _do(self, writes: Mapping[str, float], seen: Seen) -> Do:
        self._looked_at_ns = seen.now_ns
        return Do(writes)

    def _finished(self, seen: Seen, *, disabled: bool) -> Finished:
        error = None
        if not seen.link_ok:
            error = f"{NOT_DELIVERED}: {seen.error}"
        elif not disabled:
            error = "the plant does not read back disabled; stop it by its own controls"
        elif not self._reached:
            error = (
                f"the plant was disabled at {seen.p_battery_kw} kW and {seen.q_battery_kvar} kvar,"
                " above the safe stop threshold"
            )
        return Finished(
            result={"threshold_reached": self._reached, "disable_ok": disabled}, error=error
        )


class Start:
    """Zero, read back; enable, read back; on a time-out zero and disable."""

    def __init__(self, registers: RegisterMap, *, timeout_s: float, now_ns: int) -> None:
        self._enable = enable_writes(registers)
        self._disable = disable_writes(registers)
        self._deadline_ns = now_ns + int(timeout_s * NS_PER_S)
        self._timeout_s = timeout_s
        self._stage = _Stage.ZERO
        self._looked_at_ns: int | None = None
        self._why = ""

    def next(self, seen: Seen) -> Action:
        """The next action; a failed start has written zero and disable."""
        if self._looked_at_ns is None:
            return self._do(ZERO_WRITES, seen)
        if self._stage is _Stage.GIVE_UP:
            return Finished(
                result={"disabled": bool(seen.link_ok) and seen.enabled is False},
                error=f"{NOT_STARTED} within {self._timeout_s:g} s{self._why}",
            )
        if seen.link_ok and self._stage is _Stage.ZERO and seen.holds_zero:
            self._stage = _Stage.ENABLE
            return self._do(self._enable, seen)
        if seen.link_ok and self._stage is _Stage.ENABLE and seen.enabled:
            return Finished(result={})
        if seen.now_ns >= self._deadline_ns:
            self._why = self._reason(seen)
            self._stage = _Stage.GIVE_UP
            return self._do({**ZERO_WRITES, **self._disable}, seen)
        if seen.now_ns < self._looked_at_ns + POLL_NS:
            return Wait(self._looked_at_ns + POLL_NS)
        return self._do(ZERO_WRITES if self._stage is _Stage.ZERO else self._enable, seen)

    def _reason(self, seen: Seen) -> str:
        if not seen.link_ok:
            return f": {seen.error}"
        if seen.error is not None:
            return f": {seen.error}"
        if self._stage is _Stage.ZERO:
            return ": its setpoints do not read back as zero"
        return ": it does not read back enabled; look at its own alarms and its local mode"

    def _do(self, writes: Mapping[str, float], seen: Seen) -> Do:
        self._looked_at_ns = seen.now_ns
        return Do(writes)


class TakeOver:
    """Zero and a look at a plant that an earlier run of this program left under its control.

    Tried until the plant answers; the result is `{"enabled": bool}`.
    """

    def __init__(self) -> None:
        self._looked_at_ns: int | None = None

    def next(self, seen: Seen) -> Action:
        """The next action."""
        if self._looked_at_ns is not None:
            if seen.link_ok and seen.holds_zero and seen.enabled is not None:
                return Finished(result={"enabled": seen.enabled})
            if seen.now_ns < self._looked_at_ns + TAKE_OVER_NS:
                return Wait(self._looked_at_ns + TAKE_OVER_NS)
        self._looked_at_ns = seen.now_ns
        return Do(ZERO_WRITES)
