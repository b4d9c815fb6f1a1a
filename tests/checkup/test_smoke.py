"""The smoke check against emulated plants, with good and with bad maps."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from emulated_bench import LIB_POINTS, VRFB_POINTS, Bench, bench, spec_of
from hil.adapters.modbus_client import TcpLink
from hil.adapters.modbus_server import ModbusServer
from hil.adapters.system_clock import SystemClock
from hil.checkup.junit import junit
from hil.checkup.smoke import smoke
from hil.domain.errors import InvalidInput
from hil.domain.finding import Finding, Severity
from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    Refusal,
    Request,
    Response,
    WriteRequest,
)
from hil.domain.plant import Endpoint, PlantSpec, Quirks, Transport
from hil.domain.registers import Format, Point, WordOrder, WriteFunction
from hil.domain.smoke_report import SmokeReport
from hil.emulation.kind import model_of
from hil.emulation.plant import EmulatedPlant
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_link import MemoryLink
from specimen import FakeRegisters

Handle = Callable[[Request], Response | None]


def changed(points: list[Point], name: str, **changes: Any) -> list[Point]:
    return [replace(each, **changes) if each.name == name else each for each in points]


def running_plant(points: list[Point], p_kw: float = 500.0) -> Bench:
    """An emulated plant that carries power."""
    made = bench(points)
    made.start()
    if "start_command" in made.registers.points:
        made.write(start_command=2)
    made.write(p_setpoint=p_kw)
    made.clock.wait(5)
    return made


def with_quirks(spec: PlantSpec, **quirks: Any) -> PlantSpec:
    local = spec.endpoints[Transport.LOCAL]
    main = replace(local.main, quirks=Quirks(**quirks))
    return replace(spec, endpoints={Transport.LOCAL: replace(local, main=main)})


async def over_sockets(spec: PlantSpec, handle: Handle, **options: Any) -> SmokeReport:
    """The check over a real connection."""
    server = ModbusServer(handle, unit_id=1)
    port = await server.start("127.0.0.1", 0)
    local: Endpoint = spec.endpoints[Transport.LOCAL]
    device = replace(local.main, port=port)
    spec = replace(spec, endpoints={Transport.LOCAL: replace(local, main=device)})
    link = TcpLink(device, timeout_s=5)
    try:
        return await smoke(spec, Transport.LOCAL, link, SystemClock(), within_s=10, **options)
    finally:
        await link.close()
        await server.close()


async def in_memory(spec: PlantSpec, handle: Handle, **options: Any) -> SmokeReport:
    """The check on virtual time."""
    link = MemoryLink(handle, timeout_s=1)
    return await smoke(spec, Transport.LOCAL, link, virtual_clock(), within_s=2, **options)


def virtual_clock() -> VirtualClock:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return VirtualClock(loop, datetime(2026, 6, 1, tzinfo=UTC))


def findings_of(report: SmokeReport, subject: str) -> list[Finding]:
    return [each for each in report.findings if each.subject == subject]


def cures(report: SmokeReport) -> str:
    return "\n".join(str(each.cure) for each in report.findings)


@pytest.mark.real_time
@pytest.mark.parametrize("points", [LIB_POINTS, VRFB_POINTS])
async def test_a_good_map_has_every_point_and_no_finding(points: list[Point]) -> None:
    made = running_plant(points)

    report = await over_sockets(made.spec, made.plant.handle)

    assert report.severity is Severity.OK, report.findings
    assert report.findings == ()
    assert [each.point for each in report.readings] == list(made.registers.points)
    values = {each.point: each.value for each in report.readings}
    assert values["p_setpoint"] == 500
    assert values["p_battery"] == pytest.approx(500, abs=50)
    assert report.reads == 50
    assert report.round_trip_ms.p50 is not None
    assert report.round_trip_ms.max is not None


@pytest.mark.real_time
async def test_swapped_words_are_named() -> None:
    wide = changed(LIB_POINTS, "p_battery", format=Format.INT32)
    made = running_plant(wide)
    wrong = spec_of(changed(wide, "p_battery", word_order=WordOrder.LSW_FIRST))

    report = await over_sockets(wrong, made.plant.handle)

    (found,) = findings_of(report, "p_battery")
    assert report.severity is Severity.FAILED
    assert str(found.cure).startswith("swap words? word_order msw_first reads")


@pytest.mark.real_time
async def test_a_wrong_scale_is_named() -> None:
    made = running_plant(LIB_POINTS)
    wrong = spec_of(changed(LIB_POINTS, "p_poi", scale=1.0))

    report = await over_sockets(wrong, made.plant.handle)

    (found,) = findings_of(report, "p_poi")
    assert str(found.cure).startswith("scale 1 too large? 0.1 reads")


@pytest.mark.real_time
async def test_a_wrong_address_is_named_and_the_rest_read() -> None:
    made = running_plant(LIB_POINTS)
    wrong = spec_of(changed(LIB_POINTS, "soc", address=285))

    report = await over_sockets(wrong, made.plant.handle)

    (found,) = findings_of(report, "soc")
    assert found.severity is Severity.FAILED
    assert "illegal data address" in found.text
    assert sum(each.words is not None for each in report.readings) == len(LIB_POINTS) - 1


@pytest.mark.real_time
async def test_the_trace_has_both_directions_and_their_meaning() -> None:
    made = running_plant(LIB_POINTS)

    report = await over_sockets(made.spec, made.plant.handle, trace=True)

    asked = next(at for at, line in enumerate(report.trace) if line.endswith("from 281"))
    assert re.fullmatch(
        r"-> (00 ..) 00 00 00 06 01 03 01 19 00 01  "
        r"transaction \d+ unit 1 FC3 read of 1 holding register from 281",
        report.trace[asked],
    )
    ids = report.trace[asked][3:8]
    assert report.trace[asked + 1].startswith(f"<- {ids} 00 00 00 05 01 03 02 13 ")
    assert " unit 1 FC3 soc=0.4" in report.trace[asked + 1]


@pytest.mark.real_time
async def test_zero_is_written_only_when_asked_and_read_back() -> None:
    made = running_plant(LIB_POINTS)

    await over_sockets(made.spec, made.plant.handle)
    before = made.read("p_setpoint")
    report = await over_sockets(made.spec, made.plant.handle, write_zero=True)

    assert before == 500
    assert made.read("p_setpoint") == 0
    assert [each.text for each in findings_of(report, "p_setpoint")] == [
        "zero was written and read back"
    ]
    (enabled,) = findings_of(report, "enable")
    assert enabled.severity is Severity.WARNING


@pytest.mark.parametrize(("inverted", "severity"), [(False, Severity.OK), (True, Severity.FAILED)])
async def test_sign_of_battery_power_is_judged_over_time(
    inverted: bool, severity: Severity
) -> None:
    scale = -0.1 if inverted else 0.1
    wrong = spec_of(changed(LIB_POINTS, "p_battery", scale=scale))
    made = spec_of(LIB_POINTS)
    plant = EmulatedPlant(
        made,
        model=model_of("lithium_ion", made),
        clock=virtual_clock(),
        step_s=1,
        initial_soc_pu=0.5,
    )
    for address, value in ((1, 1), (86, 5000)):
        plant.handle(WriteRequest(LIB_POINTS[0].table, address, (value,), multiple=False))

    report = await in_memory(wrong, plant.handle, over_s=600)

    assert report.severity is severity, report.findings
    if inverted:
        assert "contradicts the SoC slope" in report.findings[-1].text
        assert report.findings[-1].subject == "p_battery"
    else:
        assert report.findings[-1].text.startswith("follows battery power")


async def test_the_scale_of_a_state_of_charge_is_judged_while_the_plant_charges() -> None:
    """Raw 46 is 46 %: 7 counts in 33 min at 1.4 kW and 10 kWh are no 0.07 % of the energy."""
    percent = changed(changed(LIB_POINTS, "soc", scale=0.01), "p_setpoint", scale=0.001)
    percent = changed(percent, "p_battery", scale=0.001)
    right, wrong = (
        replace(one, nameplate=replace(one.nameplate, **SMALL))
        for one in (spec_of(percent), spec_of(changed(percent, "soc", scale=0.0001)))
    )
    plant = EmulatedPlant(
        right,
        model=model_of("lithium_ion", right),
        clock=virtual_clock(),
        step_s=1,
        initial_soc_pu=0.46,
    )
    for address, value in ((1, 1), (86, 0x10000 - 1400)):
        plant.handle(WriteRequest(LIB_POINTS[0].table, address, (value,), multiple=False))

    report = await in_memory(wrong, plant.handle, over_s=33 * 60)

    found = findings_of(report, "soc")
    assert report.severity is Severity.FAILED
    assert any(one.cure == "scale? 0.01 would fit instead of 0.0001" for one in found), found
    assert any("46 may be a percentage" in str(one.cure) for one in found), found


SMALL = {"capacity_kwh": 10.0, "p_max_kw": 2.0, "p_min_kw": -2.0, "q_max_kvar": 1, "q_min_kvar": -1}


def refusing(handle: Handle, is_refused: Callable[[Request], int | None]) -> Handle:
    def answer(request: Request) -> Response | None:
        code = is_refused(request)
        return handle(request) if code is None else Refusal(code)

    return answer


async def test_a_device_with_short_reads_names_max_registers() -> None:
    made = running_plant(VRFB_POINTS)
    limited = refusing(
        made.plant.handle, lambda one: 3 if isinstance(one, ReadRequest) and one.count > 1 else None
    )

    report = await in_memory(made.spec, limited)
    cured = await in_memory(with_quirks(made.spec, max_registers=1), limited)

    assert report.severity is Severity.FAILED
    assert "set quirks.max_registers: 1" in cures(report)
    assert cured.severity is Severity.OK


async def test_a_device_that_refuses_gaps_names_max_fill() -> None:
    made = running_plant(LIB_POINTS)

    report = await in_memory(with_quirks(made.spec, max_fill=20), made.plant.handle)

    assert report.severity is Severity.FAILED
    assert "quirks.max_fill: 0" in cures(report)
    assert all(each.words is not None for each in report.readings)


@pytest.mark.parametrize(
    ("points", "configured", "taken", "function"),
    [
        (LIB_POINTS, WriteFunction.AUTO, True, "multiple"),
        (LIB_POINTS, WriteFunction.MULTIPLE, False, "single"),
        (VRFB_POINTS, WriteFunction.AUTO, False, "single"),
    ],
)
async def test_a_refused_write_function_names_the_other(
    points: list[Point], configured: WriteFunction, taken: bool, function: str
) -> None:
    made = bench(points)
    handle = refusing(
        made.plant.handle,
        lambda one: 1 if isinstance(one, WriteRequest) and one.multiple is not taken else None,
    )
    spec = with_quirks(made.spec, write_function=configured)

    report = await in_memory(spec, handle, write_zero=True)

    assert f"set quirks.write_function: {function}" in cures(report)
    assert findings_of(report, "q_setpoint")[-1].severity is Severity.OK


async def test_a_write_without_effect_is_seen() -> None:
    device = FakeRegisters()
    device.values[86] = 777

    def deaf(request: Request) -> Response | None:
        if isinstance(request, WriteRequest):
            return FakeRegisters().handle(request)
        return device.handle(request)

    report = await in_memory(spec_of(LIB_POINTS), deaf, write_zero=True)

    (found,) = findings_of(report, "p_setpoint")
    assert found.text == "reads 77.7 after zero was written"


async def test_a_silent_device_is_asked_twice_and_explained() -> None:
    asked: list[Request] = []

    report = await in_memory(spec_of(LIB_POINTS), asked.append)

    (found,) = report.findings
    assert len(asked) == 2
    assert found.subject == "link"
    assert found.severity is Severity.FAILED
    assert "quirks.pause_after_connect_ms" in str(found.cure)
    assert all(each.words is None for each in report.readings)


async def test_half_a_32_bit_value_is_recognised() -> None:
    device = FakeRegisters()
    device.values |= {270: 0, 271: 5000}

    report = await in_memory(spec_of(LIB_POINTS), device.handle)

    (found,) = findings_of(report, "p_battery")
    assert found.severity is Severity.WARNING
    assert "500 kW as int32 msw_first" in found.text


async def test_a_transport_without_an_endpoint_is_wrong_usage() -> None:
    link = MemoryLink(lambda _: None, timeout_s=1)

    with pytest.raises(InvalidInput, match="no remote endpoint"):
        await smoke(spec_of(LIB_POINTS), Transport.REMOTE, link, virtual_clock(), within_s=1)


async def test_junit_has_a_case_a_point_and_survives_any_text() -> None:
    device = FakeRegisters()
    device.values[281] = 20_000
    del device.values[296]
    good = await in_memory(spec_of(LIB_POINTS), device.handle)
    odd = replace(
        good,
        findings=(
            *good.findings,
            Finding(severity=Severity.WARNING, subject="x<y&", text="\x00 \ud800 ]]>"),
        ),
    )

    root = ET.fromstring(junit([odd, good]))

    suites = root.findall("testsuite")
    names = [case.get("name") for case in suites[0].findall("testcase")]
    assert names == ["link", *(each.point for each in good.readings), "x<y&"]
    assert suites[0].get("failures") == "2"
    assert [case.get("name") for case in suites[1] if case.find("failure") is not None] == [
        "soc",
        "v_poi",
    ]


async def test_a_single_lost_answer_is_a_warning() -> None:
    device = FakeRegisters()
    seen: list[Request] = []

    def once_silent(request: Request) -> Response | None:
        seen.append(request)
        return None if len(seen) == 20 else device.handle(request)

    report = await in_memory(spec_of(LIB_POINTS), once_silent)

    assert report.reads == 49
    assert report.severity is Severity.WARNING
    assert isinstance(device.handle(seen[0]), ReadReply)
