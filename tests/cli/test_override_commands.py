"""hil set, hil override and the durations that they take."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_script import EngineScript, with_plant
from hil.cli.duration import LONGEST, DurationType
from hil.domain.phase import Phase

Shell = Callable[..., Any]

P_PATH, Q_PATH = "/plants/lib/overrides/p", "/plants/lib/overrides/q"


def puts(engine: EngineScript) -> dict[str, Any]:
    return {one.path: one.body for one in engine.seen if one.method == "PUT"}


def test_set_holds_both_signals_until_it_ends_by_the_engines_clock(
    engine: EngineScript, shell: Shell
) -> None:
    engine.picture = with_plant(engine.picture, "lib", phase=Phase.RUNNING, dispatching=True)

    done = shell("set", "lib", "--p", "-100", "--q", "20.5", "--for", "10min")

    assert (done.code, done.err) == (0, "")
    assert done.out == "lib: -100 kW, 20.5 kvar until 2026-01-15 13:10:00\n"
    start, end = "2026-01-15T12:00:00+00:00", "2026-01-15T12:10:00+00:00"
    assert puts(engine) == {
        P_PATH: {"points": [{"time": start, "value": -100.0}], "end": end},
        Q_PATH: {"points": [{"time": start, "value": 20.5}], "end": end},
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "has no effect while it is stopped"),
        ({"phase": Phase.RUNNING, "dispatching": False}, "has no effect while it is paused"),
    ],
)
def test_set_says_when_it_has_no_effect_yet(
    engine: EngineScript, shell: Shell, changes: dict[str, Any], said: str
) -> None:
    engine.picture = with_plant(engine.picture, "lib", **changes)

    assert said in shell("set", "lib", "--p", "5", "--for", "90s").out
    assert list(puts(engine)) == [P_PATH]


@pytest.mark.parametrize(
    "words",
    [
        ("--p", "1000.5", "--for", "1h"),
        ("--q", "-601", "--for", "1h"),
        ("--p", "nan", "--for", "1h"),
        ("--p", "inf", "--for", "1h"),
        ("--for", "1h"),
        ("--p", "5"),
        ("--p", "5", "--for", "0s"),
        ("--p", "5", "--for", "8000min8d"),
        ("--p", "5", "--for", "169h"),
    ],
)
def test_set_refuses_what_cannot_be_meant(
    engine: EngineScript, shell: Shell, words: tuple[str, ...]
) -> None:
    wrong = shell("set", "lib", *words)

    assert wrong.code == 2
    assert puts(engine) == {}


def test_set_of_an_unknown_plant_names_those_that_there_are(
    engine: EngineScript, shell: Shell
) -> None:
    wrong = shell("set", "nix", "--p", "5", "--for", "1h")

    assert (wrong.code, wrong.err) == (1, "there is no plant 'nix'; there are lib, vrfb\n")


def test_a_half_set_setpoint_says_which_half(engine: EngineScript, shell: Shell) -> None:
    engine.answers["PUT", Q_PATH] = (409, {"detail": "LIB has no reactive power now."})

    half = shell("set", "lib", "--p", "5", "--q", "5", "--for", "1h")

    assert half.code == 1
    assert half.err == "Q was not set, P was set: LIB has no reactive power now.\n"


def test_overrides_are_shown_and_removed(engine: EngineScript, shell: Shell) -> None:
    shell("set", "lib", "--p", "5", "--for", "1h")

    shown = shell("override", "show", "lib")
    removed = shell("override", "remove", "lib", "--signal", "p")

    assert shown.out.splitlines() == [
        "lib P: 5 kW from 2026-01-15 13:00:00 until 2026-01-15 14:00:00 (active)",
        "lib Q: no override",
    ]
    assert removed.out == "lib P: override removed\n"
    assert ("DELETE", P_PATH) in engine.asked()
    assert ("DELETE", Q_PATH) not in engine.asked()
    assert shell("override", "show", "lib", "--json").json()["p"]["points"] == []


def duration(text: str) -> timedelta:
    return DurationType().convert(text, None, None)


@given(hours=st.integers(0, 100), minutes=st.integers(0, 999), seconds=st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int) -> None:
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    total = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    text = "".join(f"{number}{unit}" for number, unit in parts if number)
    if total:
        assert duration(text) == total
    else:
        with pytest.raises(click.BadParameter):
            duration(text)


@given(st.text())
def test_a_duration_is_within_its_bounds_or_refused(text: str) -> None:
    try:
        found = duration(text)
    except click.BadParameter:
        return
    assert timedelta() < found <= LONGEST
