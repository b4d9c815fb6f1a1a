"""The faults that an emulated plant can show: one table for files, requests and documents."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from hil.domain.errors import InvalidInput, Problem

# The longest `for_s`; longer is a configuration.
FOR_S_MAX = 604_800.0


class FaultKind(StrEnum):
    """What can be wrong with a device, or with the way to it."""

    DELAY = "delay"
    DROP = "drop"
    RESET = "reset"
    SILENT_ACCEPT = "silent_accept"
    REFUSE = "refuse"
    EXCEPTION = "exception"
    STALE_ANSWER = "stale_answer"
    LATE_ANSWER = "late_answer"
    WRONG_UNIT_ID = "wrong_unit_id"
    TORN_32BIT = "torn_32bit"
    FROZEN_REGISTERS = "frozen_registers"
    LAGGING_READBACK = "lagging_readback"
    CLAMP = "clamp"
    LOST_WRITE = "lost_write"
    REVERT_TIMER = "revert_timer"
    FLASH_LIMITED_WRITES = "flash_limited_writes"
    SINGLE_CONNECTION = "single_connection"
    MAX_BLOCK = "max_block"
    GAP_REFUSAL = "gap_refusal"
    FC6_ONLY = "fc6_only"
    FC16_ONLY = "fc16_only"
    SENTINEL_VALUES = "sentinel_values"
    INVERTED_SIGN = "inverted_sign"
    SCALE_ERROR = "scale_error"
    NOISE = "noise"
    TRIP = "trip"
    DERATE = "derate"
    SOC_JUMP = "soc_jump"
    COMM_WATCHDOG = "comm_watchdog"


Value = float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One parameter: a number within bounds, one of `words`, or the name of a point."""

    name: str
    meaning: str
    unit: str = ""
    default: Value
    low: float = 0.0
    high: float = 0.0
    is_whole: bool = False
    words: tuple[str, ...] = ()
    is_point: bool = False

    def why_not(self, value: object) -> str | None:
        """Why a value will not do; None: it will."""
        if value is None and self.default is None:
            return None
        if self.words:
            return None if value in self.words else f"must be one of {', '.join(self.words)}"
        if self.is_point:
            return None if isinstance(value, str) else "must be the name of a point"
        if not isinstance(value, int | float) or isinstance(value, bool):
            return "must be a number"
        if not self.low <= value <= self.high:  # nor is NaN
            return f"must be from {self.low:g} to {self.high:g}"
        if self.is_whole and value != int(value):
            return "must be a whole number"
        return None


@dataclass(frozen=True, slots=True)
class FaultType:
    """What a kind of fault does, and its parameters."""

    effect: str
    params: tuple[Param, ...] = ()


def _number(
    name: str, default: float | None, low: float, high: float, meaning: str, unit: str = ""
) -> Param:
    return Param(name=name, default=default, low=low, high=high, meaning=meaning, unit=unit)


def _whole(name: str, default: int | None, low: int, high: int, meaning: str) -> Param:
    return Param(name=name, default=default, low=low, high=high, meaning=meaning, is_whole=True)


def _point(default: str | None, meaning: str) -> Param:
    return Param(name="point", default=default, meaning=meaning, is_point=True)


_EVERY = _whole("every", 1, 1, 1_000_000, "Every how many requests it happens; 1: each.")

FAULT_TYPES: Mapping[FaultKind, FaultType] = {
    FaultKind.DELAY: FaultType(
        "Every answer comes later, and the next request of the connection waits for it.",
        (_number("ms", 300, 0, 600_000, "How much later.", "ms"),),
    ),
    FaultKind.DROP: FaultType(
        "The request is carried out, and the connection is closed instead of an answer.", (_EVERY,)
    ),
    FaultKind.RESET: FaultType(
        "The request is carried out, and the connection is reset (RST) instead of an answer.",
        (_EVERY,),
    ),
    FaultKind.SILENT_ACCEPT: FaultType(
        "Connections are taken, and requests are neither carried out nor answered.",
        (
            _number(
                "first_s",
                None,
                0,
                3600,
                "Only so long after connecting; null: always. In memory there is no connecting.",
                "s",
            ),
        ),
    ),
    FaultKind.REFUSE: FaultType("Open connections are dropped, and new ones are refused."),
    FaultKind.EXCEPTION: FaultType(
        "Requests are answered with a Modbus exception and not carried out.",
        (
            _whole("code", 4, 1, 255, "The exception."),
            Param(
                name="on",
                default="all",
                words=("all", "reads", "writes"),
                meaning="Which requests: `all`, `reads` or `writes`.",
            ),
            _whole("address", None, 0, 65535, "Only those that touch this address; null: any."),
        ),
    ),
    FaultKind.STALE_ANSWER: FaultType(
        "The answer before is sent once more, with its old transaction id, instead of the answer.",
        (_EVERY,),
    ),
    FaultKind.LATE_ANSWER: FaultType(
        "An answer comes so late that others may overtake it.",
        (_number("s", 5, 0, 3600, "How much later.", "s"), _EVERY),
    ),
    FaultKind.WRONG_UNIT_ID: FaultType(
        "Answers carry another unit id.", (_whole("unit_id", 247, 0, 255, "The unit id."),)
    ),
    FaultKind.TORN_32BIT: FaultType(
        "Of a value of several registers the first is that of the reading before, "
        "as in a device that changes them one after the other.",
        (_EVERY,),
    ),
    FaultKind.FROZEN_REGISTERS: FaultType(
        "Measurements, and a heartbeat that can be read, keep the numbers that they had, while the "
        "plant goes on.",
        (_point(None, "Only this point; null: all of them."),),
    ),
    FaultKind.LAGGING_READBACK: FaultType(
        "Setpoints read back what they held before, for a while after each write.",
        (_number("s", 5, 0, 3600, "How long.", "s"),),
    ),
    FaultKind.CLAMP: FaultType(
        "Written setpoints are held within a share of the nameplate, without a word.",
        (_number("limit_pu", 0.5, 0, 1, "The share.", "pu"),),
    ),
    FaultKind.LOST_WRITE: FaultType(
        "Writes of setpoints are acknowledged, and nothing happens.", (_EVERY,)
    ),
    FaultKind.REVERT_TIMER: FaultType(
        "Setpoints fall back to 0 when none has been written for a while.",
        (_number("s", 20, 0.1, 86_400, "How long.", "s"),),
    ),
    FaultKind.FLASH_LIMITED_WRITES: FaultType(
        "After so many writes, all further ones are refused with exception 4.",
        (_whole("writes", 1000, 0, 1_000_000, "How many."),),
    ),
    FaultKind.SINGLE_CONNECTION: FaultType(
        "A connection more than the device has places for is closed at once. In memory: nothing.",
        (
            _whole("connections", 1, 1, 32, "How many places."),
            _number("hold_s", 0, 0, 3600, "How long a closed connection keeps its place.", "s"),
        ),
    ),
    FaultKind.MAX_BLOCK: FaultType(
        "Longer reads are refused.",
        (
            _whole("registers", 20, 1, 125, "The longest read."),
            _whole("code", 3, 1, 255, "The exception."),
        ),
    ),
    FaultKind.GAP_REFUSAL: FaultType(
        "Every point stands alone: a read that joins two is refused. "
        "(Undeclared addresses are refused with exception 2 always.)",
        (_whole("code", 2, 1, 255, "The exception."),),
    ),
    FaultKind.FC6_ONLY: FaultType("FC15, FC16 and FC23 are refused with exception 1."),
    FaultKind.FC16_ONLY: FaultType("FC5, FC6 and FC23 are refused with exception 1."),
    FaultKind.SENTINEL_VALUES: FaultType(
        'Measurements hold the number that means "not known": the first of `invalid`, else the '
        "lowest number of a signed format, the highest of an unsigned one, NaN of a float.",
        (_point(None, "Only this measurement; null: all."),),
    ),
    FaultKind.INVERTED_SIGN: FaultType(
        "A measurement has the wrong sign.", (_point("p_battery", "Which."),)
    ),
    FaultKind.SCALE_ERROR: FaultType(
        "A measurement is too large or too small by a factor.",
        (
            _point("p_poi", "Which."),
            _number("factor", 10, 1e-6, 1e6, "The factor."),
        ),
    ),
    FaultKind.NOISE: FaultType(
        "Measurements scatter normally; equal seeds give equal noise at equal times.",
        (
            _point(None, "Only this measurement; null: those of power and voltage."),
            _number("sigma_pu", 0.001, 0, 1, "Standard deviation, of the nameplate.", "pu"),
            _whole("seed", 0, 0, 2**31 - 1, "The seed."),
        ),
    ),
    FaultKind.TRIP: FaultType(
        "The plant goes to rest, `enable` reads 0 and cannot be set; a bit of `alarm_word` is set. "
        "Afterwards it must be enabled again.",
        (_whole("bit", 7, 0, 15, "The bit."),),
    ),
    FaultKind.DERATE: FaultType(
        "The plant gives no more than a share of its nameplate; setpoints read back as written.",
        (_number("limit_pu", 0.5, 0, 1, "The share.", "pu"),),
    ),
    FaultKind.SOC_JUMP: FaultType(
        "The state of charge jumps, once; power is back after the plant's dead time.",
        (_number("soc_pu", 0.5, 0, 1, "Where to.", "pu"),),
    ),
    FaultKind.COMM_WATCHDOG: FaultType(
        "The plant gives no power when no setpoint has been written for a while; "
        "the registers keep what they hold.",
        (_number("s", 60, 0.1, 86_400, "How long.", "s"),),
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault with all its parameters, in the order of the table.

    `for_s`: seconds until it ends by itself; None: it does not.
    """

    kind: FaultKind
    values: tuple[tuple[str, Value], ...] = ()
    for_s: float | None = None

    def number(self, name: str) -> float:
        """A parameter that is a number."""
        value = dict(self.values)[name]
        assert isinstance(value, int | float), (self, name)
        return value

    def maybe(self, name: str) -> float | None:
        """A parameter that is a number or None."""
        return None if dict(self.values)[name] is None else self.number(name)

    def word(self, name: str) -> str | None:
        """A parameter that is a word or None."""
        value = dict(self.values)[name]
        assert value is None or isinstance(value, str), (self, name)
        return value

    def document(self) -> dict[str, Value]:
        """What `parse_faults` reads again."""
        ends: dict[str, Value] = {} if self.for_s is None else {"for_s": self.for_s}
        return {"kind": self.kind.value, **dict(self.values), **ends}

    def __str__(self) -> str:
        given = [f"{name}={_shown(value)}" for name, value in self.values if value is not None]
        return " ".join([self.kind, *given])


# What devices of the field are like: each a bundle of faults, with the parameters that differ.
PROFILES: Mapping[str, tuple[str, tuple[tuple[FaultKind, Mapping[str, Value]], ...]]] = {
    "slow_controller": (
        "A plant controller that answers slowly and shows a new setpoint seconds later.",
        ((FaultKind.DELAY, {"ms": 150}), (FaultKind.LAGGING_READBACK, {"s": 2})),
    ),
    "old_gateway": (
        "A serial gateway: slow, short blocks, each point read by itself, FC16 unknown.",
        (
            (FaultKind.DELAY, {"ms": 50}),
            (FaultKind.MAX_BLOCK, {"registers": 16}),
            (FaultKind.GAP_REFUSAL, {}),
            (FaultKind.FC6_ONLY, {}),
        ),
    ),
    "fc16_only_plc": (
        "A programmable controller that takes blocks only, up to 32 registers.",
        ((FaultKind.FC16_ONLY, {}), (FaultKind.MAX_BLOCK, {"registers": 32})),
    ),
    "single_client_inverter": (
        "An inverter with one place, which a dead connection keeps, and a pause after connecting.",
        (
            (FaultKind.SINGLE_CONNECTION, {"hold_s": 5}),
            (FaultKind.SILENT_ACCEPT, {"first_s": 1}),
        ),
    ),
    "reverting_inverter": (
        "An inverter that takes the power back when it is not told again, and allows 80 %.",
        ((FaultKind.REVERT_TIMER, {"s": 20}), (FaultKind.CLAMP, {"limit_pu": 0.8})),
    ),
}


def parse_faults(document: Mapping[str, Any]) -> tuple[Fault, ...]:
    """The faults of `{kind: delay, ms: 300, for_s: 60}`, or of a profile `{kind: old_gateway}`.

    Raises:
        InvalidInput: With everything that is wrong, each by its key.
    """
    kind = document.get("kind")
    given = {key: value for key, value in document.items() if key != "kind"}
    if not isinstance(kind, str) or kind not in {*FaultKind, *PROFILES}:
        names = [*FaultKind, *PROFILES]
        near = get_close_matches(kind, names, n=1) if isinstance(kind, str) else []
        hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(names)}"
        why = f"no fault or profile is called {kind!r}; {hint}" if kind else f"is missing; {hint}"
        raise _wrong(str(kind), [Problem(where="kind", why=why)])
    for_s = given.pop("for_s", None)
    ends = _number("for_s", None, 0.001, FOR_S_MAX, "")
    why_not = ends.why_not(for_s)
    problems = [] if why_not is None else [Problem(where="for_s", why=why_not)]
    if kind in PROFILES:
        problems += [Problem(where=str(key), why="a profile takes only for_s") for key in given]
        if problems:
            raise _wrong(kind, problems)
        return tuple(_made(each, changes, for_s) for each, changes in PROFILES[kind][1])
    params = {param.name: param for param in FAULT_TYPES[FaultKind(kind)].params}
    for key, value in given.items():
        if key not in params:
            names_text = ", ".join([*params, "for_s"])
            problems.append(Problem(where=str(key), why=f"{kind} takes {names_text}"))
        elif (why_not := params[key].why_not(value)) is not None:
            problems.append(Problem(where=key, why=why_not))
    if problems:
        raise _wrong(kind, problems)
    return (_made(FaultKind(kind), given, for_s),)


def kinds_of(name: str) -> tuple[FaultKind, ...]:
    """The kinds that a kind or a profile stands for; raises `InvalidInput`."""
    return tuple(fault.kind for fault in parse_faults({"kind": name}))


def _made(kind: FaultKind, given: Mapping[str, Value], for_s: float | None) -> Fault:
    values = tuple((p.name, _kept(p, given)) for p in FAULT_TYPES[kind].params)
    return Fault(kind, values, for_s)


def _kept(param: Param, given: Mapping[str, Value]) -> Value:
    value = given.get(param.name, param.default)
    return int(value) if param.is_whole and isinstance(value, float) else value


def _wrong(kind: str, problems: list[Problem]) -> InvalidInput:
    return InvalidInput(f"the fault {kind} cannot be set", problems)


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def point_problem(fault: Fault, points: Container[str]) -> Problem | None:
    """What is wrong with the point that a fault names, if the plant does not have it."""
    for param in FAULT_TYPES[fault.kind].params:
        if not param.is_point:
            continue
        name = fault.word(param.name)
        if name is not None and name not in points:
            why = f"the plant itself has no point {name} that can be read"
            return Problem(where=param.name, why=why)
    return None
