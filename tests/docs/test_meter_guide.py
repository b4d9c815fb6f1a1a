"""The example of the guide to meters is a configuration, and its meter shows what it says."""

import re
from pathlib import Path

from hil.config.load import load_text
from hil.config.values import plant_specs
from hil.domain.measurand import measurand_of
from hil.domain.plant import Transport

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-meter.md"


def test_the_example_is_valid_and_every_point_of_its_meter_is_emulated() -> None:
    found = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None

    (spec,) = plant_specs(load_text(found[1]))
    for transport in Transport:
        assert list(spec.endpoints[transport].servers) == [None, "meter"]
    points = spec.endpoints[Transport.LOCAL].registers.points.values()
    shown = {point.name: measurand_of(point) for point in points if point.device == "meter"}
    assert shown == {
        "meter_p": "p_poi",
        "meter_q": "q_poi",
        "meter_f": "frequency",
        "meter_v": "v_poi",
    }
