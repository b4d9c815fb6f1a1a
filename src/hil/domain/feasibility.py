"""What will become of a schedule: state of charge over time, limits hit, energy missing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import copysign, expm1

from hil.domain.limits import Setpoint, SocLatch, deadband, latched, narrow
from hil.domain.plant import ControlLimits, Nameplate
from hil.domain.schedule import EffectivePoint, SchedulePoint
from hil.domain.snapshot import Feasibility, LimitName

# `(p_kw, q_kvar, soc_pu)` to the kW by which the store empties faster than `p_kw` says.
Loss = Callable[[float, float, float], float]

# A check looks so far ahead: today and tomorrow, which is what markets plan.
HORIZON_MAX = timedelta(hours=48)
# The longest step of the prediction: what is shown has a point a minute.
STEP_S = 60.0
# ... and of the one that is made over and over of running plants, of which little is shown.
LIVE_STEP_S = 300.0
# The shortest step next to a knee, so that rounding cannot keep the prediction from moving on.
STEP_MIN_S = 1.0
# A step in the taper moves through no more than this share of it.
TAPER_SHARE = 0.25
# Points of an answer: a chart has no more pixels.
POINTS_MAX = 2_000
VIOLATIONS_MAX = 500
# Of the capacity: less missing energy than this is rounding, and is not said.
MISSING_FROM_PU = 1e-4
# Of rated power: steps of the feasible schedule that are closer than this become one.
MERGE_PU = 0.005
# The distance over which the slope of the rate is taken where nothing moves.
PROBE_PU = 1e-7
# kW and kvar: what differs by less is equal.
EQUAL = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The plant that a schedule is checked against.

    `period_s` is the dispatch period. After `idle_after_s` at P = Q = 0 the converter blocks and
    the store does not empty any more; None: it never does.
    """

    nameplate: Nameplate
    limits: ControlLimits
    period_s: float
    loss_kw: Loss
    idle_after_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A stretch `[at, until)` in which one limit keeps power from the schedule.

    Asked and possible power are those of the moment at which they are farthest apart; the energy
    is that of the whole stretch, and of active power alone.
    """

    at: datetime
    until: datetime
    limit: LimitName
    asked_kw: float
    possible_kw: float
    asked_kvar: float
    possible_kvar: float
    missing_kwh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SocForecast:
    """The state of charge (0..1) at each time."""

    time: tuple[datetime, ...]
    soc_pu: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeasibleSchedule:
    """Setpoint steps that the plant can follow; the last holds until `end`."""

    points: tuple[SchedulePoint, ...]
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What will become of a schedule; `ok`: it is followed throughout.

    `feasible` is what would be dispatched: of the schedules that the plant can follow the one
    that is nearest to the asked one at every moment.
    """

    ok: bool
    soc: SocForecast
    violations: tuple[Violation, ...]
    missing_kwh: float
    feasible: FeasibleSchedule

    def short(self) -> Feasibility:
        """As the state of a plant shows it."""
        first = self.violations[0] if self.violations else None
        return Feasibility(
            first_limit=None if first is None else first.limit,
            at=None if first is None else first.at,
            missing_kwh=round(self.missing_kwh, 3),
        )


def forecast(
    asked: Sequence[EffectivePoint],
    subject: Subject,
    *,
    end: datetime,
    soc_pu: float,
    step_s: float = STEP_S,
) -> Forecast:
    """Play what is asked for against the rules of dispatch and the losses of the plant.

    The ramp delays power and is followed, but it is no violation: hardly any energy is lost to it.

    Args:
        asked: From the first point's time on, in order; the last holds until `end`.
        soc_pu: State of charge at the first point, 0..1.
        step_s: The longest step, in seconds.
    """
    assert asked, "a schedule has a beginning"
    assert asked[-1].time < end, end
    start = asked[0].time
    course = _Course(subject, soc_pu, step_s)
    for point, until in pairwise((*asked, None)):
        assert point is not None
        until_s = ((end if until is None else until.time) - start).total_seconds()
        course.follow(point.p_kw, point.q_kvar, until_s)
    return _answer(course, start, end, subject)


def _answer(course: "_Course", start: datetime, end: datetime, subject: Subject) -> Forecast:
    def instant(after_s: float) -> datetime:
        return start + timedelta(seconds=round(after_s, 3))

    least_kwh = MISSING_FROM_PU * subject.nameplate.capacity_kwh
    said = [gap for gap in course.gaps if gap.missing_kwh >= least_kwh or gap.is_reactive]
    return Forecast(
        ok=not said,
        soc=SocForecast(
            time=tuple(instant(at_s) for at_s, _ in _thinned(course.socs)),
            soc_pu=tuple(round(soc_pu, 6) for _, soc_pu in _thinned(course.socs)),
        ),
        violations=tuple(
            Violation(
                at=instant(gap.from_s),
                until=instant(gap.until_s),
                limit=gap.limit,
                asked_kw=round(gap.asked.p_kw, 3),
                possible_kw=round(gap.possible.p_kw, 3),
                asked_kvar=round(gap.asked.q_kvar, 3),
                possible_kvar=round(gap.possible.q_kvar, 3),
                missing_kwh=round(gap.missing_kwh, 6),
            )
            for gap in said[:VIOLATIONS_MAX]
        ),
        missing_kwh=round(sum(gap.missing_kwh for gap in said), 6),
        feasible=FeasibleSchedule(
            points=tuple(
                SchedulePoint(
                    time=instant(each.from_s), p_kw=round(each.p_kw, 3), q_kvar=each.q_kvar
                )
                for each in course.stairs
            ),
            end=end,
        ),
    )


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    every = -(-len(points) // (POINTS_MAX - 1))
    return points if every <= 1 else [*points[:-1:every], points[-1]]


@dataclass(slots=True)
class _Gap:
    """A stretch under one limit, still growing."""

    from_s: float
    until_s: float
    limit: LimitName
    asked: Setpoint
    possible: Setpoint
    missing_kwh: float
    is_reactive: bool


@dataclass(slots=True)
class _Stair:
    """One step of the feasible schedule, still growing; `p_kw` is its mean."""

    from_s: float
    until_s: float
    p_kw: float
    q_kvar: float


class _Course:
    """The plant on its way through the schedule; times in seconds since its beginning."""

    def __init__(self, subject: Subject, soc_pu: float, step_s: float) -> None:
        self._subject = subject
        self._limits = subject.limits
        self._capacity_kws = subject.nameplate.capacity_kwh * 3600
        self._horizon_h = subject.period_s / 3600
        self._step_s = step_s
        self._now_s = self._idle_s = 0.0
        self._soc_pu = soc_pu
        self._latch = SocLatch()
        self._p_before_kw: float | None = None
        rated_kw = max(subject.nameplate.p_max_kw, -subject.nameplate.p_min_kw)
        self._merge_kw = MERGE_PU * rated_kw
        self.socs = [(0.0, soc_pu)]
        self.gaps: list[_Gap] = []
        self.stairs: list[_Stair] = []

    def follow(self, p_kw: float, q_kvar: float, until_s: float) -> None:
        """Follow this setpoint until then."""
        while self._now_s < until_s - EQUAL:
            self._step(Setpoint(p_kw=p_kw, q_kvar=q_kvar), until_s - self._now_s)

    def _step(self, asked: Setpoint, left_s: float) -> None:
        """Move on by as much as can be done in one step, exactly where the rate is affine."""
        left_s = min(left_s, self._step_s)
        before_kw, wanted = self._p_before_kw, asked
        asked, left_s = self._ramped(wanted, left_s)
        soc_pu = self._soc_pu
        self._latch = latched(self._latch, self._limits, soc_pu=soc_pu)
        quiet = deadband(asked, self._limits)
        got, named = self._narrowed(quiet.setpoint, soc_pu)
        rate = self._rate(got, soc_pu)
        step_s, probe_pu = self._step_of(quiet.setpoint.p_kw, rate, left_s)
        is_idle = got.p_kw == 0 and got.q_kvar == 0
        step_s = self._until_idle(step_s) if is_idle else step_s
        beside, named_beside = self._narrowed(quiet.setpoint, soc_pu + probe_pu)
        slope = (self._rate(beside, soc_pu + probe_pu) - rate) / probe_pu
        grown = min(slope * step_s, 1.0)
        # With rate' = slope * rate the state of charge and its mean have closed forms.
        factor = expm1(grown) / grown if abs(grown) > EQUAL else 1.0
        mean_pu = rate * step_s * ((factor - 1.0) / grown if abs(grown) > EQUAL else 0.5)
        p_kw = got.p_kw + (beside.p_kw - got.p_kw) / probe_pu * mean_pu
        held = Setpoint(p_kw=_between(p_kw, quiet.setpoint.p_kw), q_kvar=got.q_kvar)
        self._soc_pu = min(max(soc_pu + rate * step_s * factor, 0.0), 1.0)
        self._idle_s = self._idle_s + step_s if is_idle else 0.0
        if before_kw is not None and self._p_before_kw is not None and asked is not wanted:
            self._p_before_kw = before_kw + (self._p_before_kw - before_kw) * step_s / left_s
        self._note(asked, held, _binding(named | named_beside | quiet.limited_by), step_s)

    def _note(
        self, asked: Setpoint, held: Setpoint, limit: LimitName | None, step_s: float
    ) -> None:
        now_s = self._now_s
        self._now_s += step_s
        self.socs.append((self._now_s, self._soc_pu))
        self._note_stair(held, now_s)
        missing_kw, missing_kvar = abs(asked.p_kw - held.p_kw), abs(asked.q_kvar - held.q_kvar)
        if limit is None or (missing_kw <= EQUAL and missing_kvar <= EQUAL):
            return
        missing_kwh, is_reactive = missing_kw * step_s / 3600, missing_kvar > EQUAL
        last = self.gaps[-1] if self.gaps else None
        if (
            last is None
            or (last.limit, last.is_reactive, last.until_s) != (limit, is_reactive, now_s)
            or last.asked.p_kw * asked.p_kw < 0
        ):
            gap = _Gap(now_s, self._now_s, limit, asked, held, missing_kwh, is_reactive)
            self.gaps.append(gap)
            return
        last.until_s = self._now_s
        last.missing_kwh += missing_kwh
        if missing_kw > abs(last.asked.p_kw - last.possible.p_kw):
            last.asked, last.possible = asked, held

    def _note_stair(self, held: Setpoint, from_s: float) -> None:
        last = self.stairs[-1] if self.stairs else None
        is_like = (
            last is not None
            and last.q_kvar == held.q_kvar
            and (last.p_kw == 0) == (held.p_kw == 0)
            and abs(last.p_kw - held.p_kw) <= self._merge_kw
        )
        if last is None or not is_like:
            self.stairs.append(_Stair(from_s, self._now_s, held.p_kw, held.q_kvar))
            return
        share = (self._now_s - from_s) / (self._now_s - last.from_s)
        last.p_kw += (held.p_kw - last.p_kw) * share
        last.until_s = self._now_s

    def _ramped(self, asked: Setpoint, left_s: float) -> tuple[Setpoint, float]:
        """The mean of what the ramp lets be asked for, over as long as it does or `left_s`."""
        ramp, before_kw = self._limits.ramp_kw_per_s, self._p_before_kw
        away_kw = 0.0 if before_kw is None else asked.p_kw - before_kw
        if ramp is None or before_kw is None or abs(away_kw) <= ramp * self._subject.period_s:
            self._p_before_kw = asked.p_kw
            return asked, left_s
        step_s = max(min(left_s, abs(away_kw) / ramp), min(left_s, self._subject.period_s))
        # A step of the staircase is taken at the beginning of its period.
        mean_kw = min(ramp * (step_s + self._subject.period_s) / 2, abs(away_kw))
        self._p_before_kw = before_kw + copysign(min(ramp * step_s, abs(away_kw)), away_kw)
        return Setpoint(p_kw=before_kw + copysign(mean_kw, away_kw), q_kvar=asked.q_kvar), step_s

    def _narrowed(self, wanted: Setpoint, soc_pu: float) -> tuple[Setpoint, frozenset[LimitName]]:
        got = narrow(
            wanted,
            self._subject.nameplate,
            self._limits,
            soc_pu=soc_pu,
            latch=self._latch,
            horizon_h=self._horizon_h,
        )
        return got.setpoint, got.limited_by

    def _rate(self, held: Setpoint, soc_pu: float) -> float:
        """How fast the state of charge moves, in pu a second."""
        idle_after_s = self._subject.idle_after_s
        is_idle = held.p_kw == 0 and held.q_kvar == 0
        if is_idle and idle_after_s is not None and self._idle_s >= idle_after_s:
            return 0.0
        loss_kw = self._subject.loss_kw(held.p_kw, held.q_kvar, soc_pu)
        return -(held.p_kw + loss_kw) / self._capacity_kws

    def _step_of(self, p_kw: float, rate: float, left_s: float) -> tuple[float, float]:
        """The length of the next step, and the distance over which to take the rate's slope.

        Outside the band in which `p_kw` is cut a step ends at the band's knee; inside it moves
        through a part of it.
        """
        if p_kw == 0:
            return left_s, copysign(PROBE_PU, rate)
        limits, nameplate = self._limits, self._subject.nameplate
        to_low = p_kw > 0
        room_pu = self._soc_pu - limits.soc_min_pu if to_low else limits.soc_max_pu - self._soc_pu
        rated_kw = abs(nameplate.p_max_kw if to_low else nameplate.p_min_kw)
        p_kw = min(abs(p_kw), rated_kw)
        taper_pu = limits.soc_taper_pu * p_kw / rated_kw if rated_kw else 0.0
        knee_pu = max(taper_pu, p_kw * self._horizon_h / nameplate.capacity_kwh)
        if room_pu > knee_pu:
            way_pu, probe_pu = room_pu - knee_pu, min(room_pu - knee_pu, 1e-3)
        else:
            way_pu, probe_pu = TAPER_SHARE * knee_pu, max(room_pu, 0.0) / 2
        if abs(rate) * left_s > way_pu:
            left_s = min(left_s, max(way_pu / abs(rate), STEP_MIN_S))
        return left_s, copysign(max(probe_pu, PROBE_PU), rate)

    def _until_idle(self, step_s: float) -> float:
        """No longer than until the converter blocks."""
        idle_after_s = self._subject.idle_after_s
        if idle_after_s is None or self._idle_s >= idle_after_s:
            return step_s
        return min(step_s, max(idle_after_s - self._idle_s, EQUAL))


def _between(p_kw: float, wanted_kw: float) -> float:
    """Between nothing and what is wanted, on the same side of zero."""
    return min(max(p_kw, min(wanted_kw, 0.0)), max(wanted_kw, 0.0))


_ORDER = (LimitName.SOC, LimitName.PQ_CIRCLE, LimitName.NAMEPLATE, LimitName.DEADBAND)


def _binding(named: frozenset[LimitName]) -> LimitName | None:
    """The limit that narrowed last, which is the one that missing energy is put down to."""
    return next((limit for limit in _ORDER if limit in named), None)
