"""Faults of the emulated plant's registers and physics, on a clock moved by hand."""

from dataclasses import replace

import pytest

from emulated_bench import LIB_POINTS, Bench, bench
from hil.domain.errors import InvalidInput
from hil.domain.faults import FaultKind
from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    ReadWriteRequest,
    Refusal,
    Table,
    WriteReply,
    WriteRequest,
)
from hil.domain.point import Access, Format, Point, WordOrder

HOLDING = Table.HOLDING


def running(p_kw: float = 100.0, points: list[Point] | None = None) -> Bench:
    """A plant that has come to this power."""
    at = bench(points)
    at.start()
    at.write(p_setpoint=p_kw)
    at.clock.wait(10)
    assert at.read("p_battery") == p_kw
    return at


def with_point(changed: Point) -> list[Point]:
    return [changed if point.name == changed.name else point for point in LIB_POINTS]


def point(name: str) -> Point:
    return next(each for each in LIB_POINTS if each.name == name)


WIDE = replace(point("p_battery"), address=300, format=Format.INT32)


def test_frozen_measurements_stay_while_the_plant_goes_on() -> None:
    at = running()
    at.show("frozen_registers")
    at.write(p_setpoint=500.0)
    at.clock.wait(600)

    assert at.read("p_battery") == 100.0
    assert at.read("p_setpoint") == 500.0
    at.faulty.clear_fault(FaultKind.FROZEN_REGISTERS)
    assert at.read("p_battery") == 500.0


def test_one_frozen_point_leaves_the_others() -> None:
    at = running()
    at.show("frozen_registers", point="p_poi")
    at.write(p_setpoint=500.0)
    at.clock.wait(10)

    assert (at.read("p_poi"), at.read("p_battery")) == (100.0, 500.0)


def test_read_back_lags_behind_writes() -> None:
    at = running()
    at.show("lagging_readback", s=5)
    at.write(p_setpoint=200.0)
    at.clock.wait(1)
    at.write(p_setpoint=300.0)

    assert at.read("p_setpoint") == 100.0
    at.clock.wait(4)
    assert at.read("p_setpoint") == 200.0
    at.clock.wait(1)
    assert at.read("p_setpoint") == 300.0
    assert at.read("p_battery") == 300.0


def test_clamped_setpoint_reads_back_at_the_limit() -> None:
    at = running()
    at.show("clamp", limit_pu=0.3)
    at.write(p_setpoint=900.0, q_setpoint=-400.0)
    at.clock.wait(5)

    assert (at.read("p_setpoint"), at.read("q_setpoint")) == (300.0, -180.0)
    assert at.read("p_battery") == 300.0


def test_lost_write_is_acknowledged_and_nothing_happens() -> None:
    at = running()
    at.show("lost_write", every=2)
    at.write(p_setpoint=200.0)
    at.write(p_setpoint=300.0)

    assert at.read("p_setpoint") == 200.0
    at.write(enable=0.0)
    assert at.read("enable") == 0.0


def test_setpoints_revert_at_their_own_time() -> None:
    at = running()
    at.show("revert_timer", s=20)
    at.clock.wait(15)
    at.write(p_setpoint=200.0)
    at.clock.wait(19.9)
    assert at.read("p_setpoint") == 200.0

    at.clock.wait(3600)
    assert (at.read("p_setpoint"), at.read("p_battery")) == (0.0, 0.0)
    plain = running(200.0)
    plain.clock.wait(25)
    plain.write(p_setpoint=0.0)
    plain.clock.wait(3599.9 - 10)
    soc, expected = at.read("soc"), plain.read("soc")
    assert soc is not None
    assert expected is not None
    assert soc == pytest.approx(expected, abs=0.002)  # it discharged for 20 s, not for an hour


def test_flash_takes_so_many_writes() -> None:
    at = running()
    at.show("flash_limited_writes", writes=2)
    at.write(p_setpoint=1.0)
    at.write(p_setpoint=2.0)

    refused = at.faulty.handle(WriteRequest(HOLDING, 86, (30,), multiple=False))
    assert refused == Refusal(4)
    assert at.read("p_setpoint") == 2.0


def test_longer_reads_than_the_block_are_refused() -> None:
    at = running(points=with_point(WIDE))
    at.show("max_block", registers=1)

    assert at.faulty.handle(ReadRequest(HOLDING, 300, 2)) == Refusal(3)
    assert at.read("soc") is not None


def test_reads_that_join_points_are_refused() -> None:
    neighbour = replace(point("q_battery"), address=271)
    at = running(points=with_point(neighbour))
    assert isinstance(at.faulty.handle(ReadRequest(HOLDING, 270, 2)), ReadReply)

    at.show("gap_refusal")

    assert at.faulty.handle(ReadRequest(HOLDING, 270, 2)) == Refusal(2)
    assert at.read("p_battery") == 100.0


@pytest.mark.parametrize(("kind", "is_single_fine"), [("fc6_only", True), ("fc16_only", False)])
def test_one_way_of_writing_is_illegal(kind: str, *, is_single_fine: bool) -> None:
    at = running()
    at.show(kind)

    single = at.faulty.handle(WriteRequest(HOLDING, 86, (30,), multiple=False))
    multiple = at.faulty.handle(WriteRequest(HOLDING, 86, (30,), multiple=True))
    both = at.faulty.handle(ReadWriteRequest(86, 1, 86, (30,)))
    assert single == (WriteReply() if is_single_fine else Refusal(1))
    assert multiple == (Refusal(1) if is_single_fine else WriteReply())
    assert both == Refusal(1)


@pytest.mark.parametrize(
    ("params", "reads", "writes"),
    [
        ({"code": 6}, 6, 6),
        ({"on": "reads"}, 4, None),
        ({"on": "writes", "code": 3}, None, 3),
        ({"address": 86}, None, 4),
        ({"address": 270}, 4, None),
    ],
)
def test_exception_meets_the_requests_that_are_meant(
    params: dict[str, object], reads: int | None, writes: int | None
) -> None:
    at = running()
    at.show("exception", **params)

    read = at.faulty.handle(ReadRequest(HOLDING, 270, 1))
    write = at.faulty.handle(WriteRequest(HOLDING, 86, (30,), multiple=False))
    assert read == (ReadReply((1000,)) if reads is None else Refusal(reads))
    assert write == (WriteReply() if writes is None else Refusal(writes))


def test_unknown_numbers_stand_for_measurements() -> None:
    at = running(points=with_point(replace(point("p_poi"), invalid=(-1,))))
    at.show("sentinel_values")

    assert at.read("p_poi") is None
    assert at.faulty.handle(ReadRequest(HOLDING, 290, 1)) == ReadReply((0xFFFF,))
    assert at.faulty.handle(ReadRequest(HOLDING, 270, 1)) == ReadReply((0x8000,))
    assert at.faulty.handle(ReadRequest(HOLDING, 281, 1)) == ReadReply((0xFFFF,))
    assert at.read("p_setpoint") == 100.0


@pytest.mark.parametrize("order", WordOrder)
def test_float_that_means_unknown_is_no_number(order: WordOrder) -> None:
    wide = replace(WIDE, format=Format.FLOAT32, word_order=order)
    at = running(points=with_point(wide))
    at.show("sentinel_values", point="p_battery")

    assert at.read("p_battery") is None
    assert at.read("p_poi") == 100.0


def test_sign_and_scale_are_wrong_for_one_point() -> None:
    at = running()
    at.show("inverted_sign")
    at.show("scale_error", factor=10)

    assert (at.read("p_battery"), at.read("p_poi")) == (-100.0, 1000.0)


def test_scale_beyond_the_register_stays_at_its_end() -> None:
    at = running()
    at.show("scale_error", factor=1000)

    assert at.read("p_poi") == pytest.approx(3276.7)


def test_noise_depends_on_seed_and_time_alone() -> None:
    def read(seed: int) -> list[float | None]:
        at = running()
        at.show("noise", sigma_pu=0.01, seed=seed)
        values = []
        for _ in range(200):
            at.clock.wait(1)
            values.append(at.read("p_battery"))
            assert at.read("p_battery") == values[-1]
        return values

    first = [value for value in read(1) if value is not None]
    assert first == read(1) != read(2)
    assert sum(first) / 200 == pytest.approx(100, abs=3)
    assert 7 < (sum((value - 100) ** 2 for value in first) / 200) ** 0.5 < 13


def test_torn_value_mixes_two_readings() -> None:
    at = running(points=with_point(WIDE))
    assert at.read("p_battery") == 100.0
    at.show("torn_32bit", every=2)
    at.write(p_setpoint=-100.0)
    at.clock.wait(5)

    assert at.read("p_battery") == -100.0
    at.write(p_setpoint=100.0)
    at.clock.wait(5)
    torn = at.read("p_battery")
    assert torn == -6453.6  # the high register is of -100, the low one of +100
    assert at.read("p_battery") == 100.0


def test_tripped_plant_cannot_be_enabled_until_the_trip_is_over() -> None:
    word = Point(name="alarm_word", address=400, format=Format.UINT16, access=Access.R, unit="raw")
    at = running(points=[*LIB_POINTS, word])
    at.show("trip", bit=3, for_s=10)
    at.clock.wait(5)

    assert (at.read("enable"), at.read("p_battery"), at.read("alarm_word")) == (0, 0, 8)
    at.write(enable=1.0)
    assert at.read("enable") == 0
    at.clock.wait(5)
    assert (at.read("enable"), at.read("alarm_word")) == (0, 0)
    at.write(enable=1.0)
    at.clock.wait(5)
    assert at.read("p_battery") == 100.0


def test_derated_plant_holds_back_and_says_nothing() -> None:
    at = running()
    at.show("derate", limit_pu=0.05)
    at.clock.wait(5)

    assert (at.read("p_setpoint"), at.read("p_battery")) == (100.0, 50.0)
    at.faulty.clear_fault(None)
    at.clock.wait(5)
    assert at.read("p_battery") == 100.0


def test_state_of_charge_jumps_while_the_plant_runs() -> None:
    at = running()
    at.show("soc_jump", soc_pu=0.9)

    assert at.read("soc") == 0.9
    at.clock.wait(5)
    assert at.read("p_battery") == 100.0


def test_watchdog_takes_the_power_until_the_next_setpoint() -> None:
    at = running()
    at.show("comm_watchdog", s=60)
    at.clock.wait(59)
    assert at.read("p_battery") == 100.0
    at.clock.wait(5)

    assert (at.read("p_setpoint"), at.read("p_battery")) == (100.0, 0.0)
    at.write(p_setpoint=100.0)
    at.clock.wait(5)
    assert at.read("p_battery") == 100.0


def test_watchdog_that_is_taken_away_gives_the_power_back() -> None:
    at = running()
    at.show("comm_watchdog", s=5)
    at.clock.wait(10)
    assert at.read("p_battery") == 0.0
    at.faulty.clear_fault(FaultKind.COMM_WATCHDOG)
    at.clock.wait(5)

    assert at.read("p_battery") == 100.0


def test_fault_ends_by_itself_and_says_what_is_left() -> None:
    at = running()
    at.show("derate", limit_pu=0, for_s=30)
    at.clock.wait(10)

    (left,) = at.faulty.faults()
    assert left.for_s == pytest.approx(20)
    at.clock.wait(20)
    assert at.faulty.faults() == ()


def test_fault_of_a_point_that_is_not_there_is_refused() -> None:
    at = running()

    with pytest.raises(InvalidInput, match="no point p_mid"):
        at.show("scale_error", point="p_mid")
    assert at.faulty.faults() == ()


def test_highest_bit_of_a_signed_alarm_word_is_that_bit_alone() -> None:
    word = replace(point("p_poi"), name="alarm_word", address=400, unit="raw", scale=1.0)
    at = running(points=[*LIB_POINTS, word])
    at.show("trip", bit=15)

    assert at.faulty.handle(ReadRequest(HOLDING, 400, 1)) == ReadReply((0x8000,))


def test_alarm_word_of_another_device_is_left_alone() -> None:
    word = replace(point("p_poi"), name="alarm_word", address=400, unit="raw", device="meter")
    at = running(points=[*LIB_POINTS, word])
    at.show("trip")

    assert at.read("enable") == 0


def test_two_faults_end_each_at_its_own_time() -> None:
    at = running()
    at.show("derate", limit_pu=0.05, for_s=20)
    at.show("trip", for_s=10)
    at.clock.wait(10)
    at.write(enable=1.0)
    at.clock.wait(5)
    assert at.read("p_battery") == 50.0

    at.clock.wait(5)
    at.clock.wait(5)
    assert at.read("p_battery") == 100.0
