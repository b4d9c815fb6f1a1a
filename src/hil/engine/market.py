"""The market in one place: connection, plans, posting, and what is shown of them."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from hil.domain.alarms import AlarmKind
from hil.domain.market import CallFailed, Sample
from hil.domain.plant import PlantId, Source
from hil.domain.schedule import Schedule
from hil.domain.signals import Row
from hil.domain.snapshot import PostingState, ScheduleApiState
from hil.domain.stored import Selectors
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.fetcher import Fetcher, FetchPolicy
from hil.engine.journal import Journal
from hil.engine.market_connection import MarketConnection
from hil.engine.market_plans import MarketPlans
from hil.engine.outbox import Outbox
from hil.engine.poster import PlantSeries, Poster, PostingPolicy
from hil.engine.supervisor import Supervisor
from hil.ports import Clock, MeasurementSink, ScheduleSource

log = logging.getLogger(__name__)

# How soon an operator is told that a plan has run out.
WATCH_EVERY_S = 5.0
# Who connects is told the outcome, unless it takes longer than this.
LOG_IN_SHOWN_WITHIN_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSettings:
    """What the engine is told of a market API.

    `series`: what is posted of which plant. `connects_at_start`: a password is at hand, or none is
    needed.
    """

    fetch: FetchPolicy
    posting: PostingPolicy
    queue_max: int
    series: Mapping[PlantId, PlantSeries]
    connects_at_start: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketAccess:
    """A market API and how it is used; `draw` gives the jitter of the back-off."""

    settings: MarketSettings
    source: ScheduleSource
    draw: random.Random


class Market:
    """Brings plans in and measurements out; nothing else waits for it.

    Args:
        selectors: The switches of the site, as they are now.
        measured: The newest row of a plant, as it is recorded.
        tell: Raises (a text) or clears (None) an alarm of the site.
        on_change: Told when what is shown has changed.
    """

    def __init__(
        self,
        access: MarketAccess,
        journal: Journal,
        clock: Clock,
        *,
        selectors: Callable[[], Selectors],
        measured: Callable[[PlantId], Row | None],
        tell: Callable[[AlarmKind, str | None], None],
        on_change: Callable[[], None],
    ) -> None:
        settings, source = access.settings, access.source
        self._settings = settings
        self._source = source
        self._sink = source if isinstance(source, MeasurementSink) else None
        self._clock = clock
        self._tell = tell
        self._selectors = selectors
        self._on_change = on_change
        plants = tuple(settings.series)
        self._connection = MarketConnection(source, on_change=self._connection_changed)
        self._plans = MarketPlans(plants, settings.fetch.days, journal)
        self._fetcher = Fetcher(
            settings.fetch,
            source,
            self._connection,
            self._plans,
            clock,
            on_change=on_change,
            on_failing=lambda text: tell(AlarmKind.SCHEDULE_API_FAILING, text),
        )
        self._poster = Poster(
            settings.posting,
            settings.series,
            Outbox(
                plants,
                journal,
                queue_max=settings.queue_max,
                on_filling=lambda text: tell(AlarmKind.OUTBOX_FILLING, text),
            ),
            journal,
            clock,
            post=self._post,
            measured=measured,
            why_not=self._why_not,
            draw=access.draw,
            on_change=on_change,
        )

    def start(self, supervisor: Supervisor) -> None:
        """Begin to fetch and to post."""
        self._supervisor = supervisor
        if self._settings.connects_at_start:
            supervisor.start("market log-in", self._connect_at_start)
        supervisor.start("market fetcher", self._fetcher.run)
        supervisor.start("market plan", self._watch_plan)
        supervisor.start("market sampling", self._poster.sample)
        supervisor.start("market posting", self._poster.send)

    def look_again(self) -> None:
        """A switch of the site was turned."""
        self._poster.look_again()

    def base(self, plant: PlantId) -> Schedule:
        """The plan of a plant as it has come."""
        return self._plans.base(plant)

    def api_state(self) -> ScheduleApiState:
        """What is shown of the plans."""
        return self._fetcher.state()

    def posting_state(self) -> PostingState:
        """What is shown of posting."""
        return self._poster.state(enabled=self._selectors().posting_enabled)

    async def connect(self, password: str | None) -> None:
        """Log in, with the password held in memory when none is given; raises `CallFailed`.

        The connection is wanted from now on, and is tried again after a failure. A log-in that
        takes long goes on, and is shown as connecting.
        """
        ended = asyncio.Event()
        failures: list[CallFailed] = []

        async def attempt() -> None:
            try:
                await self._connection.connect(password)
            except CallFailed as failed:
                failures.append(failed)
            self._fetcher.ask_now()
            self._poster.send_now()
            ended.set()

        self._supervisor.start("market log-in", attempt)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOG_IN_SHOWN_WITHIN_S):
                await ended.wait()
        if failures:
            raise failures[0]

    async def disconnect(self) -> None:
        """Forget the log-in and the password: nothing is fetched or posted."""
        await self._connection.disconnect()

    async def close(self) -> None:
        """Drop the connection."""
        await self._source.close()

    async def _connect_at_start(self) -> None:
        try:
            await self._connection.connect(None)
        except CallFailed as failed:
            log.warning("market API: %s", failed)

    async def _watch_plan(self) -> None:
        """Tell of plants that are sent 0 kW because their plan has no setpoint for now."""
        bell = Bell(self._clock)
        while True:
            lacking = [plant for plant in self._settings.series if self._lacks_setpoint(plant)]
            is_api = self._selectors().source is Source.API
            self._tell(AlarmKind.PLAN_MISSING, ", ".join(lacking) if lacking and is_api else None)
            await bell.wait_until(self._clock.monotonic_ns() + int(WATCH_EVERY_S * NS_PER_S))

    def _lacks_setpoint(self, plant: PlantId) -> bool:
        now = self._clock.now()
        since = self.base(plant).p.since(now)
        return since is None or now - since >= self._settings.fetch.days.period

    def _connection_changed(self) -> None:
        self._fetcher.look_again()
        self._poster.look_again()
        self._on_change()

    async def _post(self, series: int, samples: tuple[Sample, ...]) -> None:
        assert self._sink is not None, "posting is not in effect without a sink"
        await self._connection.ask(self._sink.post(series, samples))

    def _why_not(self) -> str | None:
        """Why nothing is posted now; None when posting is in effect."""
        selectors = self._selectors()
        if self._sink is None:
            return "the schedule source takes no measurements"
        if not selectors.posting_enabled:
            return "posting is switched off"
        if selectors.source is not Source.API:
            return "the source is manual; measurements are posted with source api"
        if selectors.transport not in self._settings.posting.transports:
            return f"schedule_api.posting.transports does not name {selectors.transport}"
        if not self._connection.is_wanted:
            return "there is no connection to the market API"
        return None
