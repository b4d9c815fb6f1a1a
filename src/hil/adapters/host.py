"""The machine that a site runs on: its ports, disk, clock and service manager."""

import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hil.adapters.data_directory import LOCK_NAME
from hil.adapters.system_words import reason_of

# A time service or a service manager that does not answer sooner is of no use here.
ANSWERS_WITHIN_S = 3.0
# Engine, web and emulator, some sites on one machine: more are not asked for, one by one.
UNITS_MAX = 20
COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
COMPOSE_DEFAULT_S = 10.0  # what compose waits when nothing is said
COMPOSE_BYTES_MAX = 1_000_000

_MANAGERS = ("--system", "--user")
_SECONDS = {"h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(h|min|ms|us|m|s)")
_CHRONY_OFFSET = re.compile(r"System time\s*:\s*([\d.]+) seconds (fast|slow)")
_CHRONY_LEAP = re.compile(r"Leap status\s*:\s*(.+)")


def why_not_listen(host: str, port: int) -> str | None:
    """Why nobody can listen on this address now; None when one can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return reason_of(error)
    return None


def why_not_connect(host: str, port: int, *, within_s: float) -> str | None:
    """Why this address takes no connection; None when it does."""
    try:
        socket.create_connection((host, port), timeout=within_s).close()
    except TimeoutError:
        return f"no connection within {within_s:g} s"
    except (OSError, UnicodeError) as error:
        return reason_of(error)
    return None


def free_bytes(path: Path) -> int | None:
    """The space that is left where the path is or would be made; None: it cannot be told."""
    try:
        return shutil.disk_usage(_existing(path)).free
    except OSError:
        return None


def why_not_write(path: Path) -> str | None:
    """Why no file can be written in the folder, or where it would be made; None: one can."""
    try:
        with tempfile.TemporaryFile(dir=_existing(path)) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return None


def open_to_others(paths: Iterator[Path]) -> tuple[str, ...]:
    """Those of the paths that exist and that other users may read or write."""
    found = []
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            found.append(str(path))
    return tuple(found)


def time_service() -> tuple[str, bool | None, float | None] | None:
    """Who keeps the clock, whether it is synchronised, and how many seconds it is off (fast: +).

    None: nobody here can tell.
    """
    tracking = _output("chronyc", "-n", "tracking")
    if tracking is not None and (found := _CHRONY_OFFSET.search(tracking)):
        offset_s = float(found[1]) * (1 if found[2] == "fast" else -1)
        leap = _CHRONY_LEAP.search(tracking)
        return "chrony", leap is not None and leap[1].strip() != "Not synchronised", offset_s
    said = (_output("timedatectl", "show", "--property=NTPSynchronized", "--value") or "").strip()
    return ("timedatectl", said == "yes", None) if said in {"yes", "no"} else None


def systemd_stops(data_dir: Path) -> list[tuple[str, float | None]]:
    """The systemd units that stop the engine, and their TimeoutStopUSec in s; None: for ever.

    That is the unit under which the engine (or this process) runs; when it runs under none, each
    installed unit whose name begins with `hil`. Nothing: no such unit, or systemd does not answer.
    """
    units = _unit_of(data_dir) or [
        (manager, unit) for manager in _MANAGERS for unit in _installed(manager)
    ]
    found: list[tuple[str, float | None]] = []
    for manager, unit in units:
        asked = ("show", unit, "--property=TimeoutStopUSec", "--value")
        said = (_output("systemctl", manager, *asked) or "").strip()
        if said:
            found.append((unit, None if said == "infinity" else seconds_of(said)))
    return found


def _unit_of(data_dir: Path) -> list[tuple[str, str]]:
    """The manager and the unit under which the engine runs, or else this process; or nothing."""
    try:
        pid = (data_dir / LOCK_NAME).read_text().strip()
    except OSError:
        pid = ""
    for process in (pid, "self") if pid.isdigit() else ("self",):
        try:
            groups = Path("/proc", process, "cgroup").read_text()
        except OSError:  # what a killed engine left
            continue
        paths = re.findall(r"(/\S*/)([^/\s]+\.service)\s*$", groups, re.MULTILINE)
        if paths and not paths[-1][1].startswith("user@"):
            above, unit = paths[-1]
            return [(_MANAGERS["/user@" in above], unit)]
        return []
    return []


def _installed(manager: str) -> list[str]:
    """The installed services of ours, by their names."""
    asked = ("list-unit-files", "hil*.service", "--no-legend", "--plain")
    lines = (_output("systemctl", manager, *asked) or "").splitlines()
    return [line.split()[0] for line in lines[:UNITS_MAX] if line.strip()]


def compose_stops(folders: Iterator[Path]) -> list[tuple[str, float]]:
    """Each service that runs `hil` in the compose files of the folders, and its grace in s."""
    found: list[tuple[str, float]] = []
    for path in dict.fromkeys(folder / name for folder in folders for name in COMPOSE_NAMES):
        services = _compose(path).get("services")
        for name, service in services.items() if isinstance(services, Mapping) else ():
            if isinstance(service, Mapping) and _runs_hil(name, service):
                grace = service.get("stop_grace_period")
                seconds = COMPOSE_DEFAULT_S if grace is None else seconds_of(str(grace))
                found.append((f"{path}: {name}", seconds))
    return found


def seconds_of(span: str) -> float:
    """Seconds of a span as systemd and compose write it, such as "1min 30s" or "1m30s"."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(span))


def _runs_hil(name: object, service: Mapping[str, Any]) -> bool:
    told = (name, *(service.get(key) for key in ("image", "command", "entrypoint")))
    return any(re.search(r"\bhil\b", str(each)) for each in told)


def _compose(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            content = YAML(typ="safe").load(file.read(COMPOSE_BYTES_MAX))
    except (OSError, YAMLError, UnicodeDecodeError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))


def _output(program: str, *words: str) -> str | None:
    """What a program of the system prints; None when it is not there or fails."""
    found = shutil.which(program)
    if found is None:
        return None
    try:
        ended = subprocess.run(  # noqa: S603 - a fixed program of the system with fixed arguments
            [found, *words], capture_output=True, text=True, timeout=ANSWERS_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None
