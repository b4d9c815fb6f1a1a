"""Days around the clock changes with a market that fails at times, on virtual time."""

import asyncio
import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from fake_source import DAYS, MARKET
from hil.adapters.istentore import Istentore
from hil.domain.commands import CommandKind
from hil.domain.plant import Source
from hil.domain.snapshot import Origin
from hil.engine.market import MarketAccess
from hil.virtual.clock import VirtualClock
from hil.virtual.fake_market import Call, FakeMarket, Trouble, TroubleKind
from hil.virtual.loop import VirtualLoop
from rig import LIB, SETTINGS, Rig, running

PERIOD_S = 30.0
SETTLED_S = PERIOD_S + 5
POSTED_EVERY_S = 300.0
SETTINGS_OF_MARKET = replace(MARKET, posting=replace(MARKET.posting, period_s=POSTED_EVERY_S))
# The site day before the clocks of Madrid change; three days are played from there.
SPRING = datetime(2026, 3, 27, 23, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 23, 22, tzinfo=UTC)
AMBIGUOUS = {TroubleKind.TAKES_SILENTLY, TroubleKind.TRUNCATED}


def drawn_trouble(draw: random.Random) -> Trouble:
    kind = draw.choice(list(TroubleKind))
    code, retry_after = draw.choice([(500, None), (429, None), (429, "90"), (503, "20")])
    on = {TroubleKind.CHANGED_PLAN: None, TroubleKind.PARTIAL_DAY: Call.PRODUCTS}
    return Trouble(
        kind=kind,
        on=on.get(kind, draw.choice([None, *Call])),
        times=draw.choice([1, 1, 2, 5]),
        seconds=draw.choice([0.5, 15.0, 25.0]),
        code=code,
        retry_after=retry_after,
    )


class Days:
    """An engine with one plant and a market behind HTTP, from `start` on."""

    def __init__(self, rig: Rig, market: FakeMarket, draw: random.Random) -> None:
        self.rig = rig
        self.market = market
        self.draw = draw
        self.ambiguous = 0
        self.stale_periods = 0

    async def run(self, until: datetime) -> None:
        """Look shortly after each delivery period has begun; make trouble now and then."""
        while self.rig.clock.now() < until:
            if self.draw.random() < 0.25:
                trouble = drawn_trouble(self.draw)
                if trouble.kind in AMBIGUOUS and trouble.on in (None, Call.MEASUREMENTS):
                    self.ambiguous += trouble.times
                self.market.trouble(trouble)
            now = self.rig.clock.now()
            begun = now + DAYS.period - (now - SPRING) % DAYS.period
            await asyncio.sleep((begun - now).total_seconds() + SETTLED_S)
            self.look(begun)

    def look(self, begun: datetime) -> None:
        """The period's own setpoint is dispatched, or 0 kW is, and is shown as stale."""
        plan, shown = self.rig.engine.api_schedule(LIB).p, self.rig.state().setpoint
        if plan.since(begun) == begun:
            assert (shown.p_kw, shown.origin) == (plan.at(begun), Origin.API), begun
        else:
            assert (shown.p_kw, shown.origin) == (0.0, Origin.STALE), begun
            self.stale_periods += 1

    def balance(self) -> None:
        """Every sample was taken once, or once more for each answer that was lost."""
        values: dict[tuple[int, str], list[float]] = defaultdict(list)
        for taken in self.market.taken:
            values[taken.series, taken.at].append(taken.value)
        assert all(len(set(each)) == 1 for each in values.values())
        posting = self.rig.engine.snapshot().posting.plants[LIB]
        assert posting.dropped == posting.set_aside == 0
        assert len(values) - posting.pending <= posting.sent <= len(values)
        again = [each for each in values.values() if len(each) > 1]
        assert max(map(len, values.values())) <= 2 + self.ambiguous
        assert len(again) <= 500 * self.ambiguous


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
@pytest.mark.parametrize("seed", range(2))
async def test_three_days_around_a_clock_change(start: datetime, seed: int) -> None:
    draw = random.Random(seed)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = VirtualClock(loop, start)
    market = FakeMarket(
        ZoneInfo("Europe/Madrid"), {LIB: 100.0}, clock, password="secret", draw=draw
    )
    source = Istentore(
        "http://market.test",
        "bench",
        "secret",
        [LIB],
        clock,
        error_backoff_s=30,
        transport=httpx.ASGITransport(app=market),
    )
    settings = replace(
        SETTINGS,
        source=Source.API,
        posting_enabled=True,
        dispatch_period_s=PERIOD_S,
        measurement_period_s=PERIOD_S,
    )
    access = MarketAccess(settings=SETTINGS_OF_MARKET, source=source, draw=draw)
    async with running(settings=settings, market=access, clock=clock) as rig:
        await rig.carry_out(CommandKind.START)
        days = Days(rig, market, draw)
        await days.run(start + timedelta(days=3))
        # Whatever was wrong is over: what waits is sent within the longest back-off.
        market._troubles.clear()
        await asyncio.sleep(300)
        days.balance()
        posting = rig.engine.snapshot().posting.plants[LIB]
    assert days.stale_periods < 100
    # Every series at every posting period.
    assert posting.sent == 4 * (3 * 86_400 + 300) // POSTED_EVERY_S
