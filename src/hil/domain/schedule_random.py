"""Random schedules, the same for the same seed."""

import math
import random
from datetime import UTC, datetime, timedelta

from hil.domain.errors import InvalidInput, Problem
from hil.domain.plant import Nameplate
from hil.domain.schedule import Schedule, Series

# As many as a schedule file may have; each point is kept in memory and in the state database.
MAX_POINTS = 100_000


def random_schedule(
    *, start: datetime, duration_h: float, resolution_min: float, seed: int, nameplate: Nameplate
) -> Schedule:
    """Whole kilowatts inside the nameplate, one point every `resolution_min`, then the end.

    Reactive power has no points. Everything is counted in UTC, so that a day of 23 or 25 hours is
    like any other.

    Args:
        start: Aware instant of the first point.
        duration_h: Hours until the end; the last point may hold for less than the resolution.

    Raises:
        InvalidInput: A duration or resolution that is not greater than 0, or too many points.
    """
    assert start.tzinfo is not None, start
    problems = [
        Problem(where=name, why=f"{value} is not a number greater than 0")
        for name, value in (("duration_h", duration_h), ("resolution_min", resolution_min))
        if not (value > 0 and math.isfinite(value))
    ]
    if problems:
        raise InvalidInput("no random schedule can be made", problems)
    if duration_h * 60 > resolution_min * MAX_POINTS:
        raise InvalidInput(
            f"a random schedule has at most {MAX_POINTS} points: shorten duration_h or lengthen"
            " resolution_min"
        )
    try:
        first = start.astimezone(UTC)
        end = first + timedelta(hours=duration_h)
    except OverflowError:
        raise InvalidInput(f"{duration_h} h from {start} is not in the calendar") from None
    step = timedelta(minutes=resolution_min)
    if not step or end == first:
        raise InvalidInput("duration_h and resolution_min must be at least a microsecond")
    chance = random.Random(f"{seed}/schedule")  # noqa: S311 - a schedule, not a secret
    low, high = math.ceil(nameplate.p_min_kw), math.floor(nameplate.p_max_kw)
    times = [first + k * step for k in range(-((first - end) // step))]
    values = [float(chance.randint(min(low, high), high)) for _ in times]
    return Schedule(p=Series((*times, end), (*values, None)))
