"""A scripted engine and a shell for the tests of commands that talk to one."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from engine_script import EngineScript, serving, unix_listener
from hil.cli.main import hil


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return orjson.loads(self.out)


Shell = Callable[..., Ran]


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory whose path is short enough for a Unix socket; no engine by environment."""
    for name in ("HIL_URL", "HIL_TOKEN", "HIL_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with tempfile.TemporaryDirectory(prefix="hil") as folder:
        monkeypatch.chdir(folder)
        yield Path(folder)


@pytest.fixture
def engine(data_dir: Path) -> Iterator[EngineScript]:
    """An engine of that data directory, which plays a script."""
    script = EngineScript()
    with serving(script, unix_listener(data_dir)):
        yield script


@pytest.fixture
def shell(data_dir: Path) -> Shell:
    """Runs a command of hil on that data directory."""

    def run(*words: str) -> Ran:
        result = CliRunner().invoke(hil, [*words, "--data-dir", str(data_dir)], prog_name="hil")
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run
