"""The emulated plant as its clients see it: commands, measurements, time, state of charge."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulated_bench import LIB_POINTS, VRFB_POINTS, bench
from hil.domain.errors import Impossible, InvalidInput
from hil.domain.modbus_pdu import Table, WriteReply, WriteRequest


def test_device_just_switched_on_is_at_rest() -> None:
    got = bench()

    values = {name: got.read(name) for name in got.registers.points}

    assert values == {
        "enable": 0.0,
        "stop_command": 0.0,
        "p_setpoint": 0.0,
        "q_setpoint": 0.0,
        "p_battery": 0.0,
        "q_battery": 0.0,
        "p_poi": 0.0,
        "q_poi": 0.0,
        "soc": 0.5,
        "v_poi": 20.0,
    }


def test_setpoint_of_an_enabled_plant_is_followed_and_moves_the_energy() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=500.0, q_setpoint=-100.0)

    got.clock.wait(2.0)
    assert got.read("p_poi") == got.read("p_battery") == 500.0
    assert got.read("q_poi") == -100.0
    got.clock.wait(360.0)

    soc = got.read("soc")
    assert soc is not None
    assert 0.39 < soc < 0.40
    assert got.read("v_poi") not in (None, 20.0)


def test_setpoint_without_enable_does_nothing() -> None:
    got = bench()
    got.write(p_setpoint=500.0)
    got.clock.wait(60.0)

    assert got.read("p_battery") == 0
    assert got.read("p_setpoint") == 500.0


def test_setpoint_of_zero_is_a_setpoint() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=500.0)
    got.clock.wait(5.0)
    got.write(p_setpoint=0.0)
    got.clock.wait(5.0)

    assert got.read("p_battery") == 0


def test_stop_command_rests_an_enabled_plant() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=500.0)
    got.clock.wait(5.0)
    got.write(stop_command=1.0)
    got.clock.wait(5.0)
    assert got.read("p_battery") == 0

    got.write(stop_command=0.0)
    got.clock.wait(5.0)

    assert got.read("p_battery") == 500.0


@pytest.mark.parametrize(("mode", "p_kw"), [(0.0, 0.0), (1.0, 0.0), (2.0, 100.0)])
def test_start_command_must_say_run(mode: float, p_kw: float) -> None:
    got = bench(VRFB_POINTS)
    got.write(enable=1.0, start_command=mode, p_setpoint=100.0)
    got.clock.wait(5.0)

    assert got.read("p_battery") == got.read("p_poi") == p_kw


def test_setpoint_beyond_the_nameplate_stands_in_the_register_and_is_limited() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=3000.0, q_setpoint=-3000.0)
    got.clock.wait(5.0)

    assert got.read("p_setpoint") == 3000.0
    assert got.read("p_poi") == 1000.0
    assert got.read("q_poi") == -600.0


def test_measurement_beyond_its_register_stays_at_the_end() -> None:
    coarse = [replace(item, scale=0.01) if item.name == "p_poi" else item for item in LIB_POINTS]
    got = bench(coarse)
    got.start()
    got.write(p_setpoint=-1000.0)
    got.clock.wait(5.0)

    assert got.read("p_battery") == -1000.0
    assert got.read("p_poi") == -327.68


def test_setpoint_that_means_not_known_leaves_the_last_one() -> None:
    points = [
        replace(item, invalid=(0x8000,)) if item.name == "p_setpoint" else item
        for item in LIB_POINTS
    ]
    got = bench(points)
    got.start()
    got.write(p_setpoint=250.0)
    assert got.plant.handle(WriteRequest(Table.HOLDING, 86, (0x8000,), False)) == WriteReply()
    got.clock.wait(5.0)

    assert got.read("p_setpoint") is None
    assert got.read("p_battery") == 250.0


@given(waits=st.lists(st.floats(0.001, 10), min_size=1, max_size=10), p_kw=st.integers(-1000, 1000))
def test_asking_more_often_changes_nothing_beyond_a_count(waits: list[float], p_kw: int) -> None:
    often, once = bench(), bench()
    for item in (often, once):
        item.start()
        item.write(p_setpoint=float(p_kw))
    for wait_s in waits:
        often.clock.wait(wait_s)
        often.read("p_poi")
    once.clock.at_ns = often.clock.at_ns

    for name in ("p_poi", "soc"):
        one, many = once.read(name), often.read(name)
        assert one is not None
        assert many == pytest.approx(one, abs=1.01 * once.registers.resolution(name))


def test_equal_requests_give_equal_bytes() -> None:
    def run() -> list[object]:
        got = bench(soc_pu=0.3)
        got.start()
        answers: list[object] = []
        for k in range(200):
            got.write(p_setpoint=float(k * 7 % 400 - 200))
            got.clock.wait(0.7)
            answers.append([got.read(name) for name in got.registers.points])
        return answers

    assert run() == run()


def test_long_silence_is_caught_up_in_bounded_work() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=-1.0)
    got.clock.wait(100 * 86_400.0)

    soc = got.read("soc")
    assert soc is not None
    assert soc < 0.5  # the converter's no-load loss is larger than 1 kW


def test_idle_plant_takes_another_state_of_charge() -> None:
    got = bench()

    got.plant.set_soc(0.8)

    assert got.read("soc") == 0.8


def test_running_plant_keeps_its_state_of_charge() -> None:
    got = bench()
    got.start()
    got.write(p_setpoint=100.0)
    got.clock.wait(2.0)
    before = got.read("soc")

    with pytest.raises(Impossible, match="lib is not idle"):
        got.plant.set_soc(0.8)
    got.write(enable=0.0)
    with pytest.raises(Impossible):
        got.plant.set_soc(0.8)  # the power has not decayed yet
    assert got.read("soc") == before
    got.clock.wait(2.0)
    got.plant.set_soc(0.8)

    assert got.read("soc") == 0.8


@pytest.mark.parametrize("soc_pu", [-0.1, 1.1, float("nan")])
def test_impossible_state_of_charge_is_refused(soc_pu: float) -> None:
    with pytest.raises(InvalidInput, match="from 0 to 1"):
        bench().plant.set_soc(soc_pu)
