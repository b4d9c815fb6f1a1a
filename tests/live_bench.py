"""A bench of real processes on ports of its own, for tests that use it as its user does."""

import csv
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hil.adapters.device_lock import FileLocks
from hil.config.load import default_text
from hil.domain.errors import Impossible
from hil.domain.plant import Device

# Far above what any machine needs; nothing here asserts how long a thing took.
PATIENCE_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Bench:
    """A configuration with ports of its own, in a folder of its own."""

    folder: Path
    web: int
    lib: int
    vrfb: int

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "hil", *words, "--config", str(self.folder / "config.yaml")]

    def fails(self, *words: str) -> tuple[int, str]:
        """Run a command that must end by itself: its exit code and stderr."""
        ended = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        return ended.returncode, ended.stderr

    @contextmanager
    def runs(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A process that says what it is (its first line of stdout); it is killed at the end."""
        process = subprocess.Popen(
            self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), process.stderr.read() if process.stderr else ""
            yield process
        finally:
            process.kill()
            process.communicate()
            self._sweep()

    def _sweep(self) -> None:
        """Remove the lock files of an engine that was killed."""
        locks = FileLocks("test", {})
        with suppress(Impossible):
            locks.hold([Device(host="127.0.0.1", port=port) for port in (self.lib, self.vrfb)])
        locks.hold([])

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.web}/api/v1", trust_env=False, timeout=PATIENCE_S
        )


def make_bench(folder: Path) -> Bench:
    """The packaged bench with short periods and free ports."""
    made = Bench(folder, web=free_port(), lib=free_port(), vrfb=free_port())
    text = default_text()
    for old, new in ((5020, made.lib), (5021, made.vrfb), (8050, made.web), (5019, free_port())):
        text, found = re.subn(rf"\b{old}\b", str(new), text)
        assert found, old
    text = re.sub(r"(dispatch|measurement)_period_s: 2", r"\1_period_s: 0.2", text)
    text = text.replace("modbus_timeout_s: 1", "modbus_timeout_s: 0.5")
    (folder / "config.yaml").write_text(text)
    return made


def until(question: Any, what: str) -> Any:
    """Ask again until the answer is true; which step of the machine it takes does not matter."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"never came: {what}")


def carry_out(client: httpx.Client, path: str) -> dict[str, Any]:
    """Send a command and follow it to its end."""
    accepted = client.post(path)
    assert accepted.status_code == 202, accepted.text

    def ended() -> dict[str, Any] | None:
        command: dict[str, Any] = client.get(f"/commands/{accepted.json()['id']}").json()
        return command if command["status"] in {"done", "failed", "rejected"} else None

    command: dict[str, Any] = until(ended, path)
    return command


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
