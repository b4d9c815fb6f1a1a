"""A schedule source of somebody else's package, found by its entry point."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.adapters.system_clock import SystemClock
from hil.assembly.market import market_access
from hil.config.load import default_text, load_text
from hil.config.values import plant_specs
from hil.domain.errors import HilError

SOURCE = """
class Flat:
    def __init__(self, options, *, plants, zone):
        self.p_kw, self.plants = options["p_kw"], plants

    async def log_in(self, password): ...
    async def log_out(self): ...
    async def close(self): ...

    async def setpoints(self, periods):
        return {plant: dict.fromkeys(periods, self.p_kw) for plant in self.plants}


class Half:
    def __init__(self, options, *, plants, zone): ...
"""
CONFIG = "schedule_api: {{kind: {kind}, options: {{{options}}}}}"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "flat_source.py").write_text(SOURCE)
    info = tmp_path / "flat_source-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flat-source\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[hil.schedule_sources]\nflat = flat_source:Flat\nhalf = flat_source:Half\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("flat_source", None)


def access(kind: str, options: str) -> object:
    api = CONFIG.format(kind=kind, options=options)
    config = load_text(default_text().replace("schedule_api: null", api))
    made = market_access(config, plant_specs(config), SystemClock(), draw=random.Random(1))
    assert made is not None
    return made.source


def test_its_class_is_made_with_options_plants_and_zone() -> None:
    source = access("flat", "p_kw: 7.5")
    assert getattr(source, "p_kw", None) == 7.5
    assert getattr(source, "plants", None) == ["lib", "vrfb"]


@pytest.mark.parametrize(
    ("kind", "says"), [("flat", "KeyError"), ("half", "makes no ScheduleSource")]
)
def test_one_that_cannot_be_made_is_named(kind: str, says: str) -> None:
    with pytest.raises(HilError, match=says):
        access(kind, "")
