"""The battery model: its response, its energy, its limits and its voltage."""

import cmath
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.emulation.battery import LITHIUM_ION, VANADIUM_REDOX_FLOW, Battery, BatteryParameters
from hil.emulation.model import Env, Meas
from specimen import LIMITS, PLATE

NAMEPLATE = replace(PLATE, p_min_kw=-1000.0)
TAPERED = replace(LIMITS, soc_taper_pu=0.05)
LOSSLESS = replace(
    LITHIUM_ION,
    charge_efficiency_pu=1.0,
    discharge_efficiency_pu=1.0,
    charge_no_load_pu=0.0,
    charge_load_pu=0.0,
    discharge_no_load_pu=0.0,
    discharge_load_pu=0.0,
)
BOTH = pytest.mark.parametrize("parameters", [LITHIUM_ION, VANADIUM_REDOX_FLOW])


def battery(
    parameters: BatteryParameters = LITHIUM_ION,
    *,
    soc_pu: float = 0.5,
) -> Battery:
    made = Battery("test", parameters, nameplate=NAMEPLATE, limits=TAPERED)
    made.reset(soc_pu=soc_pu)
    return made


def stepped(
    plant: Battery,
    dt_s: float,
    *,
    p_kw: float = 0.0,
    q_kvar: float = 0.0,
    is_running: bool = True,
    v_source_pu: float = 1.0,
) -> Meas:
    return plant.step(
        dt_s, p_kw=p_kw, q_kvar=q_kvar, is_running=is_running, env=Env(v_source_pu=v_source_pu)
    )


def held(plant: Battery, seconds: float, *, p_kw: float, dt_s: float = 1.0) -> Meas:
    """The measurement after holding a power for whole steps."""
    for _ in range(round(seconds / dt_s)):
        meas = stepped(plant, dt_s, p_kw=p_kw)
    return meas


def test_step_response_is_dead_time_then_exponential() -> None:
    plant = battery()

    got = [stepped(plant, 0.1, p_kw=1000.0).p_battery_kw for _ in range(6)]

    assert got == pytest.approx([0, 283.469, 632.121, 811.124, 903.028, 950.213], abs=1e-3)


def test_command_during_a_dead_time_does_not_prolong_it() -> None:
    plant = battery()
    for k in range(10):
        meas = stepped(plant, 0.05, p_kw=100.0 + k)

    assert meas.p_battery_kw > 80


@given(
    commands=st.lists(
        st.tuples(st.floats(-1500, 1500), st.floats(-900, 900), st.booleans()), max_size=8
    ),
    parts=st.integers(2, 7),
    ramp=st.sampled_from([None, 50.0, 2000.0]),
)
def test_power_does_not_depend_on_the_step(
    commands: list[tuple[float, float, bool]], parts: int, ramp: float | None
) -> None:
    parameters = replace(LITHIUM_ION, ramp_kw_per_s=ramp)
    coarse, fine = battery(parameters), battery(parameters)

    for p_kw, q_kvar, is_running in commands:
        one = stepped(coarse, 2.0, p_kw=p_kw, q_kvar=q_kvar, is_running=is_running)
        for _ in range(parts):
            many = stepped(fine, 2.0 / parts, p_kw=p_kw, q_kvar=q_kvar, is_running=is_running)
        assert many.p_battery_kw == pytest.approx(one.p_battery_kw, abs=1e-6)
        assert many.q_battery_kvar == pytest.approx(one.q_battery_kvar, abs=1e-6)
        assert many.soc_pu == pytest.approx(one.soc_pu, abs=2e-4)


def test_ramp_bounds_the_slope() -> None:
    plant = battery(replace(LITHIUM_ION, ramp_kw_per_s=100.0))

    powers = [stepped(plant, 0.5, p_kw=400.0).p_battery_kw for _ in range(12)]

    assert powers[0] == pytest.approx(35.0)
    assert max(b - a for a, b in pairwise(powers)) == pytest.approx(50.0)
    assert powers[-1] == pytest.approx(400.0, abs=0.01)


@given(p_kw=st.floats(-900, 900), minutes=st.integers(1, 10))
def test_without_losses_the_energy_moves_the_state_of_charge(p_kw: float, minutes: int) -> None:
    plant = battery(LOSSLESS)
    start = stepped(plant, 0.0).soc_pu
    settled = held(plant, 2.0, p_kw=p_kw).soc_pu

    after = held(plant, 60.0 * minutes, p_kw=p_kw)

    moved_kwh = (settled - after.soc_pu) * NAMEPLATE.capacity_kwh
    assert moved_kwh == pytest.approx(p_kw * minutes / 60, abs=1e-3)
    assert (after.soc_pu - start) * p_kw <= 0


@BOTH
def test_round_trip_loses_energy_within_the_published_range(
    parameters: BatteryParameters,
) -> None:
    plant = battery(parameters, soc_pu=0.2)
    seconds_in = seconds_out = 0
    while stepped(plant, 1.0, p_kw=-250.0).soc_pu < 0.8:
        seconds_in += 1
    while stepped(plant, 1.0, p_kw=250.0).soc_pu > 0.2:
        seconds_out += 1

    efficiency = seconds_out / seconds_in
    low, high = (0.88, 0.96) if parameters is LITHIUM_ION else (0.70, 0.82)
    assert low < efficiency < high


@BOTH
def test_loss_is_what_empties_the_store_beyond_the_power(parameters: BatteryParameters) -> None:
    plant = battery(parameters)
    before = held(plant, 60.0, p_kw=300.0)

    after = stepped(plant, 36.0, p_kw=300.0)

    drained_kw = (before.soc_pu - after.soc_pu) * NAMEPLATE.capacity_kwh * 100
    assert drained_kw == pytest.approx(300 + plant.loss_kw(300.0, 0.0, 0.5))


@BOTH
@given(p_kw=st.floats(-1000, 1000), q_kvar=st.floats(-600, 600))
def test_losses_are_never_gains(parameters: BatteryParameters, p_kw: float, q_kvar: float) -> None:
    assert battery(parameters).loss_kw(p_kw, q_kvar, 0.5) > 0


def test_converter_efficiency_meets_its_source() -> None:
    plant = battery(replace(LITHIUM_ION, discharge_efficiency_pu=1.0))
    s_n_kva = (1000**2 + 600**2) ** 0.5

    got = [p / (p + plant.loss_kw(p, 0.0, 0.5)) for p in (0.1 * s_n_kva, 0.5 * s_n_kva)]

    assert got == pytest.approx([0.946, 0.980], abs=5e-4)


@BOTH
def test_idle_converter_drains_until_it_blocks(parameters: BatteryParameters) -> None:
    fine, coarse = battery(parameters), battery(parameters)

    drained = held(fine, 90.0, p_kw=0.0).soc_pu
    later = held(fine, 3600.0, p_kw=0.0).soc_pu

    assert drained < 0.5
    assert later == drained
    assert stepped(coarse, 90.0).soc_pu == pytest.approx(drained, abs=1e-12)


def test_plant_that_does_not_run_rests_and_keeps_its_charge() -> None:
    plant = battery()

    for _ in range(100):
        meas = stepped(plant, 10.0, p_kw=500.0, q_kvar=100.0, is_running=False)

    assert meas == Meas(0.0, 0.0, 0.0, 0.0, 20.0, 0.5)


def test_running_plant_comes_to_rest_when_it_is_stopped() -> None:
    plant = battery()
    held(plant, 10.0, p_kw=1000.0)

    powers = [stepped(plant, 1.0, p_kw=1000.0, is_running=False).p_battery_kw for _ in range(10)]

    assert powers[0] < 10
    assert powers[-1] == 0


@given(p_kw=st.floats(-1e6, 1e6), q_kvar=st.floats(-1e6, 1e6), soc_pu=st.floats(0, 1))
def test_plant_keeps_to_its_nameplate_and_its_charge(
    p_kw: float, q_kvar: float, soc_pu: float
) -> None:
    plant = battery(soc_pu=soc_pu)

    for _ in range(50):
        meas = stepped(plant, 60.0, p_kw=p_kw, q_kvar=q_kvar)
        assert -1000 <= meas.p_battery_kw <= 1000
        assert -600 <= meas.q_battery_kvar <= 600
        assert 0 <= meas.soc_pu <= 1


def test_power_falls_as_the_store_empties() -> None:
    plant = battery(soc_pu=0.06)

    powers = [stepped(plant, 1.0, p_kw=1000.0).p_battery_kw for _ in range(1200)]

    assert powers[5] > 990
    assert powers[-1] < 20
    assert plant.limits(3600.0)[1] < 1


@pytest.mark.parametrize(
    ("soc_pu", "horizon_s", "expected"),
    [
        (0.5, 60.0, (-1000.0, 1000.0, "nameplate")),
        (0.025, 1e-3, (-1000.0, 500.0, "soc")),
        (0.975, 1e-3, (-500.0, 1000.0, "soc")),
        (0.5, 3600.0, (-250 / 0.98, 250 * 0.98, "soc")),
        (0.0, 1.0, (-1000.0, 0.0, "soc")),
    ],
)
def test_limits_are_what_can_be_held_over_the_horizon(
    soc_pu: float, horizon_s: float, expected: tuple[float, float, str]
) -> None:
    p_min_kw, p_max_kw, why = battery(soc_pu=soc_pu).limits(horizon_s)

    assert (p_min_kw, p_max_kw) == pytest.approx(expected[:2])
    assert why == expected[2]


@given(p_kw=st.floats(-1000, 1000), q_kvar=st.floats(-600, 600), v_source_pu=st.floats(0.2, 1.2))
def test_voltage_solves_the_circuit(p_kw: float, q_kvar: float, v_source_pu: float) -> None:
    plant = battery()
    for _ in range(5):
        meas = stepped(plant, 1.0, p_kw=p_kw, q_kvar=q_kvar, v_source_pu=v_source_pu)

    v_pu = meas.v_poi_kv / 20.0
    current = (complex(meas.p_poi_kw, meas.q_poi_kvar) / 200_000 / v_pu).conjugate()
    impedance = complex(1, 3) / abs(complex(1, 3))
    assert abs(v_pu - current * impedance) == pytest.approx(v_source_pu, abs=1e-9)
    assert cmath.isfinite(v_pu)


def test_no_power_leaves_the_source_voltage() -> None:
    assert stepped(battery(), 1.0, v_source_pu=0.95).v_poi_kv == pytest.approx(19.0)


@given(
    steps=st.lists(st.tuples(st.floats(0, 5), st.floats(-1000, 1000)), max_size=6),
    more=st.lists(st.tuples(st.floats(0, 5), st.floats(-1000, 1000)), min_size=1, max_size=6),
)
def test_restored_state_goes_on_to_the_bit(
    steps: list[tuple[float, float]], more: list[tuple[float, float]]
) -> None:
    first, second = battery(), battery(soc_pu=0.1)
    for dt_s, p_kw in steps:
        stepped(first, dt_s, p_kw=p_kw)

    second.restore(first.snapshot())

    for dt_s, p_kw in more:
        assert stepped(first, dt_s, p_kw=p_kw) == stepped(second, dt_s, p_kw=p_kw)
    assert first.snapshot() == second.snapshot()
