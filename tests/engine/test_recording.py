"""What is kept of a plant's steps: rows, boundaries, energy, the day in memory."""

from datetime import timedelta
from itertools import pairwise

import pytest

from hil.domain.commands import CommandKind
from hil.domain.plant import PlantId
from hil.engine.cadence import Step
from hil.engine.lateness import Lateness
from hil.engine.plant_record import PlantRecord
from rig import LIB, START, running

VRFB = PlantId("vrfb")
P_SETPOINT, Q_SETPOINT, ENABLE, STOP_COMMAND = 86, 88, 1, 85


async def test_recording_has_rows_on_the_grid_between_two_boundaries() -> None:
    async with running() as rig:
        await rig.wait(1)
        await rig.carry_out(CommandKind.RECORD)
        assert rig.state().recording
        await rig.wait(6)
        await rig.carry_out(CommandKind.STOP_RECORDING)
        await rig.wait(5)

        rows = rig.sink.rows[LIB]
        assert [row.at for row in rows] == [START + timedelta(seconds=s) for s in (0, 2, 4, 6, 8)]
        assert [row.values is None for row in rows] == [True, False, False, False, True]


async def test_unreadable_plant_leaves_empty_cells_in_its_rows() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(3)
        rig.plants[LIB].silent = True
        await rig.wait(4)
        await rig.carry_out(CommandKind.STOP_RECORDING)
        await rig.wait(5)

        rows = rig.sink.rows[LIB]
        assert rows[2].values is not None
        assert rows[3].values == (None,) * 8
        assert rig.state().measurement is not None
        assert rig.state().measurement.time < rows[3].at  # type: ignore[union-attr] # as above


async def test_disk_that_cannot_be_written_loses_no_row() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.RECORD)
        rig.sink.failing = True
        await rig.wait(60)
        assert rig.sink.rows == {}
        rig.sink.failing = False
        await rig.wait(10)

        times = [row.at for row in rig.sink.rows[LIB] if row.values is not None]
        assert times == [START + timedelta(seconds=2 * k) for k in range(len(times))]
        assert len(times) >= 33


async def test_backward_clock_step_keeps_the_time_line_of_the_session() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(5)
        rig.clock.step(timedelta(hours=-1))
        await rig.wait(6)
        await rig.carry_out(CommandKind.STOP_RECORDING)
        await rig.wait(6)

        times = [row.at for row in rig.sink.rows[LIB]]
        assert times == [START + timedelta(seconds=2 * k) for k in range(-1, 7)]


async def test_forward_clock_step_ends_the_session_and_begins_another() -> None:
    async with running() as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(5)
        first = rig.state().session
        rig.clock.step(timedelta(days=1, seconds=0.5))
        await rig.wait(6)
        await rig.carry_out(CommandKind.STOP_RECORDING)
        await rig.wait(6)

        rows = rig.sink.rows[LIB]
        assert sum(row.values is None for row in rows) == 4
        assert all(a.at < b.at for a, b in pairwise(rows))
        assert rows[-1].at > START + timedelta(days=1)
        assert first is not None


async def test_energy_since_the_start_is_integrated_by_hold() -> None:
    async with running() as rig:
        await rig.plan(100.0)
        await rig.carry_out(CommandKind.START)
        await rig.wait(3600)

        measurement = rig.state().measurement
        assert measurement is not None
        assert measurement.energy_since_start_kwh.discharged == pytest.approx(100.0, abs=0.2)
        assert measurement.energy_since_start_kwh.charged == 0.0


async def test_measurements_of_the_day_are_there_without_recording() -> None:
    async with running() as rig:
        await rig.wait(9)
        got = rig.measured(LIB, START, START + timedelta(hours=1), points=100)

        assert got.time == [START + timedelta(seconds=2 * k) for k in range(5)]
        assert got.signals["soc_pu"].last == [0.5] * 5


async def test_up_to_32_plants_step_at_one_instant_and_more_are_spread() -> None:
    for count, phases in ((32, 1), (40, 40)):
        plants = [f"plant_{k}" for k in range(count)]
        async with running(*plants) as rig:
            await rig.wait(5)
            offsets = set()
            for plant in rig.plants:
                end = rig.clock.now()
                got = rig.measured(plant, START, end, points=100)
                first, second = got.time[-2:]
                assert second - first == timedelta(seconds=2)
                offsets.add((second - START) % timedelta(seconds=2))

        assert len(offsets) == phases
        assert all(offset.microseconds % 1000 == 0 for offset in offsets)


async def test_late_step_is_a_site_alarm_until_one_is_on_time() -> None:
    async with running() as rig:
        await rig.wait(1)
        said: list[str | None] = []
        lateness = Lateness()
        record = PlantRecord(
            LIB,
            "LIB",
            rig.clock,
            rig.engine._recorder,
            rig.engine.memory,
            lateness,
            lambda: rig.engine._site.selectors,
            lambda kind, detail: said.append(detail),
        )
        now_ns = rig.clock.monotonic_ns()
        for late_s, missed in ((1.5, 0), (0.1, 2), (0.1, 0)):
            due_ns = now_ns - int(late_s * 1e9)
            step = Step(due_ns=due_ns, dispatch_at=START, measure_at=None, missed=missed)
            record.note_lateness(step, 2_000_000_000)

        assert said == ["1500 ms, 0 steps missed", "100 ms, 2 steps missed", None]
        assert lateness.missed_steps == 2
        assert lateness.percentiles().max == 1500.0
