"""Plans in and measurements out, with a market that answers by script, on virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from fake_source import (
    ANSWERS_AFTER_S,
    DAYS,
    LIB,
    MARKET,
    FakeSource,
    log_in_refused,
    market_access,
    transient,
)
from hil.domain.alarms import AlarmKind
from hil.domain.market import CallFailed
from hil.domain.plant import PlantId, Source, Transport
from hil.domain.signals import Row
from hil.domain.snapshot import ConnectionStatus
from hil.domain.stored import Selectors
from hil.engine.journal import Journal
from hil.engine.market import Market, MarketSettings
from hil.engine.supervisor import Supervisor
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_store import MemoryStore

# 12:00 in Madrid.
NOON = datetime(2026, 5, 1, 10, tzinfo=UTC)


class Site:
    """What the market looks at; a plant that is measured every 2 s at `10 * minute` kW."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.selectors = Selectors(
            source=Source.API, transport=Transport.LOCAL, posting_enabled=True
        )
        self.alarms: dict[AlarmKind, str] = {}
        self.is_measured = True
        self.last: Row | None = None

    def measured(self, _: PlantId) -> Row | None:
        if self.is_measured:
            now = self.clock.now()
            at = now - timedelta(seconds=now.second % 2, microseconds=now.microsecond)
            p_poi_kw, soc_pu, v_poi_kv = float(at.minute), 0.5, 20.1
            self.last = Row(at, (None, None, None, None, soc_pu, p_poi_kw, None, v_poi_kv))
        return self.last

    def tell(self, kind: AlarmKind, text: str | None) -> None:
        self.alarms.pop(kind, None)
        if text is not None:
            self.alarms[kind] = text


class Bench:
    """A market and what stands around it; it may be restarted over the same store."""

    def __init__(self, source: FakeSource, clock: VirtualClock, settings: MarketSettings) -> None:
        self.source = source
        self.clock = clock
        self.settings = settings
        self.store = MemoryStore()
        self.site = Site(clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Market]:
        supervisor = Supervisor(self.clock)
        journal = Journal(self.store, self.clock)
        await journal.load()
        self.market = Market(
            market_access(self.source, self.settings),
            journal,
            self.clock,
            selectors=lambda: self.site.selectors,
            measured=self.site.measured,
            tell=self.site.tell,
            on_change=lambda: None,
        )
        supervisor.start("journal", journal.run)
        self.market.start(supervisor)
        try:
            yield self.market
        finally:
            await supervisor.stop()


def bench(start: datetime = NOON, settings: MarketSettings = MARKET) -> Bench:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return Bench(FakeSource(), VirtualClock(loop, start), settings)


def plan_of(*days: date) -> dict[datetime, float]:
    return {at: float(k) for day in days for k, at in enumerate(DAYS.periods(day))}


TODAY, TOMORROW = date(2026, 5, 1), date(2026, 5, 2)


# Fetching ------------------------------------------------------------------------------------


async def test_the_plan_of_today_is_asked_for_once_and_dispatched() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY)}
    async with stand.running() as market:
        await asyncio.sleep(3600)
        state = market.api_state()
        base = market.base(LIB)
    assert [at for _, at in stand.source.asked] == [DAYS.periods(TODAY)[0]]
    assert (state.today.points, state.today.expected, state.today.complete) == (96, 96, True)
    assert state.connection is ConnectionStatus.CONNECTED
    assert (base.p.at(NOON), base.q.at(NOON)) == (48.0, 0.0)
    assert stand.site.alarms == {}


async def test_tomorrow_is_asked_for_from_its_time_on_and_becomes_today_at_midnight() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY, TOMORROW)}
    async with stand.running() as market:
        await asyncio.sleep(3 * 3600 - 1)
        assert len(stand.source.asked) == 1
        await asyncio.sleep(6)
        assert market.api_state().tomorrow.complete
        await asyncio.sleep(9 * 3600)
        state = market.api_state()
    assert (state.today.date, state.today.complete) == (TOMORROW, True)
    assert (state.tomorrow.points, state.tomorrow.complete) == (0, False)
    assert len(stand.source.asked) == 2
    assert market.base(LIB).p.times[0] == DAYS.periods(TOMORROW)[0]


async def test_an_incomplete_day_is_dispatched_told_and_asked_for_again() -> None:
    stand = bench()
    whole = plan_of(TODAY)
    late = DAYS.periods(TODAY)[60:]
    stand.source.plan = {"lib": {at: p for at, p in whole.items() if at < late[0]}}
    async with stand.running() as market:
        await asyncio.sleep(10)
        today = market.api_state().today
        assert (today.points, today.complete) == (60, False)
        assert today.missing == {LIB: ((late[0], late[-1] + DAYS.period),)}
        assert market.base(LIB).p.at(NOON) == 48.0
        stand.source.plan = {"lib": dict.fromkeys(late, -1.0)}
        await asyncio.sleep(120)
        assert market.api_state().today.complete
        assert market.base(LIB).p.at(late[0]) == -1.0
        await asyncio.sleep(3600)
    assert len(stand.source.asked) == 2


async def test_a_failure_is_told_and_waited_out_while_the_held_plan_goes_on() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY)}
    async with stand.running():
        await asyncio.sleep(5)
    stand.source.asked.clear()
    stand.source.plan = {"lib": {}}
    stand.source.failures = [transient()] * 3 + [transient(retry_after_s=200)]
    stand.clock.step(timedelta(hours=24))
    stand.site.selectors = replace(stand.site.selectors, posting_enabled=False)
    async with stand.running() as market:
        await asyncio.sleep(29)
        assert market.base(LIB).p.times == ()
        assert market.api_state().connection is ConnectionStatus.ERROR
        assert stand.site.alarms[AlarmKind.SCHEDULE_API_FAILING] == "503: try again"
        await asyncio.sleep(400)
        assert AlarmKind.SCHEDULE_API_FAILING not in stand.site.alarms
        assert stand.site.alarms[AlarmKind.PLAN_MISSING] == "lib"
    times = [at for at, _ in stand.source.asked]
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[:3] == pytest.approx([wait_s + ANSWERS_AFTER_S for wait_s in (30, 30, 200)])


async def test_the_plan_is_there_after_a_restart_without_being_asked_for() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY)}
    async with stand.running():
        await asyncio.sleep(5)
    stand.source.asked.clear()
    stand.source.failures = [transient()] * 100
    async with stand.running() as market:
        assert market.base(LIB).p.at(NOON) == 48.0
        await asyncio.sleep(100)
    assert stand.source.asked == []


async def test_a_refused_log_in_is_not_tried_again_before_the_back_off() -> None:
    stand = bench()
    stand.source.failures = [log_in_refused()] * 3
    async with stand.running() as market:
        await asyncio.sleep(25)
        assert market.api_state().error == "the password is wrong"
        assert (len(stand.source.passwords), len(stand.source.asked)) == (1, 1)
        await asyncio.sleep(10)
        assert len(stand.source.asked) == 2


async def test_nothing_is_asked_before_somebody_connects_nor_after_disconnecting() -> None:
    stand = bench(settings=replace(MARKET, connects_at_start=False))
    stand.source.plan = {"lib": {}}
    async with stand.running() as market:
        await asyncio.sleep(3600)
        assert market.posting_state().why_not == "there is no connection to the market API"
        assert stand.source.asked == []
        await market.connect("secret")
        await asyncio.sleep(130)
        assert len(stand.source.asked) == 2
        await market.disconnect()
        await asyncio.sleep(3600)
        assert market.api_state().connection is ConnectionStatus.DISCONNECTED
    assert len(stand.source.asked) == 2
    assert stand.source.passwords == []


async def test_connecting_in_vain_says_why() -> None:
    stand = bench(settings=replace(MARKET, connects_at_start=False))
    stand.source.failures = [log_in_refused()]
    async with stand.running() as market:
        with pytest.raises(CallFailed, match="password is wrong"):
            await market.connect("wrong")


async def test_whatever_an_installed_source_raises_is_a_failure_like_another() -> None:
    stand = bench()
    stand.source.failures = [ValueError("no such column")] * 2  # type: ignore[list-item] # a bug
    stand.source.plan = {"lib": plan_of(TODAY)}
    async with stand.running() as market:
        await asyncio.sleep(5)
        assert market.api_state().connection is ConnectionStatus.ERROR
        assert "ValueError: no such column" in str(market.api_state().error)
        await asyncio.sleep(60)
        assert market.api_state().today.complete


async def test_what_is_no_setpoint_or_of_another_day_is_not_taken_up() -> None:
    stand = bench()
    first, second, *_ = DAYS.periods(TODAY)
    stand.source.plan = {"lib": {first: float("nan"), second: float("inf"), NOON: 5.0}}
    async with stand.running() as market:
        await asyncio.sleep(5)
        assert market.base(LIB).p.times == (NOON,)


# Posting -------------------------------------------------------------------------------------


async def test_the_newest_sample_of_each_series_is_posted_once_a_period() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY)}
    async with stand.running():
        await asyncio.sleep(3 * 60 + 5)
    taken = [(s.series, s.at, s.value) for s in stand.source.taken]
    minutes = [NOON + timedelta(minutes=k) for k in (1, 2, 3)]
    assert sorted(taken) == sorted(
        (series, at, value)
        for at in minutes
        for series, value in ((4, 250.0), (6, at.minute * 1000.0), (8, 20100.0))
    )


async def test_no_new_sample_nothing_to_post() -> None:
    stand = bench()
    async with stand.running():
        await asyncio.sleep(65)
        stand.site.is_measured = False
        await asyncio.sleep(300)
    assert len(stand.source.taken) == 3


async def test_nothing_is_lost_while_the_api_fails_and_several_go_in_one_call_then() -> None:
    stand = bench(settings=replace(MARKET, connects_at_start=False))
    async with stand.running() as market:
        await market.connect(None)
        await asyncio.sleep(1)
        stand.source.failures = [transient()] * 6
        await asyncio.sleep(600)
    assert [s.at for s in stand.source.taken if s.series == 6] == [
        NOON + timedelta(minutes=k) for k in range(1, 11)
    ]
    assert max(many for _, _, many in stand.source.posted) > 1


async def test_retry_after_is_obeyed() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY)}
    async with stand.running():
        await asyncio.sleep(30)
        stand.source.failures = [transient(retry_after_s=90)]
        await asyncio.sleep(200)
    first, second = stand.source.posted[:2]
    assert second[0] - first[0] >= 90


async def test_one_refused_sample_is_set_aside_and_the_others_are_posted() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY)}
    stand.source.refuses = {7000.0}
    async with stand.running() as market:
        await asyncio.sleep(30)
        stand.source.failures = [transient(retry_after_s=900)]
        await asyncio.sleep(1200)
        posting = market.posting_state().plants[LIB]
    assert (posting.set_aside, posting.pending, posting.dropped) == (1, 0, 0)
    values = [s.value for s in stand.source.taken if s.series == 6]
    assert values == [k * 1000.0 for k in range(1, 21) if k != 7]


async def test_a_series_that_is_refused_is_not_tried_sample_by_sample_for_ever() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY)}
    stand.source.refuses = {250.0}
    async with stand.running() as market:
        await asyncio.sleep(30)
        stand.source.failures = [transient(retry_after_s=3000)]
        await asyncio.sleep(3300)
        posting = market.posting_state().plants[LIB]
    assert posting.pending == 0
    assert posting.set_aside > 40
    assert len([1 for _, series, _ in stand.source.posted if series == 4]) < 30


async def test_switched_off_the_queue_stays_and_nothing_new_is_added() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY)}
    async with stand.running() as market:
        await asyncio.sleep(30)
        stand.source.failures = [transient(retry_after_s=100)]
        await asyncio.sleep(32)
        on = stand.site.selectors
        stand.site.selectors = replace(on, posting_enabled=False)
        market.look_again()
        await asyncio.sleep(600)
        state = market.posting_state()
        assert (state.effective, state.why_not) == (False, "posting is switched off")
        assert state.plants[LIB].pending == 3
        assert stand.source.taken == []
        stand.site.selectors = on
        market.look_again()
        await asyncio.sleep(10)
        assert len(stand.source.taken) == 3


@pytest.mark.parametrize(
    ("selectors", "why"),
    [
        ({"source": Source.MANUAL}, "the source is manual"),
        ({"transport": Transport.REMOTE}, "transports does not name remote"),
    ],
)
async def test_why_nothing_is_posted_is_said(
    selectors: dict[str, Source | Transport], why: str
) -> None:
    stand = bench()
    async with stand.running() as market:
        stand.site.selectors = replace(stand.site.selectors, **selectors)  # type: ignore[arg-type] # one of its fields
        await asyncio.sleep(200)
        assert why in str(market.posting_state().why_not)
    assert stand.source.posted == []


async def test_samples_that_wait_are_sent_after_a_restart() -> None:
    stand = bench()
    stand.source.plan = {"lib": plan_of(TODAY)}
    async with stand.running():
        await asyncio.sleep(30)
        stand.source.failures = [transient(retry_after_s=3600)]
        await asyncio.sleep(300)
    assert stand.source.taken == []
    async with stand.running():
        await asyncio.sleep(20)
    assert [s.at for s in stand.source.taken if s.series == 6] == [
        NOON + timedelta(minutes=k) for k in range(1, 6)
    ]
