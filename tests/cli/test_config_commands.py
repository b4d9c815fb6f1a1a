"""hil init, config check and config schema, and how errors reach a terminal."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from hil import __version__
from hil.cli import config_commands
from hil.cli.main import hil
from hil.config.load import default_text, load_default


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "type[Run]":
    """Runs hil in an empty folder without $HIL_CONFIG."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIL_CONFIG", raising=False)
    return Run


class Run:
    """One run of the command line."""

    def __init__(self, *args: str, env: dict[str, str] | None = None) -> None:
        result: Result = CliRunner().invoke(hil, args, env=env, prog_name="hil")
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr
        self.exception = result.exception


def test_init_writes_a_configuration_that_is_the_packaged_default(run: type[Run]) -> None:
    made = run("init", "bench")

    assert (made.code, made.err) == (0, "")
    assert "wrote bench/config.yaml" in made.out
    assert Path("bench/config.yaml").read_text() == default_text()
    assert (
        Path("bench/example-schedule.csv")
        .read_text()
        .startswith("hours,minutes,seconds,setpoint\n0,0,0,")
    )
    assert run("config", "check", "bench/config.yaml").code == 0


@pytest.mark.parametrize("name", ["config.yaml", "example-schedule.csv"])
def test_init_overwrites_nothing(run: type[Run], name: str) -> None:
    Path(name).write_text("mine")

    refused = run("init")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == f"{name}: already there; nothing is overwritten\n"
    assert Path(name).read_text() == "mine"
    assert len(list(Path().iterdir())) == 1


def test_init_into_a_file_is_one_sentence(run: type[Run]) -> None:
    Path("taken").write_text("")

    refused = run("init", "taken/bench")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "taken/bench: cannot be written: Not a directory\n"


def test_check_says_what_there_is(run: type[Run]) -> None:
    fine = run("config", "check")

    assert (fine.code, fine.err) == (0, "")
    assert fine.out == (
        "OK: the packaged default\n"
        "  lib · LIB · lithium_ion · local 127.0.0.1:5020\n"
        "  vrfb · VRFB · vanadium_redox_flow · local 127.0.0.1:5021\n"
    )


def test_check_refuses_what_run_refuses_and_notes_what_has_no_effect(run: type[Run]) -> None:
    text = default_text()
    Path("open.yaml").write_text(text.replace("  host: 127.0.0.1", "  host: 0.0.0.0", 1))
    Path("noisy.yaml").write_text(text.replace("  noise: off", "  noise: realistic", 1))
    line = text.splitlines().index("web:") + 2

    refused, noted = run("config", "check", "open.yaml"), run("config", "check", "noisy.yaml")
    as_json = run("config", "check", "open.yaml", "--json")

    assert (refused.code, refused.out, as_json.code) == (2, "", 2)
    assert refused.err.startswith(
        f"open.yaml: asks for what this version cannot do\n  line {line}: web.host: 0.0.0.0 can be"
    )
    assert json.loads(as_json.out)["problems"][0]["line"] == line
    assert noted.code == 0
    assert "  note: grid.noise has no effect in this version\n" in noted.out


def test_check_names_every_problem_and_exits_with_2(run: type[Run]) -> None:
    Path("config.yaml").write_text("timming: {}\nsite: {timezone: Mars}\nplants: {}\n")

    wrong = run("config", "check")

    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err == (
        "config.yaml: 3 problems\n"
        '  line 1: timming: unknown key; did you mean "timing"?\n'
        '  line 2: site.timezone: "Mars" is not an IANA time zone such as Europe/Madrid\n'
        "  line 3: plants: needs at least 1 entry\n"
    )


def test_check_as_json(run: type[Run]) -> None:
    Path("bad.yaml").write_text("plants: {}\n")

    fine, wrong = run("config", "check", "--json"), run("config", "check", "bad.yaml", "--json")

    assert json.loads(fine.out)["plants"][1] == {
        "id": "vrfb",
        "name": "VRFB",
        "kind": "vanadium_redox_flow",
        "local": "127.0.0.1:5021",
        "remote": None,
    }
    assert (wrong.code, wrong.err) == (2, "")
    assert json.loads(wrong.out) == {
        "ok": False,
        "file": "bad.yaml",
        "error": "bad.yaml: 1 problem",
        "problems": [{"where": "plants", "why": "needs at least 1 entry", "line": 1}],
    }


def test_check_takes_the_file_of_the_environment(run: type[Run]) -> None:
    missing = run("config", "check", env={"HIL_CONFIG": "nowhere.yaml"})

    assert missing.code == 2
    assert missing.err == "nowhere.yaml: there is no such file; `hil init` writes one\n"


def test_schema_accepts_the_default_and_refuses_unknown_keys(run: type[Run]) -> None:
    printed = run("config", "schema")
    validator = jsonschema_rs.validator_for(json.loads(printed.out))
    default = YAML(typ="safe", pure=True).load(default_text())

    assert validator.is_valid(default)
    assert not validator.is_valid({**default, "timming": {}})
    assert not validator.is_valid({**default, "web": {"port": "8050"}})
    assert not validator.is_valid({**default, "plants": {"LIB": default["plants"]["lib"]}})


def test_every_default_stands_in_the_packaged_file_or_is_the_same(run: type[Run]) -> None:
    assert run("config", "check").code == 0
    default = YAML(typ="safe", pure=True).load(default_text())
    sparse = load_default().model_copy(update={"plants": {}})

    for section in ("site", "startup", "timing", "safe_stop", "recording", "grid", "logging"):
        stated, built_in = default[section], type(getattr(sparse, section))()
        for key, value in stated.items():
            if not isinstance(value, dict):
                assert getattr(built_in, key) == value, f"{section}.{key}"


def test_wrong_usage_exits_with_2(run: type[Run]) -> None:
    for args in (["config", "chek"], ["config", "check", "--jsn"], ["nothing"]):
        wrong = run(*args)
        assert (wrong.code, wrong.out) == (2, "")
        assert "Error: No such" in wrong.err


def test_help_and_version(run: type[Run]) -> None:
    assert run("--version").out == f"hil, version {__version__}\n"
    for args in ((), ("config",), ("init",), ("config", "check"), ("config", "schema")):
        shown = run(*args, "--help")
        assert (shown.code, shown.err) == (0, "")
        assert "Usage: hil" in shown.out


@pytest.mark.parametrize(
    ("raised", "code", "text"),
    [
        (ZeroDivisionError("by zero"), 1, "unexpected error: ZeroDivisionError: by zero"),
        (OSError(28, "No space left"), 1, "unexpected error: OSError: [Errno 28] No space left"),
        (KeyboardInterrupt(), 1, "interrupted"),
    ],
)
def test_nothing_ends_in_a_traceback_unless_asked_for(
    run: type[Run],
    raised: BaseException,
    code: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setattr(config_commands, "load_default", fail)

    quiet, loud = run("config", "check"), run("config", "check", "--debug")

    assert quiet.code == code
    assert text in quiet.err
    assert "Traceback" not in quiet.err
    if not isinstance(raised, KeyboardInterrupt):
        assert loud.exception is raised


def test_check_refuses_what_a_run_would_refuse(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(default_text().replace("  host: 127.0.0.1", "  host: 0.0.0.0", 1))

    result = CliRunner().invoke(hil, ["config", "check", str(path)])

    assert result.exit_code == 2
    assert "web.host: 0.0.0.0 can be reached from other machines" in result.stderr
