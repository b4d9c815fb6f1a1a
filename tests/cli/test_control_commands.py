"""Commands that make a running engine do something, against one that plays a script."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine_script import EngineScript
from hil.cli.main import hil

Shell = Callable[..., Any]

REFUSED = {"title": "Conflict", "status": 409, "detail": "LIB is stopping; start it later"}


@pytest.mark.parametrize("kind", ["start", "stop", "dispatch", "pause", "record", "stop-recording"])
def test_a_command_of_plants_is_followed_to_its_end(
    engine: EngineScript, shell: Shell, kind: str
) -> None:
    done = shell(kind, "lib", "vrfb", "lib")

    assert (done.code, done.err) == (0, "")
    assert sorted(done.out.splitlines()) == [f"lib: {kind} done", f"vrfb: {kind} done"]
    assert sorted(engine.asked()) == [
        ("POST", f"/plants/lib/{kind}"),
        ("POST", f"/plants/vrfb/{kind}"),
    ]


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("start", [("POST", "/fleet/start")]),
        ("stop", [("POST", "/fleet/stop")]),
        (
            "pause",
            [("GET", "/state"), ("POST", "/plants/lib/pause"), ("POST", "/plants/vrfb/pause")],
        ),
    ],
)
def test_all_means_the_fleet_or_every_plant(
    engine: EngineScript, shell: Shell, kind: str, asked: list[tuple[str, str]]
) -> None:
    assert shell(kind, "--all").code == 0
    assert sorted(engine.asked()) == sorted(asked)


@pytest.mark.parametrize("words", [(), ("lib", "--all"), ("LIB",), ("lib/../vrfb",), ("..",)])
def test_plants_that_cannot_be_meant_are_wrong_usage(
    engine: EngineScript, shell: Shell, words: tuple[str, ...]
) -> None:
    wrong = shell("stop", *words)

    assert wrong.code == 2
    assert engine.seen == []


def test_one_that_fails_does_not_hide_one_that_is_done(engine: EngineScript, shell: Shell) -> None:
    engine.ends["/plants/vrfb/stop"] = ("failed", "VRFB still carries 40 kW", None)

    half = shell("stop", "lib", "vrfb")

    assert (half.code, half.out) == (1, "lib: stop done\n")
    assert half.err == "vrfb: stop failed: VRFB still carries 40 kW\n"


def test_a_refused_request_is_a_rejected_command_in_json(
    engine: EngineScript, shell: Shell
) -> None:
    engine.answers["POST", "/plants/lib/start"] = (409, REFUSED)

    half = shell("start", "lib", "vrfb", "--json")

    assert half.code == 1
    assert half.err == "lib: start was refused: LIB is stopping; start it later\n"
    lib, vrfb = half.json()
    assert (lib["id"], lib["plant"], lib["status"], lib["error"]) == (
        None,
        "lib",
        "rejected",
        REFUSED["detail"],
    )
    assert (vrfb["kind"], vrfb["status"]) == ("start", "done")


def test_without_waiting_a_queued_command_is_enough(engine: EngineScript, shell: Shell) -> None:
    engine.ends["/plants/lib/stop"] = ("failed", "no answer", None)

    queued = shell("stop", "lib", "--no-wait")

    assert (queued.code, queued.out, queued.err) == (0, "lib: stop queued\n", "")
    assert [one.path for one in engine.seen] == ["/plants/lib/stop"]


@pytest.mark.parametrize(
    ("words", "path", "body", "out"),
    [
        ("source api", "/source", {"source": "api"}, "source api done\n"),
        ("transport remote", "/transport", {"transport": "remote"}, "transport remote done\n"),
        (
            "transport local --force",
            "/transport",
            {"transport": "local", "force": True},
            "transport local done\n",
        ),
        ("posting off", "/posting", {"enabled": False}, "posting off done\n"),
        (
            "service lib out --note leak",
            "/plants/lib/service",
            {"in_service": False, "note": "leak"},
            "lib: service out done\n",
        ),
        (
            "service lib in",
            "/plants/lib/service",
            {"in_service": True, "note": None},
            "lib: service in done\n",
        ),
    ],
)
def test_a_switch_puts_what_is_wanted(
    engine: EngineScript, shell: Shell, words: str, path: str, body: Any, out: str
) -> None:
    switched = shell(*words.split())

    assert (switched.code, switched.out, switched.err) == (0, out, "")
    assert (engine.seen[0].method, engine.seen[0].path, engine.seen[0].body) == ("PUT", path, body)


def test_a_wrong_switch_is_wrong_usage(engine: EngineScript, shell: Shell) -> None:
    assert shell("source", "market").code == 2
    assert engine.seen == []


def test_an_unfit_body_names_its_problems(engine: EngineScript, shell: Shell) -> None:
    problems = [{"where": "note", "why": "has more than 500 characters", "line": None}]
    engine.answers["PUT", "/plants/lib/service"] = (
        422,
        {"detail": "The JSON of the request is wrong.", "problems": problems},
    )

    wrong = shell("service", "lib", "out")

    assert wrong.code == 2
    assert "note: has more than 500 characters" in wrong.err


def test_the_emergency_stop_is_sent_before_anything_is_asked(
    engine: EngineScript, shell: Shell
) -> None:
    done = shell("estop")

    assert (done.code, done.err) == (0, "")
    assert (engine.seen[0].method, engine.seen[0].path) == ("POST", "/fleet/estop")
    assert engine.asked() == [("POST", "/fleet/estop")]


def test_an_emergency_stop_names_loudly_what_is_not_confirmed(
    engine: EngineScript, shell: Shell
) -> None:
    good = {"threshold_reached": True, "disable_ok": True}
    bad = {"threshold_reached": False, "disable_ok": False}
    engine.ends["/fleet/estop"] = ("failed", "VRFB does not answer", {"lib": good, "vrfb": bad})

    failed = shell("estop")

    assert (failed.code, failed.out) == (1, "")
    assert failed.err == (
        "E-STOP NOT CONFIRMED: VRFB: STILL CARRIES POWER; VRFB: NOT READ BACK DISABLED;"
        " all plants: estop failed: VRFB does not answer\n"
        "STOP THE PLANTS BY THEIR OWN CONTROLS\n"
    )


def test_an_emergency_stop_without_an_engine_says_so_loudly(shell: Shell) -> None:
    failed = shell("estop", "--json")

    assert failed.code == 1
    assert failed.json()[0]["status"] == "unknown"
    assert failed.err.startswith("E-STOP NOT CONFIRMED: all plants: estop got no answer: no engine")
    assert failed.err.endswith("STOP THE PLANTS BY THEIR OWN CONTROLS\n")


def test_an_emergency_stop_that_is_not_followed_is_not_called_done(
    engine: EngineScript, shell: Shell
) -> None:
    sent = shell("estop", "--no-wait")

    assert (sent.code, sent.out) == (0, "")
    assert sent.err.startswith("E-STOP SENT, NOT CONFIRMED")


def test_a_broken_configuration_does_not_hold_up_a_stop(
    engine: EngineScript, data_dir: Path
) -> None:
    config = data_dir / "config.yaml"
    config.write_text("plants: [")

    ran = CliRunner().invoke(hil, ["estop", "--config", str(config)], prog_name="hil")

    assert (ran.exit_code, ran.stderr) == (0, "")


def test_the_reset_of_an_emergency_stop_is_a_command(engine: EngineScript, shell: Shell) -> None:
    assert shell("estop-reset").out == "all plants: estop-reset done\n"
    assert engine.asked() == [("POST", "/fleet/estop-reset")]
