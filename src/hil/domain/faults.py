"""Faults that emulated plants show, as files, requests and documents tell of them."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hil.domain.errors import InvalidInput, Problem
from hil.domain.fault_kinds import FAULT_TYPES, PROFILES, FaultKind, Param, Value, number

__all__ = ["FAULT_TYPES", "PROFILES", "Fault", "FaultKind", "Param"]

# The longest `for_s`; longer is a configuration.
FOR_S_MAX = 604_800.0
# What only the plant's own server can show: further devices are not written, and store nothing.
PLANT_ONLY = frozenset(
    {
        FaultKind.LAGGING_READBACK,
        FaultKind.CLAMP,
        FaultKind.LOST_WRITE,
        FaultKind.REVERT_TIMER,
        FaultKind.FLASH_LIMITED_WRITES,
        FaultKind.TRIP,
        FaultKind.DERATE,
        FaultKind.SOC_JUMP,
        FaultKind.COMM_WATCHDOG,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault with all its parameters, in the order of the table.

    `for_s`: seconds until it ends by itself; None: it does not. `device`: the further device of
    the plant that shows it; None: the plant's own server.
    """

    kind: FaultKind
    values: tuple[tuple[str, Value], ...] = ()
    for_s: float | None = None
    device: str | None = None

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
        place: dict[str, Value] = {} if self.device is None else {"device": self.device}
        return {"kind": self.kind.value, **dict(self.values), **ends, **place}

    def __str__(self) -> str:
        given = [f"{name}={_shown(value)}" for name, value in self.values if value is not None]
        place = [] if self.device is None else [f"device={self.device}"]
        return " ".join([self.kind, *given, *place])


def parse_faults(document: Mapping[str, Any]) -> tuple[Fault, ...]:
    """The faults of `{kind: delay, ms: 300, for_s: 60}`, or of a profile `{kind: old_gateway}`.

    With `device: meter` a further device of the plant shows them instead of its own server.

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
    ends = number("for_s", None, 0.001, FOR_S_MAX, "")
    why_not = ends.why_not(for_s)
    problems = [] if why_not is None else [Problem(where="for_s", why=why_not)]
    device = given.pop("device", None)
    problems += _device_problems(device, kind)
    if kind in PROFILES:
        why = "a profile takes only for_s and device"
        problems += [Problem(where=str(key), why=why) for key in given]
        if problems:
            raise _wrong(kind, problems)
        return tuple(_made(each, changes, for_s, device) for each, changes in PROFILES[kind][1])
    params = {param.name: param for param in FAULT_TYPES[FaultKind(kind)].params}
    for key, value in given.items():
        if key not in params:
            names_text = ", ".join([*params, "for_s", "device"])
            problems.append(Problem(where=str(key), why=f"{kind} takes {names_text}"))
        elif (why_not := params[key].why_not(value)) is not None:
            problems.append(Problem(where=key, why=why_not))
    if problems:
        raise _wrong(kind, problems)
    return (_made(FaultKind(kind), given, for_s, device),)


def _device_problems(device: object, kind: str) -> list[Problem]:
    if device is None:
        return []
    if not isinstance(device, str):
        return [Problem(where="device", why="must be the name of a device of the plant")]
    kinds = [each for each, _ in PROFILES[kind][1]] if kind in PROFILES else [FaultKind(kind)]
    return [
        Problem(where="device", why=f"a further device is only read, and cannot show {each}")
        for each in kinds
        if each in PLANT_ONLY
    ]


def kinds_of(name: str) -> tuple[FaultKind, ...]:
    """The kinds that a kind or a profile stands for; raises `InvalidInput`."""
    return tuple(fault.kind for fault in parse_faults({"kind": name}))


def _made(
    kind: FaultKind, given: Mapping[str, Value], for_s: float | None, device: str | None
) -> Fault:
    values = tuple((p.name, _kept(p, given)) for p in FAULT_TYPES[kind].params)
    return Fault(kind, values, for_s, device)


def _kept(param: Param, given: Mapping[str, Value]) -> Value:
    value = given.get(param.name, param.default)
    return int(value) if param.is_whole and isinstance(value, float) else value


def _wrong(kind: str, problems: list[Problem]) -> InvalidInput:
    return InvalidInput(f"the fault {kind} cannot be set", problems)


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def point_problem(fault: Fault, points: Container[str]) -> Problem | None:
    """What is wrong with the point that a fault names.

    Args:
        points: What can be read of the device that shows the fault.
    """
    for param in FAULT_TYPES[fault.kind].params:
        if not param.is_point:
            continue
        name = fault.word(param.name)
        if name is not None and name not in points:
            who = "the plant itself" if fault.device is None else f"the device {fault.device}"
            why = f"{who} has no point {name} that can be read"
            return Problem(where=param.name, why=why)
    return None
