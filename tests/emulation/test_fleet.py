"""The emulated plants of a site, and their control."""

import pytest

from emulated_bench import HandClock
from hil.domain.errors import InvalidInput, NotFound
from hil.domain.modbus_pdu import ReadReply, ReadRequest, Table
from hil.domain.plant import PlantId
from hil.emulation.fleet import EmulatedFleet
from hil.ports import EmulatorControl
from specimen import spec

LIB, VRFB = PlantId("lib"), PlantId("vrfb")
SOC = ReadRequest(Table.HOLDING, 281, 1)


def fleet(kind: str = "vanadium_redox_flow") -> EmulatedFleet:
    return EmulatedFleet(
        [spec("lib"), spec("vrfb")],
        kinds={LIB: "lithium_ion", VRFB: kind},
        clock=HandClock(),
        step_s=1.0,
        initial_soc_pu=0.25,
        v_source_pu=1.0,
        f_hz=50.0,
        faults={},
    )


async def test_control_reaches_the_named_plant_alone() -> None:
    plants = fleet()
    control: EmulatorControl = plants

    await control.set_soc(VRFB, 0.75)

    assert plants.plants[LIB].handle(SOC) == ReadReply((2500,))
    assert plants.plants[VRFB].handle(SOC) == ReadReply((7500,))


async def test_unknown_plant_is_not_found() -> None:
    with pytest.raises(NotFound, match="nobody"):
        await fleet().set_soc(PlantId("nobody"), 0.5)


def test_unknown_kind_names_its_plant() -> None:
    with pytest.raises(InvalidInput, match="plant vrfb"):
        fleet("lead_acid")
