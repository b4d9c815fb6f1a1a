"""hil fault: set, clear and list."""

from collections.abc import Callable
from typing import Any

import pytest

from engine_script import EngineScript, with_plant

Shell = Callable[..., Any]
DELAY = "/plants/lib/faults/delay"


def test_set_sends_the_parameters_and_the_end(engine: EngineScript, shell: Shell) -> None:
    engine.answers["PUT", DELAY] = (200, {"faults": [{"kind": "delay", "ms": 40}]})

    done = shell("fault", "set", "lib", "delay", "ms=40", "--for", "30s")

    assert (done.code, done.out) == (0, "lib: delay ms=40 for 30 s\n")
    assert [(one.path, one.body) for one in engine.seen] == [(DELAY, {"ms": 40.0, "for_s": 30.0})]


def test_set_takes_words_and_null(engine: EngineScript, shell: Shell) -> None:
    path = "/plants/lib/faults/exception"
    engine.answers["PUT", path] = (200, {"faults": []})

    done = shell("fault", "set", "lib", "exception", "on=reads", "address=null", "--json")

    assert done.json() == {"faults": []}
    assert engine.seen[0].body == {"on": "reads", "address": None}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("delya",), 'did you mean "delay"'),
        (("delay", "ms"), "write it as ms=300"),
        (("delay", "ms=-1"), "ms: must be from 0"),
    ],
)
def test_mistake_is_said_before_anything_is_sent(
    engine: EngineScript, shell: Shell, words: tuple[str, ...], said: str
) -> None:
    failed = (
        shell("fault", "set", "lib", "--", *words)
        if "--" in words
        else shell("fault", "set", "lib", *words)
    )

    assert failed.code == 2
    assert said in failed.err
    assert engine.seen == []


def test_clear_without_a_kind_ends_all(engine: EngineScript, shell: Shell) -> None:
    engine.picture = with_plant(engine.picture, "lib", faults=("delay ms=40", "trip bit=7"))
    for kind in ("delay", "trip"):
        engine.answers["DELETE", f"/plants/lib/faults/{kind}"] = (200, {"faults": []})

    done = shell("fault", "clear", "lib")

    assert (done.code, done.out) == (0, "lib: delay, trip cleared\n")
    deleted = [one.path for one in engine.seen if one.method == "DELETE"]
    assert deleted == ["/plants/lib/faults/delay", "/plants/lib/faults/trip"]


def test_clear_of_an_unknown_plant_names_the_others(engine: EngineScript, shell: Shell) -> None:
    failed = shell("fault", "clear", "nobody")

    assert failed.code == 1
    assert "there are lib, vrfb" in failed.err


def test_list_names_the_faults_of_each_plant(engine: EngineScript, shell: Shell) -> None:
    engine.picture = with_plant(engine.picture, "lib", faults=("delay ms=40",))

    assert shell("fault", "list").out == "lib: delay ms=40\nvrfb: no faults\n"
    assert shell("fault", "list", "--json").json() == {"lib": ["delay ms=40"], "vrfb": []}
