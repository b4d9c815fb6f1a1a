"""The heartbeat that a plant is told, and what it says of itself: alarm word and local mode."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.modbus_pdu import ReadRequest, Refusal, Request, Response, WriteRequest
from hil.domain.phase import Phase
from hil.domain.plant import PlantSpec
from hil.domain.registers import Access, Format, Point, RegisterMap
from hil.domain.snapshot import WriteStatus
from rig import LIB, SETTINGS, Rig, running
from specimen import REGISTERS, FakeRegisters, spec

HEARTBEAT, ALLOWED, ALARMS = 10, 20, 30


def talking(*, period_s: float = 1.0, form: Format = Format.UINT16) -> PlantSpec:
    """The specimen with a heartbeat, a local mode and an alarm word."""
    heartbeat = Point(
        name="heartbeat",
        address=HEARTBEAT,
        format=form,
        access=Access.W,
        unit="raw",
        period_s=period_s,
    )
    allowed = replace(heartbeat, name="control_allowed", address=ALLOWED, access=Access.R)
    word = replace(allowed, name="alarm_word", address=ALARMS, format=Format.UINT16)
    points = {**REGISTERS.points, **{p.name: p for p in (heartbeat, allowed, word)}}
    plant = spec("lib", registers=RegisterMap(points=points, v_nominal_kv=20.0))
    return replace(plant, alarm_bits={0: "Inverter fault", 3: "Fan failure", 15: "Door open"})


class Talking(FakeRegisters):
    """Has the registers of `talking`; notes when its heartbeat came, and refuses it if told so."""

    def __init__(self) -> None:
        super().__init__()
        self.values |= {ALLOWED: 1, ALARMS: 0, HEARTBEAT: 0}
        self.beats: list[tuple[datetime, int]] = []
        self.rig: Rig | None = None
        self.mute_beats = False

    def handle(self, request: Request) -> Response | None:
        if isinstance(request, WriteRequest) and request.address == HEARTBEAT:
            assert self.rig is not None
            self.beats.append((self.rig.clock.now(), request.values[0]))
            if self.mute_beats:
                return None
        return super().handle(request)


async def start(rig: Rig, plant: Talking) -> None:
    plant.rig = rig
    await rig.plan(100.0)
    command = await rig.carry_out(CommandKind.START)
    assert command.status is CommandStatus.DONE, command


def texts(rig: Rig, kind: str) -> list[str]:
    return [
        alarm.text
        for alarm in rig.engine.snapshot().alarms
        if alarm.kind == kind and alarm.cleared_at is None
    ]


async def test_the_heartbeat_counts_at_its_own_period_from_the_start_until_the_stop() -> None:
    plant = Talking()
    async with running(registers={LIB: plant}, plant_spec=talking(period_s=0.7)) as rig:
        plant.rig = rig
        await rig.wait(5)
        assert plant.beats == []

        await start(rig, plant)
        await rig.wait(21)
        times = [at for at, _ in plant.beats]
        assert [count for _, count in plant.beats] == list(range(1, len(times) + 1))
        apart = {b - a for a, b in pairwise(times)}
        assert max(apart) < timedelta(seconds=0.71)
        assert min(apart) > timedelta(seconds=0.69)
        assert rig.state().setpoint.write.counts["heartbeat"] == len(times)
        assert "no_watchdog" not in rig.alarms()

        await rig.carry_out(CommandKind.PAUSE)
        await rig.wait(3)
        assert len(plant.beats) > len(times)
        await rig.carry_out(CommandKind.STOP)
        count = len(plant.beats)
        await rig.wait(10)
        assert len(plant.beats) == count


@pytest.mark.parametrize(("form", "top"), [(Format.UINT16, 65_535), (Format.INT16, 32_767)])
async def test_the_heartbeat_wraps_at_what_its_register_holds(form: Format, top: int) -> None:
    plant = Talking()
    fast = replace(SETTINGS, dispatch_period_s=600, measurement_period_s=600)
    async with running(
        registers={LIB: plant}, plant_spec=talking(period_s=1, form=form), settings=fast
    ) as rig:
        await start(rig, plant)
        await rig.wait(top + 5)

        counts = [count for _, count in plant.beats]
        assert max(counts) == top
        assert counts[top - 1 : top + 2] == [top, 0, 1]


async def test_a_heartbeat_that_is_not_answered_delays_no_dispatch() -> None:
    plant = Talking()
    async with running(registers={LIB: plant}, plant_spec=talking(period_s=0.9)) as rig:
        await start(rig, plant)
        plant.mute_beats = True
        await rig.wait(5)
        await rig.plan(200.0)
        changed_at = rig.clock.now()
        while plant.p_kw() != 200.0:
            await rig.wait(0.01)

        assert rig.clock.now() - changed_at <= timedelta(seconds=2.02)
        state = rig.state()
        assert state.phase is Phase.RUNNING
        await rig.wait(3)
        assert rig.state().setpoint.write.status is WriteStatus.CONFIRMED


async def test_an_emergency_stop_does_not_wait_for_a_heartbeat_in_flight() -> None:
    plant = Talking()
    async with running(registers={LIB: plant}, plant_spec=talking(period_s=0.7)) as rig:
        await start(rig, plant)
        plant.mute_beats = True
        count = len(plant.beats)
        while len(plant.beats) == count:
            await rig.wait(0.01)
        asked_at = rig.clock.now()
        command = await rig.carry_out(CommandKind.FLEET_ESTOP, None)

        assert command.status is CommandStatus.DONE
        assert (plant.p_kw(), plant.values[1]) == (0.0, 0)
        assert rig.clock.now() - asked_at < timedelta(seconds=0.1)


async def test_a_refused_heartbeat_is_named_and_does_not_touch_the_setpoint() -> None:
    class Refusing(Talking):
        """Has no such register."""

        def handle(self, request: Request) -> Response | None:
            answer = super().handle(request)
            is_beat = isinstance(request, WriteRequest) and request.address == HEARTBEAT
            return Refusal(2) if is_beat else answer

    plant = Refusing()
    async with running(registers={LIB: plant}, plant_spec=talking()) as rig:
        await start(rig, plant)
        await rig.wait(5.5)

        assert "writing holding 10 was refused" in str(rig.state().link.last_error)
        assert rig.state().setpoint.write.status is WriteStatus.CONFIRMED
        assert "heartbeat" not in rig.state().setpoint.write.counts


async def test_a_plant_that_is_lost_sight_of_is_not_told_that_we_live() -> None:
    plant = Talking()
    async with running(registers={LIB: plant}, plant_spec=talking()) as rig:
        await start(rig, plant)
        await rig.wait(3)
        plant.silent = True
        stop = await rig.carry_out(CommandKind.STOP)
        assert stop.status is CommandStatus.FAILED
        count = len(plant.beats)
        await rig.wait(20)

        assert len(plant.beats) == count


async def test_bits_of_the_alarm_word_are_one_alarm_that_names_them() -> None:
    plant = Talking()
    async with running(registers={LIB: plant}, plant_spec=talking()) as rig:
        await rig.wait(3)
        assert "device_alarm" not in rig.alarms()

        plant.values[ALARMS] = 0b1000
        await rig.wait(2)
        assert texts(rig, "device_alarm") == ["The plant reports alarms of its own: Fan failure"]
        plant.values[ALARMS] = 0x8009
        await rig.wait(2)
        assert texts(rig, "device_alarm") == [
            "The plant reports alarms of its own: Inverter fault, Fan failure, Door open"
        ]
        plant.values[ALARMS] = 0b0010  # a bit without a name
        await rig.wait(2)
        assert "device_alarm" not in rig.alarms()


async def test_words_that_cannot_be_read_leave_what_they_said_last() -> None:
    class Hiding(Talking):
        """Refuses to tell its words while it hides them."""

        is_hiding = False

        def handle(self, request: Request) -> Response | None:
            hidden = isinstance(request, ReadRequest) and request.address in {ALLOWED, ALARMS}
            return Refusal(4) if self.is_hiding and hidden else super().handle(request)

    plant = Hiding()
    async with running(registers={LIB: plant}, plant_spec=talking()) as rig:
        plant.values |= {ALARMS: 1, ALLOWED: 0}
        await rig.wait(3)
        assert {"device_alarm", "local_mode"} <= rig.alarms()
        plant.is_hiding = True
        await rig.wait(5)
        assert {"device_alarm", "local_mode"} <= rig.alarms()

        plant.is_hiding = False
        plant.values |= {ALARMS: 0, ALLOWED: 1}
        await rig.wait(3)
        assert not {"device_alarm", "local_mode"} & rig.alarms()


async def test_an_alarm_that_was_seen_is_raised_anew_when_the_bits_change() -> None:
    plant = Talking()
    async with running(registers={LIB: plant}, plant_spec=talking()) as rig:
        plant.values[ALARMS] = 1
        await rig.wait(3)
        (first,) = (a for a in rig.engine.snapshot().alarms if a.kind == "device_alarm")
        await rig.engine.acknowledge(first.id, by="test", note=None)
        plant.values[ALARMS] = 8
        await rig.wait(3)

        (second,) = (a for a in rig.engine.snapshot().alarms if a.kind == "device_alarm")
        assert (second.acked_at, second.cleared_at) == (None, None)
        assert "Fan failure" in second.text


async def test_a_plant_in_local_mode_is_an_alarm_and_is_not_started() -> None:
    plant = Talking()
    async with running(registers={LIB: plant}, plant_spec=talking()) as rig:
        plant.rig = rig
        plant.values[ALLOWED] = 0
        await rig.wait(3)
        assert "local_mode" in rig.alarms()
        command = await rig.carry_out(CommandKind.START)
        assert command.status is CommandStatus.REJECTED
        assert "LIB is in local mode" in str(command.error)
        assert plant.writes == []

        plant.values[ALLOWED] = 1
        await rig.wait(3)
        assert "local_mode" not in rig.alarms()
        await start(rig, plant)
