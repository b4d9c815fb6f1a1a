"""What can be told of this machine."""

import socket
from pathlib import Path

import pytest

from hil.adapters import host


def test_a_port_is_free_or_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert host.why_not_listen("127.0.0.1", port) == "Address already in use"
        assert host.why_not_connect("127.0.0.1", port, within_s=5) is None
    assert host.why_not_listen("127.0.0.1", port) is None
    assert host.why_not_connect("127.0.0.1", port, within_s=5) == "Connection refused"


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"

    assert host.why_not_write(folder) is None
    assert (host.free_bytes(folder) or 0) > 0
    assert list(tmp_path.iterdir()) == []


def test_files_that_others_can_open_are_named(tmp_path: Path) -> None:
    closed, opened = tmp_path / "closed", tmp_path / "opened"
    for path, mode in ((closed, 0o600), (opened, 0o644)):
        path.touch()
        path.chmod(mode)

    paths = iter((closed, opened, tmp_path / "missing"))
    assert host.open_to_others(paths) == (str(opened),)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1min 30s", 90), ("45s", 45), ("1m30s", 90), ("1h", 3600), ("500ms", 0.5), ("1h 1min", 3660)],
)
def test_spans_of_systemd_and_compose(text: str, seconds: float) -> None:
    assert host.seconds_of(text) == seconds


def test_compose_services_that_run_hil_and_their_grace(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  engine: {command: [hil, engine], stop_grace_period: 1m}\n"
        "  web: {image: example/hil}\n"
        "  database: {image: postgres}\n"
        "  odd: 7\n"
    )
    (tmp_path / "docker-compose.yml").write_text("services: [not, a, mapping]\n")
    (tmp_path / "compose.yml").write_text("{{{")

    found = host.compose_stops(iter((tmp_path, tmp_path)))

    assert [(where.rpartition(": ")[2], seconds) for where, seconds in found] == [
        ("engine", 60.0),
        ("web", 10.0),
    ]


CHRONY = "System time     : 0.7 seconds {} of NTP time\nLeap status     : {}\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (CHRONY.format("slow", "Normal"), ("chrony", True, -0.7)),
        (CHRONY.format("fast", "Not synchronised"), ("chrony", False, 0.7)),
        ("506 Cannot talk to daemon", None),
    ],
)
def test_the_clock_is_asked_of_chrony(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, told: object
) -> None:
    program = tmp_path / "chronyc"
    program.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{said}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert host.time_service() == told


@pytest.mark.parametrize("said", ["yes", "no"])
def test_else_of_timedatectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\necho {said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert host.time_service() == ("timedatectl", said == "yes", None)


def test_no_service_can_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert host.time_service() is None


def unit_files(system: str = "", user: str = "") -> str:
    """A `systemctl` with these installed units; it stops `hil.service` after 90 s."""
    return f"""
case "$1 $2" in
  "--system list-unit-files") echo "{system}" ;;
  "--user list-unit-files") echo "{user}" ;;
  *"show"*) case "$3" in hil-web.service) echo infinity ;; *) echo "1min 30s" ;; esac ;;
esac
"""


@pytest.mark.parametrize(
    ("script", "stops"),
    [
        (unit_files(), []),
        (unit_files("hil.service enabled enabled"), [("hil.service", 90.0)]),
        (
            unit_files("hil.service enabled enabled", "hil-web.service disabled enabled"),
            [("hil.service", 90.0), ("hil-web.service", None)],
        ),
        ("echo 'System has not been booted with systemd' >&2; exit 1", []),
        ("echo", []),
    ],
)
def test_installed_units_are_asked_of_systemd(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    stops: list[tuple[str, float | None]],
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    # A test runner that is a service itself is asked about first.
    own = [unit for unit, _ in host.systemd_stops(tmp_path) if not unit.startswith("hil")]

    assert own or host.systemd_stops(tmp_path) == stops


def test_without_systemd_no_unit_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert host.systemd_stops(tmp_path) == []
