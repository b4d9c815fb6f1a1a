"""Steps lie on whole multiples of the period since the epoch, whatever the loop does."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

from hil.engine.cadence import NS_PER_S, Bell, Cadence, instant, period_ns, wall_ns
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop

START = datetime(2026, 5, 1, 10, 0, 0, 700_000, tzinfo=UTC)


def virtual_clock(start: datetime = START) -> VirtualClock:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return VirtualClock(loop, start)


def cadence(clock: VirtualClock, *, phase_ns: int = 0) -> Cadence:
    return Cadence(clock, dispatch_ns=2 * NS_PER_S, measurement_ns=2 * NS_PER_S, phase_ns=phase_ns)


async def test_ten_thousand_jittered_steps_stay_on_the_grid_and_none_comes_twice() -> None:
    clock = virtual_clock()
    steps, bell, draw = cadence(clock), Bell(clock), Random("jitter")
    times: list[datetime] = []
    while len(times) < 10_000:
        await bell.wait_until(steps.next_due_ns())
        if (step := steps.take()) is not None:
            assert step.measure_at is not None
            assert step.missed == 0
            times.append(step.measure_at)
            await asyncio.sleep(draw.uniform(0, 1.9))

    first = datetime(2026, 5, 1, 10, 0, 2, tzinfo=UTC)
    assert times == [first + k * timedelta(seconds=2) for k in range(10_000)]


async def test_late_wake_up_takes_the_newest_due_step_and_counts_the_missed() -> None:
    clock = virtual_clock()
    steps = cadence(clock)
    await asyncio.sleep(7.5)  # 10:00:08.2: steps 02, 04 and 06 are gone, 08 is due

    step = steps.take()

    assert step is not None
    assert step.dispatch_at == datetime(2026, 5, 1, 10, 0, 8, tzinfo=UTC)
    assert step.missed == 3
    assert steps.take() is None


async def test_phase_shifts_the_steps() -> None:
    clock = virtual_clock()
    steps = cadence(clock, phase_ns=500_000_000)
    await asyncio.sleep((steps.next_due_ns() - clock.monotonic_ns()) / NS_PER_S)

    step = steps.take()

    assert step is not None
    assert step.measure_at == datetime(2026, 5, 1, 10, 0, 2, 500_000, tzinfo=UTC)


async def test_two_periods_fall_due_together_where_they_meet() -> None:
    clock = virtual_clock(START.replace(microsecond=0))
    steps = Cadence(clock, dispatch_ns=NS_PER_S, measurement_ns=3 * NS_PER_S)
    seen: list[tuple[bool, bool]] = []
    for _ in range(6):
        await Bell(clock).wait_until(steps.next_due_ns())
        step = steps.take()
        assert step is not None
        seen.append((step.dispatch_at is not None, step.measure_at is not None))

    # 10:00:00 is a multiple of 3 s since the epoch.
    assert seen == [(True, True), (True, False), (True, False)] * 2


async def test_wall_clock_step_is_noticed_but_not_followed_until_anchored() -> None:
    clock = virtual_clock()
    steps = cadence(clock)
    due_ns = steps.next_due_ns()
    clock.step(timedelta(hours=-1))

    assert steps.jump_ns() == -3600 * NS_PER_S
    assert steps.next_due_ns() == due_ns
    steps.anchor()
    assert steps.jump_ns() == 0


async def test_slewing_is_not_a_step() -> None:
    clock = virtual_clock()
    steps = cadence(clock)
    clock.step(timedelta(milliseconds=499))

    assert steps.jump_ns() == 0


async def test_rung_bell_wakes_its_waiter_at_once_and_is_remembered() -> None:
    clock = virtual_clock()
    bell = Bell(clock)
    bell.ring()
    await bell.wait_until(10 * NS_PER_S)
    assert clock.monotonic_ns() == 0

    asyncio.get_running_loop().call_later(1, bell.ring)
    await bell.wait_until(10 * NS_PER_S)
    assert clock.monotonic_ns() == NS_PER_S


def test_instants_round_trip_through_nanoseconds() -> None:
    assert instant(wall_ns(START)) == START
    assert period_ns(0.1) == 100_000_000
    assert period_ns(0.29) == 290_000_000
