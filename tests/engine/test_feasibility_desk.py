"""What each plant will run into, live in the state, and schedules that are asked about."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from hil.adapters.system_clock import SystemClock
from hil.domain.commands import CommandKind
from hil.domain.errors import HilError, Impossible, InvalidInput, NotFound, QueueFull
from hil.domain.feasibility import Loss, Subject
from hil.domain.plant import PlantId, Source, Transport
from hil.domain.schedule import Schedule, Series, Signal
from hil.domain.snapshot import Feasibility, SiteInfo, initial_snapshot
from hil.engine.board import Board
from hil.engine.feasibility_desk import CHECKS_MAX, FeasibilityDesk
from hil.engine.plant_parts import Plan
from rig import LIB, Rig, running
from specimen import spec


def lossless(_p_kw: float, _q_kvar: float, _soc_pu: float) -> float:
    return 0.0


def broken(_p_kw: float, _q_kvar: float, _soc_pu: float) -> float:
    raise ZeroDivisionError("resistance")


def subject_of(loss_kw: Loss) -> Subject:
    plant = spec("lib")
    return Subject(
        nameplate=plant.nameplate,
        limits=plant.limits,
        period_s=2.0,
        loss_kw=loss_kw,
        idle_after_s=60.0,
    )


@asynccontextmanager
async def watched(loss_kw: Loss = lossless) -> AsyncIterator[tuple[Rig, FeasibilityDesk]]:
    """A running, dispatching plant with a plan it can follow for a while, and the watch."""
    async with running() as rig:
        desk = FeasibilityDesk(
            rig.engine.plan, rig.engine.board, rig.clock, {LIB: subject_of(loss_kw)}
        )
        watch = asyncio.get_running_loop().create_task(desk.run())
        try:
            await rig.plan(100.0)
            await rig.carry_out(CommandKind.START)
            await rig.wait(5)
            yield rig, desk
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


def shown(rig: Rig) -> Feasibility | None:
    return rig.state().feasibility


async def test_the_first_limit_is_shown_while_the_plant_is_dispatched() -> None:
    async with watched() as (rig, _):
        soc_pu, capacity_kwh = rig.state().measurement.soc_pu, rig.state().limits.capacity_kwh  # type: ignore[union-attr] # measured
        found = shown(rig)
        await rig.carry_out(CommandKind.STOP)
        await rig.wait(5)

        assert found is not None
        assert found.first_limit == "soc"
        assert found.at is not None
        assert soc_pu is not None
        hours = (found.at - rig.clock.now()) / timedelta(hours=1)
        assert hours == pytest.approx(soc_pu * capacity_kwh / 100, abs=0.05)
        assert found.missing_kwh == pytest.approx(4800 - soc_pu * capacity_kwh, abs=1)
        assert shown(rig) is None


async def test_a_new_schedule_is_looked_at_within_half_a_minute() -> None:
    async with watched() as (rig, _):
        await rig.plan(0.0)
        await rig.wait(32)
        at_rest = shown(rig)
        override = Series((rig.clock.now(),), (-1.0,))
        await rig.engine.put_override(LIB, Signal.P, override, by="test")
        await rig.wait(32)
        overridden = shown(rig)

        assert at_rest == Feasibility(first_limit=None, at=None, missing_kwh=0.0)
        assert overridden == at_rest


async def test_without_a_schedule_nothing_is_shown() -> None:
    async with watched() as (rig, _):
        await rig.engine.put_manual_schedule(LIB, Schedule(), by="test")
        await rig.wait(32)

        assert shown(rig) is None


async def test_a_model_that_fails_is_said_once_and_nothing_is_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with watched(broken) as (rig, desk):
        await rig.plan(90.0)
        await rig.wait(32)

        assert shown(rig) is None
        said = [r.getMessage() for r in caplog.records if "not forecast" in r.getMessage()]
        assert len(said) == 1
        assert said[0].endswith("its model fails: ZeroDivisionError: resistance")
        with pytest.raises(HilError, match="its model fails"):
            await desk.check(LIB, None, soc_pu=0.5)


async def test_a_schedule_is_checked_to_its_end() -> None:
    async with watched() as (rig, desk):
        now = rig.clock.now()
        hour = timedelta(hours=1)
        later = Schedule(p=Series((now + hour, now + 2 * hour), (50.0, None)))
        over = Schedule(p=Series((now - 2 * hour, now - hour), (50.0, None)))

        present = await desk.check(LIB, None, soc_pu=None)
        planned = await desk.check(LIB, later, soc_pu=0.5)

        assert present.soc.time[-1] - present.soc.time[0] == timedelta(hours=48)
        assert planned.ok
        assert (planned.soc.time[0], planned.soc.time[-1]) == (now + hour, now + 2 * hour)
        for schedule in (over, Schedule()):
            with pytest.raises(InvalidInput):
                await desk.check(LIB, schedule, soc_pu=0.5)
        with pytest.raises(NotFound):
            await desk.check(PlantId("nix"), None, soc_pu=0.5)


@pytest.mark.real_time
async def test_checks_beyond_a_few_at_once_are_refused() -> None:
    let_go = threading.Event()

    def slow(_p_kw: float, _q_kvar: float, _soc_pu: float) -> float:
        let_go.wait()
        return 0.0

    now = datetime(2026, 1, 15, tzinfo=UTC)
    plan = Plan(source=Source.MANUAL, base=Schedule(), overrides={}, stale_after_s=None)
    state = initial_snapshot(
        site=SiteInfo(name="Bench", timezone="UTC"),
        plants=[spec("lib")],
        source=Source.MANUAL,
        transport=Transport.LOCAL,
        posting_enabled=False,
        version="test",
        now=now,
    )
    board = Board(state, SystemClock(), facts=lambda facts: facts)
    board.show_plant(LIB, lambda: state.plants[LIB])
    desk = FeasibilityDesk(lambda _: plan, board, SystemClock(), {LIB: subject_of(slow)})

    with pytest.raises(Impossible):
        await desk.check(LIB, None, soc_pu=None)
    asked = [
        asyncio.get_running_loop().create_task(desk.check(LIB, None, soc_pu=0.5))
        for _ in range(CHECKS_MAX)
    ]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await desk.check(LIB, None, soc_pu=0.5)
    let_go.set()

    assert all(got.ok for got in await asyncio.gather(*asked))
