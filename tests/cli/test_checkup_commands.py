"""hil smoke, register and doctor."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from engine_script import EngineScript
from hil.adapters.data_directory import DataDirectory
from hil.adapters.modbus_server import Handler, ModbusServer
from hil.config.load import default_text
from live_bench import free_port, make_bench
from remote_devices import in_thread
from specimen import FakeRegisters

Shell = Callable[..., Any]

REPORT: dict[str, Any] = {
    "plant": "lib",
    "name": "LIB",
    "transport": "local",
    "endpoint": "127.0.0.1:5020 unit 1",
    "severity": "failed",
    "readings": [],
    "reads": 0,
    "round_trip_ms": {"p50": None, "p99": None, "max": None},
    "findings": [
        {"severity": "failed", "subject": "p_poi", "text": "reads 5 MW", "cure": "swap words?"}
    ],
    "trace": ["-> 01 03"],
}
READING = {
    "point": "soc",
    "table": "holding",
    "address": 281,
    "format": "uint16",
    "words": [5000],
    "value": 0.5,
    "unit": "pu",
    "problem": None,
}


@contextmanager
def served(handle: Handler, port: int) -> Iterator[None]:
    """A Modbus server in a thread, with a loop of its own."""
    loop = asyncio.SelectorEventLoop()
    server = ModbusServer(handle, unit_id=1)
    loop.run_until_complete(server.start("127.0.0.1", port))
    try:
        with in_thread(loop):
            yield
    finally:
        loop.run_until_complete(server.close())
        loop.close()


@pytest.fixture
def lib_port(data_dir: Path) -> int:
    """A configuration in the data directory; the port of its LIB."""
    return make_bench(data_dir).lib


def test_smoke_checks_an_endpoint_without_an_engine(
    lib_port: int, shell: Shell, data_dir: Path
) -> None:
    with served(FakeRegisters().handle, lib_port):
        ran = shell("smoke", "lib", "--junit", "x.xml", "--trace")
        facts = shell("smoke", "lib", "--json").json()

    assert ran.code == 0, ran.err
    assert "0x1388  5000" in ran.out
    assert "round trip p50" in ran.out
    assert "00 00 00 06 01 03 01 19 00 01  transaction" in ran.out
    assert "unit 1 FC3 read of 1 holding register from 281" in ran.out
    assert facts[0]["severity"] == "ok"
    suite = ET.parse(data_dir / "x.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "0"


def test_smoke_fails_with_what_to_do(lib_port: int, shell: Shell) -> None:
    device = FakeRegisters()
    device.values[281] = 20_000

    with served(device.handle, lib_port):
        ran = shell("smoke", "lib")

    assert ran.code == 1
    assert "scale 0.0001 too large?" in ran.out


def test_smoke_says_that_nobody_answers(lib_port: int, shell: Shell) -> None:
    ran = shell("smoke", "lib")

    assert ran.code == 1
    assert "Connection refused" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nix",), "there is no plant 'nix'; there are lib, vrfb"),
        (("--transport", "remote"), "no remote endpoint is configured"),
        (("--over", "soon"), "is no duration"),
    ],
)
def test_wrong_usage_exits_with_2(
    lib_port: int, shell: Shell, words: tuple[str, ...], said: str
) -> None:
    ran = shell("smoke", *words)

    assert ran.code == 2
    assert said in ran.err


def test_smoke_goes_through_an_engine_on_that_transport(
    engine: EngineScript, shell: Shell, data_dir: Path
) -> None:
    (data_dir / "config.yaml").write_text(default_text())
    engine.answers[("POST", "/plants/lib/smoke")] = (200, REPORT)

    ran = shell("smoke", "lib", "--write-zero", "--trace")
    over = shell("smoke", "lib", "--over", "1min")

    assert ran.code == 1
    assert "p_poi: reads 5 MW" in ran.out
    assert "-> swap words?" in ran.out
    assert "-> 01 03" in ran.out
    assert engine.seen[-2].body == {"write_zero": True, "trace": True}
    assert over.code == 1
    assert "stop the engine first" in over.err


def test_smoke_keeps_off_the_plants_of_an_engine_that_does_not_answer(
    lib_port: int, shell: Shell, data_dir: Path
) -> None:
    directory = DataDirectory(data_dir)
    try:
        ran = shell("smoke", "lib", "--write-zero")
    finally:
        directory.close()

    assert ran.code == 1
    assert ran.out == ""
    assert ran.err


def test_register_read_shows_hex_words_and_value(engine: EngineScript, shell: Shell) -> None:
    engine.answers[("GET", "/plants/lib/registers")] = (200, {"registers": [READING]})

    ran = shell("register", "read", "lib", "soc")
    facts = shell("register", "read", "lib", "--json")

    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[1].split() == [
        "soc", "holding", "281", "uint16", "0x1388", "5000", "0.5", "pu",
    ]  # fmt: skip
    assert engine.seen[0].query == {"points": "soc"}
    assert facts.json() == [READING]


def test_register_read_without_an_engine_says_so(shell: Shell) -> None:
    ran = shell("register", "read", "lib")

    assert ran.code == 1
    assert "no engine runs" in ran.err


def test_an_answer_of_another_version_is_said(engine: EngineScript, shell: Shell) -> None:
    engine.answers[("GET", "/plants/lib/registers")] = (200, {"registers": [{"point": "soc"}]})

    ran = shell("register", "read", "lib")

    assert ran.code == 1
    assert "of the engine's version" in ran.err


def test_doctor_finds_an_idle_bench_fit(lib_port: int, shell: Shell) -> None:
    ran = shell("doctor")
    facts = shell("doctor", "--json").json()

    assert ran.code == 0, ran.out + ran.err
    assert "config.yaml is valid" in ran.out
    subjects = {one["subject"] for one in facts["findings"]}
    assert subjects >= {"config", "ports", "clock", "disk", "stop time-out"}


def test_doctor_names_what_is_wrong(lib_port: int, shell: Shell, data_dir: Path) -> None:
    config = data_dir / "config.yaml"
    remote = f"      remote: {{host: 127.0.0.1, port: {free_port()}}}\n"
    text = config.read_text()
    local = f"      local: {{host: 127.0.0.1, port: {lib_port}}}\n"
    config.write_text(text.replace(local, local + remote))
    (data_dir / "compose.yaml").write_text("services: {hil: {image: hil}}\n")

    ran = shell("doctor")

    assert ran.code == 1
    assert "lib remote 127.0.0.1" in ran.out
    assert "nothing stops this plant if this program dies" in ran.out
    assert "set stop_grace_period to 45 s or more" in ran.out


def test_doctor_goes_on_without_a_valid_configuration(shell: Shell, data_dir: Path) -> None:
    (data_dir / "config.yaml").write_text("timming: {}\n")

    ran = shell("doctor")

    assert ran.code == 1
    assert 'did you mean "timing"' in ran.out
    assert "clock" in ran.out


def doctor_with(shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> Any:
    """The doctor where `systemctl` is a program that says this of every unit's stop time."""
    programs = folder / "bin"
    programs.mkdir()
    if says:
        program = programs / "systemctl"
        program.write_text(
            "#!/bin/sh\n"
            'case "$*" in\n'
            '  "--system list-unit-files"*) echo "hil.service enabled enabled" ;;\n'
            f'  *show*) echo "{says}" ;;\n'
            "esac\n"
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return shell("doctor", "--json")


@pytest.mark.parametrize(
    ("says", "severity", "text", "cure"),
    [
        (
            "10s",
            "warning",
            "TimeoutStopSec kills after 10 s, and a safe stop may take 30 s",
            "set TimeoutStopSec to 45 s or more",
        ),
        ("1min 30s", "ok", "TimeoutStopSec waits 90 s", None),
        ("infinity", "ok", "TimeoutStopSec waits for ever", None),
        ("", "ok", "no service manager was found; one must wait 45 s for a safe stop", None),
    ],
)
def test_doctor_asks_systemd_how_long_it_waits_for_a_safe_stop(
    lib_port: int,
    shell: Shell,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    says: str,
    severity: str,
    text: str,
    cure: str | None,
) -> None:
    ran = doctor_with(shell, data_dir, monkeypatch, says)

    found = [one for one in ran.json()["findings"] if one["subject"] == "stop time-out"]
    assert ran.code == 0  # a warning is no failure
    assert [(one["severity"], one["cure"]) for one in found] == [(severity, cure)]
    assert text in found[0]["text"]
