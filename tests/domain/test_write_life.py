"""The life of a written setpoint."""

from datetime import UTC, datetime

from hil.domain.limits import Setpoint
from hil.domain.plant import SetpointPolicy
from hil.domain.snapshot import WriteStatus
from hil.domain.write_life import Resolution, WriteLife

POLICY = SetpointPolicy(rewrite_period_s=30, settle_s=3, tolerance_counts=1, revert_s=None)
NEVER_AGAIN = SetpointPolicy(rewrite_period_s=None, settle_s=3, tolerance_counts=1, revert_s=None)
COUNT = Resolution(p_kw=0.1, q_kvar=0.1)
AT = datetime(2026, 1, 1, tzinfo=UTC)
HUNDRED = Setpoint(p_kw=100.0, q_kvar=0.0)
FIFTY = Setpoint(p_kw=50.0, q_kvar=0.0)
ZERO = Setpoint(p_kw=0.0, q_kvar=0.0)


def ns(seconds: float) -> int:
    return int(seconds * 1e9)


def write(life: WriteLife, setpoint: Setpoint, at_s: float) -> WriteLife:
    return life.after_write(setpoint, WriteStatus.PENDING, COUNT, now_ns=ns(at_s), at=AT)


def read(life: WriteLife, held: Setpoint | None, at_s: float) -> WriteLife:
    return life.after_read_back(held, POLICY, COUNT, now_ns=ns(at_s))


def due(life: WriteLife, wanted: Setpoint, at_s: float) -> bool:
    return life.is_due(wanted, POLICY, COUNT, now_ns=ns(at_s))


def test_first_setpoint_is_due_even_when_it_is_zero() -> None:
    assert due(WriteLife(), ZERO, 0)


def test_setpoint_is_written_on_change_and_at_the_rewrite_period_only() -> None:
    life = read(write(WriteLife(), HUNDRED, 0), HUNDRED, 0)

    assert life.status is WriteStatus.CONFIRMED
    assert not due(life, HUNDRED, 29)
    assert due(life, HUNDRED, 30)
    assert due(life, ZERO, 1)
    assert not life.is_due(HUNDRED, NEVER_AGAIN, COUNT, now_ns=ns(1e6))


def test_difference_of_one_count_is_confirmed() -> None:
    near = Setpoint(p_kw=100.1, q_kvar=-0.1)

    assert read(write(WriteLife(), HUNDRED, 0), near, 1).status is WriteStatus.CONFIRMED


def test_write_without_effect_is_repeated_once_and_then_lost() -> None:
    life = read(WriteLife(), ZERO, 0)
    life = read(write(life, HUNDRED, 1), ZERO, 2)
    assert life.status is WriteStatus.PENDING
    assert not due(life, HUNDRED, 3.9)
    assert due(life, HUNDRED, 4)

    life = read(write(life, HUNDRED, 4), ZERO, 8)

    assert life.status is WriteStatus.LOST
    assert not due(life, HUNDRED, 10)
    assert due(life, HUNDRED, 34)


def test_write_that_the_device_changes_is_clamped() -> None:
    life = read(WriteLife(), ZERO, 0)
    life = read(write(life, HUNDRED, 1), FIFTY, 2)
    life = read(write(life, HUNDRED, 4), FIFTY, 8)

    assert life.status is WriteStatus.CLAMPED
    assert life.shown({}).readback_p_kw == 50.0


def test_register_that_loses_our_value_later_is_written_once_more() -> None:
    life = read(write(WriteLife(), HUNDRED, 0), HUNDRED, 1)
    life = read(life, ZERO, 21)

    assert life.status is WriteStatus.PENDING
    assert due(life, HUNDRED, 22)


def test_unknown_write_is_due_at_once() -> None:
    life = WriteLife().after_write(HUNDRED, WriteStatus.UNKNOWN, COUNT, now_ns=0, at=AT)

    assert due(life, HUNDRED, 0.1)


def test_refused_write_is_tried_again_after_the_settle_time() -> None:
    life = WriteLife().after_write(HUNDRED, WriteStatus.REFUSED, COUNT, now_ns=0, at=AT)
    life = read(life, ZERO, 1)

    assert life.status is WriteStatus.REFUSED
    assert not due(life, HUNDRED, 2.9)
    assert due(life, HUNDRED, 3)


def test_refused_zero_is_tried_at_every_step() -> None:
    life = WriteLife().after_write(ZERO, WriteStatus.REFUSED, COUNT, now_ns=0, at=AT)

    assert life.is_due(ZERO, NEVER_AGAIN, COUNT, now_ns=1)


def test_what_the_device_follows_is_what_it_took_not_what_was_tried() -> None:
    life = read(write(WriteLife(), FIFTY, 0), FIFTY, 0)
    refused = life.after_write(HUNDRED, WriteStatus.REFUSED, COUNT, now_ns=ns(1), at=AT)
    unknown = life.after_write(HUNDRED, WriteStatus.UNKNOWN, COUNT, now_ns=ns(1), at=AT)

    assert refused.taken == FIFTY
    assert unknown.taken == FIFTY  # the last read-back
    assert read(unknown, HUNDRED, 2).taken == HUNDRED
