"""Checks schedules off the loop: one that is asked for, and live what each plant will run into."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from hil.domain.errors import HilError, Impossible, InvalidInput, NotFound, QueueFull
from hil.domain.feasibility import HORIZON_MAX, LIVE_STEP_S, Forecast, Subject, forecast
from hil.domain.plant import PlantId, Source
from hil.domain.schedule import EffectivePoint, Schedule, effective_points
from hil.domain.snapshot import Feasibility, Origin
from hil.engine.board import Board
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.plant_parts import Plan
from hil.ports import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")

# So many checks that are asked for run at once; each takes a thread for some 20 ms.
CHECKS_MAX = 2
# The watch looks this often, at all plants of a small bench and at a share of those of a large one.
LOOK_NS = NS_PER_S
LOOKS_MIN = 32
LOOKS_PER_ROUND = 30
# A plant is forecast anew at most this often, and at least this often.
ANEW_NS = 30 * NS_PER_S
OLD_NS = 900 * NS_PER_S
# ... and when its state of charge has moved this far.
SOC_MOVED_PU = 0.01
# After a forecast the watch rests for this many times as long as it took: at most 5 % of a core,
# however many plants there are.
REST = 19


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the last forecast of a plant was made from, and when."""

    plan: Plan
    soc_pu: float
    at_ns: int

    def is_like(self, plan: Plan) -> bool:
        """Whether the same is to be dispatched; schedules are replaced whole, so by identity."""
        return (
            self.plan.base is plan.base
            and self.plan.source is plan.source
            and self.plan.overrides == plan.overrides
        )


class FeasibilityDesk:
    """A `FeasibilityApi`, and the watch that keeps `feasibility` in the state of each plant.

    Args:
        plan: What is to be dispatched to a plant now.
        board: Has the state of each plant, and shows what was found.
        subjects: What each plant is checked against.
    """

    def __init__(
        self,
        plan: Callable[[PlantId], Plan],
        board: Board,
        clock: Clock,
        subjects: Mapping[PlantId, Subject],
    ) -> None:
        self._plan = plan
        self._board = board
        self._clock = clock
        self._subjects = subjects
        self._seen: dict[PlantId, _Seen] = {}
        self._failing: set[PlantId] = set()
        self._asked = 0

    async def check(
        self,
        plant: PlantId,
        schedule: Schedule | None,
        *,
        soc_pu: float | None,
    ) -> Forecast:
        """See `FeasibilityApi.check`."""
        subject = self._subjects.get(plant)
        if subject is None:
            raise NotFound(f"there is no plant {plant!r}; there are {', '.join(self._subjects)}")
        from_pu = self._soc_pu(plant) if soc_pu is None else soc_pu
        if from_pu is None:
            raise Impossible(f"the state of charge of {plant} is not known; give one as soc")
        if self._asked >= CHECKS_MAX:
            raise QueueFull("others are checking schedules; ask again in a moment")
        now, plan = self._clock.now(), self._plan(plant)

        def work() -> Forecast:
            if schedule is None:
                return _check(plan, subject, now, from_pu)
            posted = Plan(source=Source.MANUAL, base=schedule, overrides={}, stale_after_s=None)
            return _check(posted, subject, _start_of(schedule, now), from_pu)

        self._asked += 1
        try:
            return await self._off_loop(plant, work)
        finally:
            self._asked -= 1

    async def run(self) -> None:
        """Watch the plants until cancelled."""
        bell = Bell(self._clock)
        plants = tuple(self._subjects)
        looks = min(len(plants), max(LOOKS_MIN, -(-len(plants) // LOOKS_PER_ROUND)))
        index = 0
        while True:
            for _ in range(looks):
                began_ns = self._clock.monotonic_ns()
                if await self._look(plants[index % len(plants)]):
                    ended_ns = self._clock.monotonic_ns()
                    await bell.wait_until(ended_ns + REST * (ended_ns - began_ns))
                index += 1
            await bell.wait_until(self._clock.monotonic_ns() + LOOK_NS)

    async def _look(self, plant: PlantId) -> bool:
        """Forecast a plant anew when that is due; whether it was."""
        state = self._board.plant(plant)
        soc_pu = None if state.measurement is None else state.measurement.soc_pu
        if soc_pu is None or not state.dispatching:
            self._seen.pop(plant, None)
            self._board.show_feasibility(plant, None)
            return False
        plan, now_ns = self._plan(plant), self._clock.monotonic_ns()
        if not self._is_due(plant, plan, soc_pu, now_ns):
            return False
        self._seen[plant] = _Seen(plan, soc_pu, now_ns)
        subject, now = self._subjects[plant], self._clock.now()
        found: Feasibility | None = None
        try:
            found = await self._off_loop(plant, lambda: _short(plan, subject, now, soc_pu))
            self._failing.discard(plant)
        except HilError as error:
            if plant not in self._failing:
                log.warning("plant=%s is not forecast: %s", plant, error)
            self._failing.add(plant)
        # Meanwhile it may have been stopped.
        is_on = self._board.plant(plant).dispatching
        self._board.show_feasibility(plant, found if is_on else None)
        return True

    def _is_due(self, plant: PlantId, plan: Plan, soc_pu: float, now_ns: int) -> bool:
        seen = self._seen.get(plant)
        if seen is None:
            return True
        age_ns = now_ns - seen.at_ns
        has_moved = abs(soc_pu - seen.soc_pu) > SOC_MOVED_PU or not seen.is_like(plan)
        return age_ns >= OLD_NS or (age_ns >= ANEW_NS and has_moved)

    def _soc_pu(self, plant: PlantId) -> float | None:
        measured = self._board.plant(plant).measurement
        return None if measured is None else measured.soc_pu

    async def _off_loop(self, plant: PlantId, work: Callable[[], T]) -> T:
        """Run this in a thread; a model of somebody else may raise anything."""
        try:
            return await asyncio.get_running_loop().run_in_executor(None, work)
        except HilError:
            raise
        except Exception as error:
            raise HilError(
                f"the schedule of {plant} cannot be checked, its model fails:"
                f" {type(error).__name__}: {error}"
            ) from error


def _start_of(schedule: Schedule, now: datetime) -> datetime:
    """Now, or when the schedule begins; raises `InvalidInput` when it has ended, or is none."""
    points = schedule.points()
    if not points:
        raise InvalidInput("The schedule has no points.")
    last = points[-1]
    if last.p_kw is None and last.q_kvar is None and last.time <= now:
        raise InvalidInput(f"The schedule has ended at {last.time.isoformat()}.")
    return max(now, points[0].time)


def _asked(plan: Plan, start: datetime) -> tuple[tuple[EffectivePoint, ...], datetime]:
    """What is asked for from the start on, and its end: where nothing holds, or the horizon."""
    end = start + HORIZON_MAX
    points = effective_points(
        plan.base,
        plan.overrides,
        plan.source,
        start=start,
        end=end,
        stale_after_s=plan.stale_after_s,
    )
    if len(points) > 1 and points[-1].origin in {Origin.NONE, Origin.STALE}:
        return points[:-1], points[-1].time
    return points, end


def _check(plan: Plan, subject: Subject, start: datetime, soc_pu: float) -> Forecast:
    points, end = _asked(plan, start)
    return forecast(points, subject, end=end, soc_pu=soc_pu)


def _short(plan: Plan, subject: Subject, start: datetime, soc_pu: float) -> Feasibility | None:
    """As the state shows it; None when nothing is to be dispatched."""
    points, end = _asked(plan, start)
    if all(point.origin in {Origin.NONE, Origin.STALE} for point in points):
        return None
    return forecast(points, subject, end=end, soc_pu=soc_pu, step_s=LIVE_STEP_S).short()
