"""Asks for the plans of today and tomorrow until they are complete."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from hil.domain.market import CallFailed, DeliveryDays
from hil.domain.snapshot import ScheduleApiState
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.market_connection import MarketConnection
from hil.engine.market_plans import MarketPlans
from hil.ports import Clock, ScheduleSource

log = logging.getLogger(__name__)

# Midnight, the time from which tomorrow is wanted and a stepped clock are noticed within this.
LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """How often is asked; times in seconds."""

    days: DeliveryDays
    poll_period_s: float
    error_backoff_s: float


class Fetcher:
    """Brings the plans; a day is asked for again while anything of it is missing.

    Args:
        on_change: Told when what `state` shows, or what is to be dispatched, has changed.
        on_failing: Told why no plan comes, and None when the source answers again.
    """

    def __init__(
        self,
        policy: FetchPolicy,
        source: ScheduleSource,
        connection: MarketConnection,
        plans: MarketPlans,
        clock: Clock,
        *,
        on_change: Callable[[], None],
        on_failing: Callable[[str | None], None],
    ) -> None:
        self._policy = policy
        self._source = source
        self._connection = connection
        self._plans = plans
        self._clock = clock
        self._on_change = on_change
        self._on_failing = on_failing
        self._bell = Bell(clock)
        self._ask_ns: dict[date, int] = {}
        self._not_before_ns = clock.monotonic_ns()
        self._shown_day: date | None = None
        self._last_attempt: datetime | None = None
        self._last_success: datetime | None = None
        self._error: str | None = None

    def look_again(self) -> None:
        """The connection is wanted, or not any more."""
        self._bell.ring()

    def ask_now(self) -> None:
        """Somebody has connected: no wait is left, and no failure of before."""
        self._error = None
        self._not_before_ns = self._clock.monotonic_ns()
        self._ask_ns.clear()
        self._bell.ring()

    def state(self) -> ScheduleApiState:
        """What is shown of the market API."""
        days, now = self._policy.days, self._clock.now()
        return ScheduleApiState(
            connection=self._connection.status,
            today=self._plans.shown(days.today(now)),
            tomorrow=self._plans.shown(days.tomorrow(now)),
            last_attempt=self._last_attempt,
            last_success=self._last_success,
            error=self._connection.error or self._error,
        )

    async def run(self) -> None:
        """Ask for what is missing whenever it is due, until cancelled."""
        while True:
            self._follow_calendar()
            day = self._due()
            if day is not None:
                await self._fetch(day)
            else:
                await self._bell.wait_until(self._look_ns())

    def _follow_calendar(self) -> None:
        today = self._policy.days.today(self._clock.now())
        if today != self._shown_day:
            self._shown_day = today
            self._plans.drop_before(today)
            self._ask_ns = {day: ns for day, ns in self._ask_ns.items() if day >= today}
            self._on_change()

    def _due(self) -> date | None:
        """The first day that is to be asked for now."""
        now_ns = self._clock.monotonic_ns()
        if not self._connection.is_wanted or now_ns < self._not_before_ns:
            return None
        for day in self._policy.days.wanted(self._clock.now()):
            if now_ns >= self._ask_ns.get(day, now_ns) and not self._plans.is_complete(day):
                return day
        return None

    def _look_ns(self) -> int:
        """When to look again: at the next attempt that is due, or soon."""
        now_ns = self._clock.monotonic_ns()
        due = [ns for ns in (self._not_before_ns, *self._ask_ns.values()) if ns > now_ns]
        return min([now_ns + int(LOOK_EVERY_S * NS_PER_S), *due])

    async def _fetch(self, day: date) -> None:
        self._last_attempt = self._clock.now()
        periods = self._policy.days.periods(day)
        try:
            come = await self._connection.ask(self._source.setpoints(periods))
        except CallFailed as failed:
            wait_s = max(self._policy.error_backoff_s, failed.retry_after_s or 0.0)
            self._not_before_ns = self._clock.monotonic_ns() + int(wait_s * NS_PER_S)
            self._error = str(failed)
            log.warning("plan of %s: %s; next attempt in %.0f s", day, failed, wait_s)
            self._on_failing(str(failed))
        else:
            self._last_success, self._error = self._clock.now(), None
            self._plans.lay(day, come)
            poll_ns = int(self._policy.poll_period_s * NS_PER_S)
            self._ask_ns[day] = self._clock.monotonic_ns() + poll_ns
            shown = self._plans.shown(day)
            log.info("plan of %s: %d of %s periods have come", day, shown.points, shown.expected)
            self._on_failing(None)
        self._on_change()
