"""A schedule against a nameplate: the setpoints that no plant of it could hold."""

from dataclasses import dataclass
from datetime import datetime

from hil.domain.plant import Nameplate
from hil.domain.schedule import Schedule, Signal

# The unit of each signal's values.
UNITS = {Signal.P: "kW", Signal.Q: "kvar"}
_NAMES = {Signal.P: "active", Signal.Q: "reactive"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """A setpoint outside `least` to `most`, in the signal's unit."""

    time: datetime
    signal: Signal
    asked: float
    least: float
    most: float


def limits_of(nameplate: Nameplate, signal: Signal) -> tuple[float, float]:
    """The least and the most of a signal, in its unit; zero is always between them."""
    if signal is Signal.P:
        return min(nameplate.p_min_kw, 0.0), max(nameplate.p_max_kw, 0.0)
    return min(nameplate.q_min_kvar, 0.0), max(nameplate.q_max_kvar, 0.0)


def beyond_nameplate(schedule: Schedule, nameplate: Nameplate) -> tuple[Beyond, ...]:
    """The points that dispatch would narrow to the nameplate, in the order of time."""
    found = []
    for signal, series in ((Signal.P, schedule.p), (Signal.Q, schedule.q)):
        least, most = limits_of(nameplate, signal)
        found += [
            Beyond(time=time, signal=signal, asked=value, least=least, most=most)
            for time, value in zip(series.times, series.values, strict=True)
            if value is not None and not least <= value <= most
        ]
    return tuple(sorted(found, key=lambda one: (one.time, one.signal)))


def nameplate_notes(schedule: Schedule, nameplate: Nameplate) -> tuple[str, ...]:
    """A sentence for each signal that asks for more than the nameplate; dispatch limits it."""
    beyond = beyond_nameplate(schedule, nameplate)
    notes = []
    for signal in Signal:
        found = [one for one in beyond if one.signal is signal]
        if not found:
            continue
        most = max(found, key=lambda one: abs(one.asked))
        count = "1 setpoint" if len(found) == 1 else f"{len(found)} setpoints"
        notes.append(
            f"{count} of {_NAMES[signal]} power beyond the nameplate, {most.least:g} to"
            f" {most.most:g} {UNITS[signal]} (up to {most.asked:g}): dispatch limits them."
        )
    return tuple(notes)
