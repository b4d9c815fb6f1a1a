"""Plant models by name, and those of somebody else: stepped alike, failing alone."""

import logging
from pathlib import Path

import pytest

from emulated_bench import LIB_POINTS, VRFB_POINTS, bench, spec_of
from hil.domain.errors import HilError, InvalidInput
from hil.domain.modbus_pdu import ReadRequest, Refusal, Table
from hil.emulation.kind import model_of

PLUG_IN = '''
"""A plant model as somebody else writes it."""
import math
from hil.emulation.model import Meas, PlantInfo

class Model:
    def __init__(self, spec):
        self.info = PlantInfo(kind="plug-in", max_dt_s=0.5)
        self.longest_s = 0.0
        self.spoil = None
    def reset(self, *, soc_pu):
        self.soc_pu = soc_pu
    def step(self, dt_s, *, p_kw, q_kvar, is_running, env):
        if self.spoil == "raise":
            raise ZeroDivisionError("by design")
        self.longest_s = max(self.longest_s, dt_s)
        p_kw = math.nan if self.spoil == "nan" else p_kw
        return Meas(p_kw, q_kvar, p_kw - 1, q_kvar, 20.0, self.soc_pu)

class Broken:
    def __init__(self, spec):
        raise RuntimeError("no licence")
'''


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with models of somebody else."""
    name = f"plug_in_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(PLUG_IN)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_plug_in_is_stepped_within_its_longest_step(plug_in: str) -> None:
    model = model_of(f"python:{plug_in}:Model", spec_of(LIB_POINTS))
    got = bench(model=model)
    got.write(p_setpoint=7.0)
    got.clock.wait(3.2)

    assert got.read("p_battery") == 7.0
    assert getattr(model, "longest_s") == 0.5  # noqa: B009 - a plug-in's own attribute


def test_shared_registers_show_the_poi(plug_in: str) -> None:
    got = bench(VRFB_POINTS, model=model_of(f"python:{plug_in}:Model", spec_of(VRFB_POINTS)))
    for p_kw in (5.0, 6.0, 6.0):
        got.write(p_setpoint=p_kw)
        got.clock.wait(1.0)
        assert got.read("p_battery") == got.read("p_poi") == p_kw - 1


@pytest.mark.parametrize("spoil", ["raise", "nan"])
def test_model_that_fails_refuses_its_measurements_and_is_logged_once(
    plug_in: str, spoil: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = model_of(f"python:{plug_in}:Model", spec_of(LIB_POINTS))
    got = bench(model=model)
    setattr(model, "spoil", spoil)  # noqa: B010 - a plug-in's own attribute
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            got.clock.wait(1.0)
            assert got.plant.handle(ReadRequest(Table.HOLDING, 270, 1)) == Refusal(4)

    got.write(enable=0.0)
    assert got.read("enable") == 0
    assert len(caplog.records) == 1
    assert "plant=lib" in caplog.text


@pytest.mark.parametrize(
    "kind", ["lead_acid", "python:", "python:no.such:Model", "python:hil.ports:Nothing"]
)
def test_unknown_kind_is_refused_with_a_sentence(kind: str) -> None:
    with pytest.raises(InvalidInput, match="plant lib: model"):
        model_of(kind, spec_of(LIB_POINTS))


def test_plug_in_that_cannot_be_made_says_why(plug_in: str) -> None:
    with pytest.raises(HilError, match="RuntimeError: no licence"):
        model_of(f"python:{plug_in}:Broken", spec_of(LIB_POINTS))


@pytest.mark.parametrize("kind", ["lithium_ion", "vanadium_redox_flow"])
def test_built_in_kinds_say_what_they_are(kind: str) -> None:
    assert model_of(kind, spec_of(LIB_POINTS)).info.kind == kind
