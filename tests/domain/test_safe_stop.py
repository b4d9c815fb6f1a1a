"""Start and safe stop as sequences: what is done, in which order, and what comes of it."""

from dataclasses import replace

from hil.domain.safe_stop import (
    POLL_NS,
    ZERO_WRITES,
    Action,
    Do,
    Finished,
    SafeStop,
    Seen,
    Start,
    Wait,
    disable_writes,
    enable_writes,
)
from specimen import REGISTERS

QUIET = Seen(
    now_ns=0,
    link_ok=True,
    enabled=True,
    p_battery_kw=0.0,
    q_battery_kvar=0.0,
    p_setpoint_kw=0.0,
    q_setpoint_kvar=0.0,
)
AT_POWER = replace(QUIET, p_battery_kw=400.0)
DISABLED = replace(QUIET, enabled=False)
DEAD = Seen(now_ns=0, link_ok=False, error="no answer")


def safe_stop(*, look_first: bool = False) -> SafeStop:
    return SafeStop(
        REGISTERS,
        threshold_kw=1.0,
        threshold_kvar=1.0,
        timeout_s=30,
        now_ns=0,
        look_first=look_first,
    )


def test_command_words_frame_enable_in_the_safe_order() -> None:
    assert list(disable_writes(REGISTERS).items()) == [("stop_command", 1.0), ("enable", 0.0)]
    assert list(enable_writes(REGISTERS).items()) == [("enable", 1.0), ("stop_command", 0.0)]


def test_safe_stop_writes_zero_waits_for_quiet_then_disables() -> None:
    stop = safe_stop()

    assert stop.next(Seen(now_ns=0)) == Do(ZERO_WRITES)
    assert stop.next(AT_POWER) == Wait(POLL_NS)
    assert stop.next(replace(AT_POWER, now_ns=POLL_NS)) == Do({})
    disable = stop.next(replace(QUIET, now_ns=POLL_NS))
    assert disable == Do({**ZERO_WRITES, **disable_writes(REGISTERS)})
    assert stop.next(replace(DISABLED, now_ns=POLL_NS)) == Finished(
        result={"threshold_reached": True, "disable_ok": True}
    )


def test_zero_is_written_again_while_the_register_does_not_hold_it() -> None:
    stop = safe_stop()
    stop.next(Seen(now_ns=0))

    again = stop.next(replace(AT_POWER, p_setpoint_kw=400.0, now_ns=POLL_NS))

    assert again == Do(ZERO_WRITES)


def test_plant_that_never_gets_quiet_is_disabled_after_the_time_out_and_said_so() -> None:
    stop = safe_stop()
    stop.next(Seen(now_ns=0))
    late = 30 * 10**9

    assert stop.next(replace(AT_POWER, now_ns=late)) == Do(
        {**ZERO_WRITES, **disable_writes(REGISTERS)}
    )
    end = stop.next(replace(AT_POWER, enabled=False, now_ns=late))

    assert isinstance(end, Finished)
    assert end.result == {"threshold_reached": False, "disable_ok": True}
    assert end.error is not None
    assert "400" in end.error


def test_dead_link_ends_the_stop_at_once() -> None:
    stop = safe_stop()
    stop.next(Seen(now_ns=0))

    end = stop.next(DEAD)

    assert isinstance(end, Finished)
    assert end.result == {"threshold_reached": False, "disable_ok": False}
    assert end.error == "the stop could not be delivered: no answer"


def test_device_that_stays_enabled_is_told_a_few_times_only() -> None:
    stop = safe_stop()
    now_ns, actions = 0, [stop.next(Seen(now_ns=0))]
    while not isinstance(actions[-1], Finished) and len(actions) < 100:
        last = actions[-1]
        now_ns = last.until_ns if isinstance(last, Wait) else now_ns
        actions.append(stop.next(replace(QUIET, now_ns=now_ns)))

    assert sum(isinstance(a, Do) and "enable" in a.writes for a in actions) == 4
    end = actions[-1]
    assert isinstance(end, Finished)
    assert end.result == {"threshold_reached": True, "disable_ok": False}


def test_stop_of_a_stopped_plant_is_done_after_a_fresh_look() -> None:
    stop = safe_stop(look_first=True)

    assert stop.next(Seen(now_ns=0)) == Do({})
    assert stop.next(DISABLED) == Finished(result={"threshold_reached": True, "disable_ok": True})


def test_stop_of_a_plant_found_enabled_is_carried_out() -> None:
    stop = safe_stop(look_first=True)
    stop.next(Seen(now_ns=0))

    assert stop.next(QUIET) == Do(ZERO_WRITES)


def start() -> Start:
    return Start(REGISTERS, timeout_s=10, now_ns=0)


def test_start_zeroes_reads_back_and_enables() -> None:
    begin = start()

    assert begin.next(Seen(now_ns=0)) == Do(ZERO_WRITES)
    assert begin.next(DISABLED) == Do(enable_writes(REGISTERS))
    assert begin.next(QUIET) == Finished(result={})


def test_start_does_not_enable_a_plant_that_holds_another_setpoint() -> None:
    begin = start()
    begin.next(Seen(now_ns=0))
    holding = replace(DISABLED, p_setpoint_kw=12.0)

    assert begin.next(holding) == Wait(POLL_NS)
    assert begin.next(replace(holding, now_ns=POLL_NS)) == Do(ZERO_WRITES)


def failing_start(seen: Seen) -> tuple[Action, Action]:
    begin = start()
    begin.next(Seen(now_ns=0))
    begin.next(DISABLED)
    return begin.next(replace(seen, now_ns=10 * 10**9)), begin.next(
        replace(DISABLED, now_ns=10 * 10**9)
    )


def test_start_that_takes_too_long_zeroes_and_disables() -> None:
    last, end = failing_start(DISABLED)

    assert last == Do({**ZERO_WRITES, **disable_writes(REGISTERS)})
    assert isinstance(end, Finished)
    assert end.result == {"disabled": True}
    assert end.error is not None
    assert end.error.startswith("the plant did not start within 10 s: it does not read back")


def test_start_over_a_dead_link_says_why() -> None:
    _, end = failing_start(DEAD)

    assert isinstance(end, Finished)
    assert end.error == "the plant did not start within 10 s: no answer"
