"""Faults in a configuration: each mistake by its place, and what they come to."""

import pytest

from hil.config.load import default_text, load_text
from hil.config.values import plant_faults
from hil.domain.errors import InvalidInput
from hil.domain.plant import PlantId
from metered import with_meter


def with_faults(faults: str) -> str:
    text = default_text()
    old = "  lib:\n"
    assert text.count(old) == 1
    return text.replace(old, f"  lib:\n    faults: {faults}\n")


def test_faults_come_in_their_order() -> None:
    config = load_text(with_faults("[{kind: delay, ms: 40}, {kind: fc16_only_plc, for_s: 5}]"))

    faults = plant_faults(config)[PlantId("lib")]
    assert [str(fault) for fault in faults] == [
        "delay ms=40",
        "fc16_only",
        "max_block registers=32 code=3",
    ]
    assert plant_faults(config)[PlantId("vrfb")] == ()


@pytest.mark.parametrize(
    ("faults", "where", "why"),
    [
        ("[{kind: dely}]", "plants.lib.faults[0].kind", 'did you mean "delay"'),
        ("[{ms: 3}]", "plants.lib.faults[0].kind", "is missing"),
        ("[{kind: trip}, {kind: delay, ms: x}]", "plants.lib.faults[1].ms", "must be a number"),
        ("[{kind: noise, point: p_x}]", "plants.lib.faults[0].point", "no point p_x"),
        ("[{kind: delay, device: x}]", "plants.lib.faults[0].device", "no point of a device x"),
        ("[{kind: trip, device: x}]", "plants.lib.faults[0].device", "cannot show trip"),
    ],
)
def test_mistake_is_named_with_its_line(faults: str, where: str, why: str) -> None:
    text = with_faults(faults)
    line = text[: text.index("faults: [")].count("\n") + 1

    with pytest.raises(InvalidInput) as caught:
        load_text(text)

    (problem,) = caught.value.problems
    assert (problem.where, problem.line) == (where, line)
    assert why in problem.why


def test_faults_of_a_meter_name_its_points() -> None:
    def text(point: str) -> str:
        fault = f"[{{kind: noise, point: {point}, device: meter}}]"
        return with_meter(with_faults(fault), port=5030)

    (fault,) = plant_faults(load_text(text("meter_p")))[PlantId("lib")]
    assert (fault.device, fault.word("point")) == ("meter", "meter_p")
    with pytest.raises(InvalidInput) as caught:
        load_text(text("p_poi"))
    (problem,) = caught.value.problems
    assert problem.why == "the device meter has no point p_poi that can be read"
