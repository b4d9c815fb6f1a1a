"""Whether the readings of a running plant can be true."""

from collections.abc import Mapping

from hil.domain.plausibility_watch import Judgement, PlausibilityWatch
from specimen import PLATE

READING: Mapping[str, float | None] = {
    "p_setpoint": 100.0,
    "q_setpoint": 0.0,
    "p_battery": 100.0,
    "q_battery": 0.0,
    "p_poi": 100.0,
    "q_poi": 0.0,
    "v_poi": 20.0,
    "soc": 0.5,
    "enable": 1.0,
}


def judge(*readings: tuple[float, Mapping[str, float | None]]) -> Judgement:
    """The judgement of the last of these readings, each at its second."""
    watch = PlausibilityWatch(PLATE)
    *_, last = [watch.judge(values, now_ns=int(at_s * 1e9)) for at_s, values in readings]
    return last


def test_plain_reading_has_nothing_to_be_said_of() -> None:
    assert judge((0, READING)) == Judgement(quality={})


def test_value_beyond_the_nameplate_is_flagged() -> None:
    got = judge((0, {**READING, "p_poi": -1201.0, "v_poi": 25.0, "soc": 1.2}))

    assert got.quality == {
        "p_poi_kw": ["outlier"],
        "v_poi_kV": ["outlier"],
        "soc_pu": ["outlier"],
    }
    assert got.outlier == "soc_pu 1.2, p_poi_kw -1201, v_poi_kV 25"
    assert judge((0, {**READING, "p_poi": -1200.0})).quality == {}


def test_value_that_means_unknown_is_a_sentinel_and_an_unread_one_is_not() -> None:
    unread = {name: value for name, value in READING.items() if name != "soc"}

    assert judge((0, {**READING, "soc": None})).quality == {"soc_pu": ["sentinel"]}
    assert judge((0, unread)).quality == {}


def test_readings_that_stay_equal_at_power_are_frozen() -> None:
    steps = [(float(at_s), READING) for at_s in range(0, 602, 2)]
    idle = [(at_s, {**READING, "p_battery": 0.0}) for at_s, _ in steps]
    moving = [(at_s, {**READING, "soc": 0.5 - at_s * 1e-5}) for at_s, _ in steps]

    frozen = judge(*steps)
    assert frozen.frozen == "for 600 s at 100 kW"
    assert frozen.quality["soc_pu"] == ["frozen"]
    assert "p_setpoint_kw" not in frozen.quality
    assert judge(*steps[:-1]).frozen is None
    assert judge(*idle).frozen is None
    assert judge(*moving).frozen is None


def test_readings_that_ignore_another_setpoint_are_frozen_soon() -> None:
    before = [(float(at_s), READING) for at_s in range(0, 10, 2)]
    after = [(float(at_s), {**READING, "p_setpoint": 300.0}) for at_s in range(10, 42, 2)]

    assert judge(*before, *after).frozen == "for 40 s at 100 kW"
    assert judge(*before, *after[:-1]).frozen is None


def charging_by(soc_step: float) -> Judgement:
    """Two minutes at 500 kW, read every 2 s, with the state of charge going by so much a step."""
    return judge(
        *((2.0 * k, {**READING, "p_battery": 500.0, "soc": 0.5 + soc_step * k}) for k in range(61))
    )


def test_state_of_charge_that_rises_while_discharging_contradicts_the_sign() -> None:
    per_step = 500 * 2 / 3600 / PLATE.capacity_kwh

    assert charging_by(-per_step).sign is None
    contradicted = charging_by(per_step).sign
    assert contradicted is not None
    assert contradicted.startswith("+")


def test_state_of_charge_that_stands_still_is_no_contradiction() -> None:
    assert charging_by(0.0).sign is None
