"""A disk that is full, or read-only, for two minutes: dispatch goes on and no row is lost."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[1] / "disk_trouble.py"
OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


def may_mount() -> bool:
    """Whether a file system of its own can be made here; containers often forbid it."""
    try:
        probe = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return subprocess.run(probe, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def troubled(kind: str, folder: Path, *, mounted: bool) -> tuple[dict[str, Any], list[str]]:
    """What the program found, and its log."""
    folder.mkdir()
    command = [sys.executable, str(PROGRAM), kind, str(folder)]
    if mounted:
        command = [*OWN_MOUNTS, *command, "--mounted"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found, ended.stderr.splitlines()


def check(found: dict[str, Any]) -> None:
    """Dispatch was on time, and everything measured is in the files or was rightly left out."""
    assert (found["lateness_max_ms"], found["missed_steps"]) == (0.0, 0)
    during, after = found["setpoint_kw"]
    assert 100 <= during < after
    assert (found["after"], found["unwritten"]) == ([], [])
    assert len(found["sessions"]) == 2
    for session in found["sessions"]:
        plant = session["plant"]
        files = [rows for name, rows in found["files"].items() if name.endswith(f"_{plant}.csv")]
        assert len(files) == 2  # midnight came meanwhile
        rows = [row for of_day in files for row in of_day]
        times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
        assert times == sorted(set(times))
        assert [bool(row["soc_pu"]) for row in rows] == [False, *[True] * (len(rows) - 2), False]
        assert session["counts"]["lost"] == 0
        assert session["counts"]["kept"] == len(rows) - 2
        assert times[1] == datetime.fromisoformat(session["first"])
        assert times[-2] == datetime.fromisoformat(session["last"])
        seconds = (times[-2] - times[1]).total_seconds()
        assert session["counts"]["measured"] == seconds / 2 + 1


def test_full_disk_holds_up_nothing_and_loses_nothing(tmp_path: Path) -> None:
    found, log = troubled("full", tmp_path / "full", mounted=may_mount())
    undisturbed, _ = troubled("none", tmp_path / "none", mounted=False)

    assert found["during"] == ["database_failing", "recording_failing"]
    check(found)
    assert found["files"] == undisturbed["files"]
    assert len([line for line in log if "cannot be written" in line]) == 4
    assert len([line for line in log if "written again" in line]) == 2


def test_read_only_disk_holds_up_nothing_and_loses_nothing(tmp_path: Path) -> None:
    found, log = troubled("readonly", tmp_path / "readonly", mounted=may_mount())

    assert "recording_failing" in found["during"]
    check(found)
    assert len(log) < 10


def test_without_the_right_to_mount_files_that_cannot_grow_stand_for_it(tmp_path: Path) -> None:
    found, _ = troubled("full", tmp_path / "full", mounted=False)

    assert found["during"] == ["database_failing", "recording_failing"]
    check(found)
