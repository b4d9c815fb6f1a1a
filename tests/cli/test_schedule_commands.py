"""hil schedule: into an engine that plays a script, and checks without one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine_script import EngineScript
from hil.cli.main import hil

Shell = Callable[..., Any]

HOURS = "hours,minutes,seconds,setpoint\n0,0,0,100\n0,10,0,-50\n0,20,0,end\n"
TIMES = "time,p_kw,q_kvar\n2026-01-15T12:00:00Z,100,5\n2026-01-15T12:10:00Z,-50,0\n"
CSV_PATH = "/plants/lib/schedules/manual/csv"


@pytest.fixture
def file(data_dir: Path) -> Path:
    path = data_dir / "plan.csv"
    path.write_text(HOURS)
    return path


def check(*words: str) -> tuple[int, str, str]:
    ran = CliRunner().invoke(hil, ["schedule", "check", *words], prog_name="hil")
    return ran.exit_code, ran.stdout, ran.stderr


@pytest.mark.parametrize(
    ("start", "instant"),
    [
        ("now", "2026-01-15T12:00:00+00:00"),
        ("2026-07-01T10:00", "2026-07-01T08:00:00+00:00"),
        ("2026-07-01T10:00:30+05:00", "2026-07-01T05:00:30+00:00"),
    ],
)
def test_a_file_is_loaded_as_it_is(
    engine: EngineScript, shell: Shell, file: Path, start: str, instant: str
) -> None:
    done = shell("schedule", "load", str(file), "--plant", "lib", "--signal", "q", "--start", start)

    assert (done.code, done.err) == (0, "")
    post = engine.seen[-1]
    assert (post.method, post.path, post.body) == ("POST", CSV_PATH, HOURS)
    assert post.query == {"start": instant, "signal": "q"}


def test_a_file_of_times_needs_neither_start_nor_signal(
    engine: EngineScript, shell: Shell, file: Path
) -> None:
    file.write_text(TIMES)

    assert shell("schedule", "load", str(file), "--plant", "lib").code == 0
    assert engine.seen[-1].query == {}


def test_notes_on_what_was_loaded_are_said(engine: EngineScript, shell: Shell, file: Path) -> None:
    point = {"time": "2026-06-01T12:00:00Z", "p_kw": 5000.0, "q_kvar": None}
    notes = ["1 setpoint of active power is beyond the nameplate", "[bold] is no markup"]
    engine.answers["POST", CSV_PATH] = (200, {"points": [point], "end": None, "notes": notes})

    done = shell("schedule", "load", str(file), "--plant", "lib")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "lib: manual schedule of 1 setpoint from 2026-06-01 14:00:00 and the last holds on",
        "  note: 1 setpoint of active power is beyond the nameplate",
        "  note: [bold] is no markup",
    ]


def test_bad_rows_are_named_with_the_file(engine: EngineScript, shell: Shell, file: Path) -> None:
    problems = [{"where": "column p_kw", "why": "'x' is not a number", "line": 3}]
    engine.answers["POST", CSV_PATH] = (
        422,
        {"detail": "1 of 2 rows is wrong; nothing was loaded", "problems": problems},
    )

    wrong = shell("schedule", "load", str(file), "--plant", "lib")

    assert wrong.code == 2
    assert wrong.err == (
        f"{file}: 1 of 2 rows is wrong; nothing was loaded\n"
        "  line 3: column p_kw: 'x' is not a number\n"
    )


def test_a_file_becomes_an_override_until_its_end(
    engine: EngineScript, shell: Shell, file: Path
) -> None:
    done = shell("schedule", "load", str(file), "--plant", "lib", "--start", "now", "--override")

    assert (done.code, done.err) == (0, "")
    put = engine.seen[-1]
    assert (put.method, put.path) == ("PUT", "/plants/lib/overrides/p")
    assert put.body == {
        "points": [
            {"time": "2026-01-15T12:00:00+00:00", "value": 100.0},
            {"time": "2026-01-15T12:10:00+00:00", "value": -50.0},
        ],
        "end": "2026-01-15T12:20:00+00:00",
    }


def test_a_file_of_times_overrides_its_signals_until_they_are_removed(
    engine: EngineScript, shell: Shell, file: Path
) -> None:
    file.write_text(TIMES)

    done = shell("schedule", "load", str(file), "--plant", "lib", "--override")

    assert [one.path[-1] for one in engine.seen if one.method == "PUT"] == ["p", "q"]
    assert engine.seen[-1].body["end"] is None
    assert done.out.splitlines()[0].endswith("until it is removed (active)")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("plan.csv", "--override"), 2),
        (("plan.csv", "--start", "noon"), 2),
        (("plan.csv", "--start", "2026-03-29T02:30"), 2),
        (("nothing.csv",), 1),
    ],
)
def test_a_load_that_cannot_be_writes_nothing(
    engine: EngineScript, shell: Shell, file: Path, words: tuple[str, ...], code: int
) -> None:
    wrong = shell("schedule", "load", *words, "--plant", "lib")

    assert wrong.code == code
    assert len(wrong.err.splitlines()) == 1
    assert {one.method for one in engine.seen} <= {"GET"}


def test_a_random_schedule_says_its_seed(engine: EngineScript, shell: Shell) -> None:
    made = shell("schedule", "random", "--plant", "lib", "--json")
    again = shell("schedule", "random", "--plant", "lib", "--seed", "7", "--hours", "2")

    first, second = (one.body for one in engine.seen if one.method == "POST")
    assert first["seed"] == made.json()["seed"]
    assert again.out.endswith("(seed 7)\n")
    assert second == {
        "start": "2026-01-15T12:00:00+00:00",
        "duration_h": 2.0,
        "resolution_min": 15.0,
        "seed": 7,
    }


@pytest.mark.parametrize("hours", ["nan", "0", "-1", "1e9"])
def test_hours_without_sense_are_wrong_usage(
    engine: EngineScript, shell: Shell, hours: str
) -> None:
    assert shell("schedule", "random", "--plant", "lib", "--hours", hours).code == 2
    assert shell("schedule", "show", "lib", "--hours", hours).code == 2
    assert engine.seen == []


def test_what_a_plant_will_be_told_is_shown_in_site_time(
    engine: EngineScript, shell: Shell
) -> None:
    shown = shell("schedule", "show", "lib", "--hours", "1")

    assert shown.out.splitlines()[1].split() == ["2026-01-15", "13:00:00", "100.0", "0.0", "manual"]
    assert engine.seen[-1].query == {
        "start": "2026-01-15T12:00:00+00:00",
        "end": "2026-01-15T13:00:00+00:00",
    }


def test_a_check_passes_what_the_nameplate_holds(file: Path) -> None:
    code, out, err = check("plan.csv", "--plant", "lib", "--start", "2026-01-15T12:00:00Z")

    assert (code, err) == (0, "")
    assert out == (
        "plan.csv: 3 rows, 2026-01-15T13:00:00+01:00 to 2026-01-15T13:20:00+01:00\n"
        "OK: every setpoint is inside the nameplate of LIB\n"
        "OK: LIB can follow it, from 50.0% state of charge to 47.7%\n"
    )


def test_a_check_says_which_limit_is_hit_and_what_is_missing(file: Path) -> None:
    file.write_text("hours,minutes,seconds,setpoint\n0,0,0,500\n1,0,0,end\n")

    code, out, err = check("plan.csv", "--plant", "lib", "--soc", "0.5")
    full = check("plan.csv", "--plant", "lib", "--soc", "1")
    as_json = json.loads(check("plan.csv", "--plant", "lib", "--soc", "0.5", "--json")[1])

    assert code == 1
    assert out.endswith("OK: every setpoint is inside the nameplate of LIB\n")
    said = err.splitlines()
    assert said[0].startswith("LIB cannot follow it, from 50.0% state of charge to ")
    assert said[0].endswith(" kWh would be missing")
    assert len(said) == 2
    assert " soc: 500 kW asked, " in said[1]
    assert full[0] == 1
    assert as_json["ok"] is False
    assert as_json["soc_pu"] == 0.5
    assert as_json["forecast"]["violations"][0]["limit"] == "soc"
    assert 240 < as_json["forecast"]["missing_kwh"] < 300


def test_a_check_names_what_is_beyond_the_nameplate(file: Path) -> None:
    file.write_text("time,p_kw,q_kvar\n2026-01-15T12:00:00Z,160,0\n2026-01-15T13:00Z,-161,65\n")

    code, _, err = check("plan.csv", "--plant", "vrfb")

    assert code == 1
    assert err.startswith(
        "2 setpoints are beyond the nameplate of VRFB:\n"
        "  2026-01-15T14:00:00+01:00: -161 kW is not from -160 to 160 kW\n"
        "  2026-01-15T14:00:00+01:00: 65 kvar is not from -64 to 64 kvar\n"
    )


def test_a_check_of_bad_rows_names_each(file: Path) -> None:
    file.write_text("time,p_kw\nyesterday,1\n2026-01-15T12:00:00Z,x\n")

    code, out, err = check("plan.csv", "--plant", "lib")

    assert (code, out) == (2, "")
    assert "line 2: column time" in err
    assert "line 3: column p_kw" in err


def test_a_check_of_an_unknown_plant_names_those_that_there_are(file: Path) -> None:
    code, _, err = check("plan.csv", "--plant", "nix")

    assert (code, err) == (2, "there is no plant 'nix'; there are lib, vrfb\n")
