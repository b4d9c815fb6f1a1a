"""What a device teaches the link, and points that are read from a meter of its own."""

from dataclasses import replace
from datetime import timedelta

from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    Refusal,
    Request,
    Response,
    WriteRequest,
)
from hil.domain.plant import Device, PlantSpec, Quirks, Transport
from hil.domain.registers import RegisterMap
from hil.domain.snapshot import LinkStatus
from rig import LIB, Rig, running
from specimen import REGISTERS, FakeRegisters, spec

METER = "meter.bench"


class Picky(FakeRegisters):
    """Refuses what it does not know; `asked` is the log of all requests."""

    def __init__(self, *, multiple: bool | None = None, longest: int = 125) -> None:
        super().__init__()
        self.multiple = multiple
        self.longest = longest
        self.asked: list[Request] = []

    def handle(self, request: Request) -> Response | None:
        self.asked.append(request)
        if isinstance(request, WriteRequest) and self.multiple not in {None, request.multiple}:
            return Refusal(1)
        if isinstance(request, ReadRequest) and request.count > self.longest:
            return Refusal(3)
        return super().handle(request)


class Meter(FakeRegisters):
    """A grid analyser with the active power in W x 10 at 0 and the voltage at 3."""

    def __init__(self) -> None:
        super().__init__()
        self.values = {0: 777, 3: 20_500}
        self.reads = 0

    def handle(self, request: Request) -> Response | None:
        self.reads += 1
        if self.silent:
            return None
        assert isinstance(request, ReadRequest)
        return ReadReply(
            tuple(self.values[request.address + offset] for offset in range(request.count))
        )


def with_quirks(**quirks: object) -> PlantSpec:
    plant = spec("lib")
    endpoint = plant.endpoints[Transport.LOCAL]
    main = replace(endpoint.main, quirks=Quirks(**quirks))  # type: ignore[arg-type]  # any quirk
    return replace(plant, endpoints={Transport.LOCAL: replace(endpoint, main=main)})


def neighbours() -> PlantSpec:
    """The specimen with its setpoints side by side."""
    points = dict(REGISTERS.points)
    points["q_setpoint"] = replace(points["q_setpoint"], address=87)
    return spec("lib", registers=RegisterMap(points=points, v_nominal_kv=20.0))


def with_meter() -> PlantSpec:
    """The specimen with a meter for power and voltage at the POI, and for one signal more."""
    points = dict(REGISTERS.points)
    points["p_poi"] = replace(points["p_poi"], address=0, device="meter")
    points["v_poi"] = replace(points["v_poi"], address=3, device="meter")
    points["meter_v"] = replace(points["v_poi"], name="meter_v", invalid=(0xFFFF,))
    plant = spec("lib", registers=RegisterMap(points=points, v_nominal_kv=20.0))
    endpoint = plant.endpoints[Transport.LOCAL]
    devices = {"meter": Device(host=METER, port=502)}
    return replace(plant, endpoints={Transport.LOCAL: replace(endpoint, devices=devices)})


def writes_of(plant: Picky) -> list[tuple[int, bool]]:
    return [
        (request.address, request.multiple)
        for request in plant.asked
        if isinstance(request, WriteRequest)
    ]


async def start(rig: Rig, p_kw: float = 100.0) -> None:
    await rig.plan(p_kw)
    command = await rig.carry_out(CommandKind.START)
    assert command.status is CommandStatus.DONE, command


async def test_a_device_without_fc6_is_written_by_fc16_in_the_same_exchange_and_from_then_on() -> (
    None
):
    plant = Picky(multiple=True)
    async with running(registers={LIB: plant}) as rig:
        await rig.wait(1)
        await start(rig)
        assert writes_of(plant)[:4] == [(86, False), (88, False), (86, True), (88, True)]
        await rig.wait(60)

        assert [way for _, way in writes_of(plant)].count(False) == 2
        assert rig.state().link.learned == ("FC6 refused: FC16 is used",)
        assert (plant.p_kw(), rig.state().link.last_error) == (100.0, None)


async def test_a_device_without_fc16_gets_neighbouring_setpoints_one_by_one() -> None:
    class OnlySingle(Picky):
        """Q stands beside P."""

        def __init__(self) -> None:
            super().__init__(multiple=False)
            self.values[87] = 0

    plant = OnlySingle()
    async with running(registers={LIB: plant}, plant_spec=neighbours()) as rig:
        await rig.wait(1)
        await start(rig)
        await rig.wait(60)

        assert writes_of(plant)[:3] == [(86, True), (86, False), (87, False)]
        assert [way for _, way in writes_of(plant)].count(True) == 1
        assert rig.state().link.learned == ("FC16 refused: FC6 is used",)
        assert plant.p_kw() == 100.0


async def test_a_device_that_refuses_both_functions_is_asked_twice_and_teaches_nothing() -> None:
    plant = Picky()
    plant.refuse_writes = 1
    async with running(registers={LIB: plant}) as rig:
        await rig.wait(1)
        command = await rig.carry_out(CommandKind.START)

        assert command.status is CommandStatus.FAILED
        assert "illegal function" in str(command.error)
        assert rig.state().link.learned == ()
        assert rig.state().link.status is LinkStatus.OK
        ways = [way for _, way in writes_of(plant)]
        assert ways.count(True) == ways.count(False)


async def test_a_write_function_that_was_chosen_is_kept() -> None:
    plant = Picky(multiple=True)
    async with running(
        registers={LIB: plant}, plant_spec=with_quirks(write_function="single")
    ) as rig:
        await rig.carry_out(CommandKind.START)
        assert {way for _, way in writes_of(plant)} == {False}


async def test_a_device_that_refuses_gaps_is_read_without_filling_after_one_refusal() -> None:
    plant = Picky()
    async with running(registers={LIB: plant}, plant_spec=with_quirks(max_fill=10)) as rig:
        await rig.wait(1)
        measured = rig.state().measurement
        assert measured is not None
        assert None not in (measured.p_poi_kw, measured.soc_pu, measured.v_poi_kV)
        plant.asked.clear()
        await rig.wait(20)

        assert rig.state().link.learned == (
            "gaps refused: holding 85 to 88 is read without filling",
        )
        assert all(isinstance(r, ReadRequest) and r.count <= 2 for r in plant.asked)
        assert len(plant.asked) == 10 * 9
        assert rig.state().link.last_error is None


async def test_a_refused_long_read_names_the_quirk_that_helps() -> None:
    plant = Picky(longest=1)
    async with running(registers={LIB: plant}) as rig:
        await rig.wait(1)
        assert "set quirks.max_registers" in str(rig.state().link.last_error)
        assert rig.state().link.status is LinkStatus.OK

    plant = Picky(longest=1)
    async with running(registers={LIB: plant}, plant_spec=with_quirks(max_registers=1)) as rig:
        await rig.wait(1)
        assert rig.state().link.last_error is None


async def test_points_of_a_meter_are_read_in_the_same_step() -> None:
    meter = Meter()
    async with running(plant_spec=with_meter(), meters={METER: meter}) as rig:
        await start(rig)
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(5)

        measured = rig.state().measurement
        assert measured is not None
        assert (measured.p_poi_kw, measured.v_poi_kV) == (77.7, 20.5)
        assert measured.battery_active_power_kw == 100.0
        assert measured.extra == {"meter_v": 20.5}
        values = rig.sink.rows[LIB][-1].values
        assert values is not None
        assert (values[5], values[8]) == (77.7, 20.5)


async def test_an_extra_signal_that_is_not_known_is_null_in_state_and_recording() -> None:
    meter = Meter()
    meter.values[3] = 0xFFFF
    async with running(plant_spec=with_meter(), meters={METER: meter}) as rig:
        await rig.carry_out(CommandKind.RECORD)
        await rig.wait(9)

        measured = rig.state().measurement
        assert measured is not None
        assert measured.extra == {"meter_v": None}
        rows = [row.values for row in rig.sink.rows[LIB] if row.values is not None]
        assert rows
        assert {values[8] for values in rows} == {None}


async def test_a_dead_meter_is_null_and_said_and_the_plant_is_written_as_before() -> None:
    meter = Meter()
    async with running(plant_spec=with_meter(), meters={METER: meter}) as rig:
        await start(rig)
        await rig.wait(3)
        meter.silent = True
        await rig.wait(20)

        measured = rig.state().measurement
        assert measured is not None
        assert (measured.p_poi_kw, measured.v_poi_kV) == (None, None)
        assert measured.battery_active_power_kw == 100.0
        assert (rig.state().link.status, rig.state().link.last_error) == (LinkStatus.OK, None)
        (alarm,) = (a for a in rig.engine.snapshot().alarms if a.kind == "link_lost")
        assert "its device meter (the emulated plant did not answer" in alarm.text
        assert "its own link is fine" in alarm.text

        asked_at = rig.clock.now()
        stop = await rig.carry_out(CommandKind.STOP)
        assert stop.status is CommandStatus.DONE
        assert rig.clock.now() - asked_at < timedelta(seconds=1)
        meter.silent = False
        await rig.wait(6)
        measured = rig.state().measurement
        assert measured is not None
        assert measured.v_poi_kV == 20.5
        assert "link_lost" not in rig.alarms()


async def test_a_dead_plant_is_said_although_its_meter_answers() -> None:
    meter = Meter()
    async with running(plant_spec=with_meter(), meters={METER: meter}) as rig:
        await rig.wait(3)
        rig.plants[LIB].silent = True
        await rig.wait(10)

        assert rig.state().link.status is LinkStatus.TIMEOUT
        (alarm,) = (a for a in rig.engine.snapshot().alarms if a.kind == "link_lost")
        assert "device" not in alarm.text
        measured = rig.state().measurement
        assert measured is not None
        assert (measured.soc_pu, measured.v_poi_kV) == (None, 20.5)
