"""The smoke check of a meter: its points, its trace, and whether it agrees with its plant."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from emulated_bench import LIB_POINTS, HandClock
from fault_bench import faulty_engine
from hil.adapters.modbus_client import TcpLink
from hil.adapters.modbus_server import ModbusServer
from hil.adapters.system_clock import SystemClock
from hil.checkup.junit import junit
from hil.checkup.smoke import smoke
from hil.checkup.through_engine import Checkups
from hil.domain.errors import InvalidInput
from hil.domain.finding import Finding, Severity
from hil.domain.modbus_pdu import WriteReply
from hil.domain.plant import Device, PlantId, PlantSpec, Transport
from hil.domain.registers import Point, WriteFunction
from hil.domain.smoke_report import SmokeReport
from hil.emulation.fleet import EmulatedFleet
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_link import MemoryLink
from metered import METER_POINTS, metered_spec

LIB = PlantId("lib")


def running(spec: PlantSpec, p_kw: float = 500.0) -> EmulatedFleet:
    """A plant with a meter that carries power."""
    clock = HandClock()
    fleet = EmulatedFleet(
        [spec],
        kinds={LIB: "lithium_ion"},
        clock=clock,
        step_s=1.0,
        initial_soc_pu=0.5,
        v_source_pu=1.0,
        f_hz=50.0,
        faults={},
    )
    values = {"enable": 1.0, "p_setpoint": p_kw, "q_setpoint": p_kw / 2}
    registers = spec.endpoints[Transport.LOCAL].registers
    for request in registers.write_requests(values, function=WriteFunction.AUTO):
        assert fleet.plants[LIB].handle(request) == WriteReply()
    clock.wait(5)
    return fleet


def meter_with(name: str, **changes: Any) -> PlantSpec:
    """The plant with a meter whose point differs from the sheet."""
    return metered_spec([replace(p, **changes) if p.name == name else p for p in METER_POINTS])


async def checked(spec: PlantSpec, fleet: EmulatedFleet, **options: Any) -> SmokeReport:
    """The check of the meter on virtual time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    own, meter = (MemoryLink(one.handle, timeout_s=1) for one in fleet.served(LIB).values())
    clock = VirtualClock(loop, datetime(2026, 6, 1, tzinfo=UTC))
    options = {"device": "meter", "beside": own, **options}
    return await smoke(spec, Transport.LOCAL, meter, clock, within_s=2, **options)


def of(report: SmokeReport, subject: str) -> list[Finding]:
    return [each for each in report.findings if each.subject == subject]


@pytest.mark.real_time
async def test_a_meter_is_checked_over_its_own_socket_and_agrees() -> None:
    fleet = running(metered_spec())
    servers = [
        ModbusServer(one.handle, unit_id=unit_id)
        for unit_id, one in zip((1, 7), fleet.served(LIB).values(), strict=True)
    ]
    ports = [await server.start("127.0.0.1", 0) for server in servers]
    spec = metered_spec(device=Device(host="127.0.0.1", port=ports[1], unit_id=7))
    local = spec.endpoints[Transport.LOCAL]
    links = [
        TcpLink(replace(local.main, port=ports[0]), timeout_s=5),
        TcpLink(local.devices["meter"], timeout_s=5),
    ]
    try:
        report = await smoke(
            spec,
            Transport.LOCAL,
            links[1],
            SystemClock(),
            within_s=10,
            device="meter",
            beside=links[0],
            trace=True,
        )
    finally:
        for link in links:
            await link.close()
        for server in servers:
            await server.close()

    assert (report.plant, report.device) == ("lib", "meter")
    assert report.endpoint == f"127.0.0.1:{ports[1]} unit 7"
    assert [each.point for each in report.readings] == [point.name for point in METER_POINTS]
    assert report.reads == 50
    assert report.round_trip_ms.p50 is not None
    for name in ("meter_p", "meter_q", "meter_v"):
        assert [each.severity for each in of(report, name)] == [Severity.OK]
        assert "they agree" in of(report, name)[0].text
    assert report.trace[0].startswith("-> 00 01 00 00 00 06 07 03 00 00")
    assert "meter_p=" in report.trace[1]
    # The phase that no model knows reads as not known.
    assert [each.severity for each in of(report, "meter_p_l1")] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("name", "changes", "cure"),
    [
        ("meter_p", {"scale": -0.1}, "negate the scale? 0.1 would fit"),
        ("meter_p", {"scale": 0.01}, "scale 0.01 too small? 0.1 would fit"),
        ("meter_q", {"scale": -0.01}, "too small and of the wrong sign? 0.1 would fit"),
        ("meter_v", {"scale": 10.0}, "scale 10 too large? 1 reads"),
        ("meter_p", {"scale": 1.0}, "scale 1 too large? 0.1 reads"),
    ],
)
async def test_sign_and_scale_of_a_meter_are_named(
    name: str, changes: dict[str, Any], cure: str
) -> None:
    report = await checked(meter_with(name, **changes), running(metered_spec()))

    assert report.severity is Severity.FAILED
    assert cure in "; ".join(str(each.cure) for each in of(report, name))


async def test_a_meter_that_has_the_power_at_the_poi_is_held_against_the_battery() -> None:
    own = next(p for p in LIB_POINTS if p.name == "p_poi")
    point: Point = replace(own, address=0, device="meter")
    fleet = running(metered_spec([point]))

    good = await checked(metered_spec([point]), fleet)
    bad = await checked(metered_spec([replace(point, scale=-0.1)]), fleet)

    assert "beside p_battery" in of(good, "p_poi")[0].text
    assert good.severity is Severity.OK
    assert "negate the scale?" in str(of(bad, "p_poi")[0].cure)


async def test_a_plant_that_does_not_answer_leaves_the_meter_unjudged() -> None:
    dead = MemoryLink(lambda _: None, timeout_s=1)
    report = await checked(metered_spec(), running(metered_spec()), beside=dead)

    assert report.severity is Severity.WARNING
    assert "was not compared: p_poi of the plant itself" in of(report, "meter_p")[0].text


async def test_a_dead_meter_fails_alone_and_nothing_is_written() -> None:
    fleet = running(metered_spec())
    dead = MemoryLink(lambda _: None, timeout_s=1)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    report = await smoke(
        metered_spec(),
        Transport.LOCAL,
        dead,
        VirtualClock(loop, datetime(2026, 6, 1, tzinfo=UTC)),
        within_s=2,
        device="meter",
        beside=MemoryLink(fleet.plants[LIB].handle, timeout_s=1),
        write_zero=True,
    )

    assert report.severity is Severity.FAILED
    assert {each.subject for each in report.findings} == {"link"}


async def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no device 'clamp'"):
        await checked(metered_spec(), running(metered_spec()), device="clamp")


async def test_a_device_is_a_suite_of_its_own_in_junit() -> None:
    report = await checked(meter_with("meter_p", scale=-0.1), running(metered_spec()))

    (suite,) = ET.fromstring(junit([report])).findall("testsuite")
    assert str(suite.get("name")).startswith("lib meter local 127.0.0.1:5030")
    case = next(each for each in suite if each.get("name") == "meter_p")
    assert case.get("classname") == "smoke.local.lib.meter"
    assert case.find("failure") is not None


async def test_a_running_engine_lends_the_meter() -> None:
    async with faulty_engine(spec=metered_spec(), p_kw=300.0) as bench:
        checkups = Checkups(bench.rig.engine, [metered_spec()], bench.rig.clock, within_s=1)
        report = await checkups.smoke(LIB, device="meter", write_zero=False, trace=False)
        values = {each.point: each.value for each in await checkups.registers(LIB, [])}
        await bench.rig.wait(6)

        assert [each.severity for each in of(report, "meter_p")] == [Severity.OK]
        assert values["meter_p"] == pytest.approx(values["p_poi"], abs=1)
        measured = bench.rig.state().measurement
        assert measured is not None
        assert measured.extra["meter_p"] == measured.p_poi_kw
        assert bench.rig.state().link.status == "ok"


async def test_a_silent_meter_of_a_running_engine_fails_and_the_plant_goes_on() -> None:
    async with faulty_engine(spec=metered_spec(), p_kw=300.0) as bench:
        await bench.show("silent_accept", device="meter")
        await bench.rig.wait(20)
        checkups = Checkups(bench.rig.engine, [metered_spec()], bench.rig.clock, within_s=1)
        report = await checkups.smoke(LIB, device="meter", write_zero=False, trace=False)

        assert report.severity is Severity.FAILED
        assert {each.subject for each in report.findings} == {"link"}
        assert bench.rig.state().faults == ("silent_accept device=meter",)
        assert bench.rig.state().link.status == "ok"
        assert "link_lost" in bench.rig.alarms()
        await bench.clear("silent_accept")
        await bench.rig.wait(10)
        assert "link_lost" not in bench.rig.alarms()
        assert bench.rig.state().faults == ()


async def test_a_device_that_the_engine_does_not_have_is_a_link_problem() -> None:
    async with faulty_engine(spec=metered_spec(), p_kw=None) as bench:
        await bench.rig.wait(3)
        got = await bench.rig.engine.lend(LIB, "clamp").exchange([], within_s=1)

        assert got.problem is not None
        assert "no device clamp" in got.problem.text
