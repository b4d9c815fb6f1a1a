"""Any order of commands and faults: each command ends once, and nothing moves behind a closed gate.

The machine runs a real engine on virtual time between its rules.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hil.domain.commands import CommandKind
from hil.domain.errors import Impossible, QueueFull
from hil.domain.phase import Phase
from hil.domain.plant import PlantId
from hil.virtual.loop import VirtualLoop
from rig import LIB, Rig, running

VRFB = PlantId("vrfb")
PLANTS = st.sampled_from([LIB, VRFB])
PLANT_KINDS = st.sampled_from(
    [
        CommandKind.START,
        CommandKind.STOP,
        CommandKind.DISPATCH,
        CommandKind.PAUSE,
        CommandKind.RECORD,
        CommandKind.STOP_RECORDING,
    ]
)
SITE_KINDS = st.sampled_from(
    [
        CommandKind.FLEET_START,
        CommandKind.FLEET_STOP,
        CommandKind.FLEET_ESTOP,
        CommandKind.FLEET_ESTOP_RESET,
    ]
)
P_SETPOINT, ENABLE = 86, 1


class Commands(RuleBasedStateMachine):
    """Two plants with schedules at power, commanded and disturbed."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.bench: AbstractAsyncContextManager[Rig] = running("lib", "vrfb")
        self.rig = self.run(self.bench.__aenter__())
        self.submitted: list[str] = []
        self.stopped_last = dict.fromkeys((LIB, VRFB), True)
        self.checked = dict.fromkeys((LIB, VRFB), 0)
        for plant in (LIB, VRFB):
            self.run(self.rig.plan(100.0, plant))
            self.watch(plant)

    def run(self, coro: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coro)

    def watch(self, plant: PlantId) -> None:
        """A non-zero setpoint may arrive only while the plant's gate is open."""
        registers, handle = self.rig.plants[plant], self.rig.plants[plant].handle

        def checked(request: Any) -> Any:
            before = len(registers.writes)
            answer = handle(request)
            for address, value in registers.writes[before:]:
                if address == P_SETPOINT and value != 0:
                    assert self.rig.state(plant).dispatching, "written behind a closed gate"
            return answer

        contact = self.rig.engine._fleet.loops[plant]._contact
        contact._points._main._link._handle = checked

    def submit(self, kind: CommandKind, plant: PlantId | None) -> None:
        async def ask() -> None:
            try:
                self.submitted.append(self.rig.engine.submit(kind, plant, by="machine").id)
            except (Impossible, QueueFull):
                assert kind not in {
                    CommandKind.STOP,
                    CommandKind.FLEET_STOP,
                    CommandKind.FLEET_ESTOP,
                }

        self.run(ask())
        stops = {CommandKind.STOP, CommandKind.FLEET_STOP, CommandKind.FLEET_ESTOP}
        for each in (LIB, VRFB) if plant is None else (plant,):
            if kind in stops:
                self.stopped_last[each] = True
            elif kind in {CommandKind.START, CommandKind.FLEET_START}:
                self.stopped_last[each] = False

    @rule(kind=PLANT_KINDS, plant=PLANTS)
    def command_a_plant(self, kind: CommandKind, plant: PlantId) -> None:
        self.submit(kind, plant)

    @rule(kind=SITE_KINDS)
    def command_the_site(self, kind: CommandKind) -> None:
        self.submit(kind, None)

    @rule(plant=PLANTS, silent=st.booleans())
    def answer_or_not(self, plant: PlantId, silent: bool) -> None:
        self.rig.plants[plant].silent = silent

    @rule(plant=PLANTS, stuck=st.booleans())
    def enable_or_not(self, plant: PlantId, stuck: bool) -> None:
        self.rig.plants[plant].stuck_enable = stuck

    @rule(plant=PLANTS, code=st.sampled_from([None, 3, 6]))
    def refuse_or_not(self, plant: PlantId, code: int | None) -> None:
        self.rig.plants[plant].refuse_writes = code

    @rule(plant=PLANTS)
    def have_a_defect(self, plant: PlantId) -> None:
        self.rig.plants[plant].has_defect = True

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 2.5, 11.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @invariant()
    def final_is_final(self) -> None:
        snapshot = self.rig.engine.snapshot()
        waiting = {c.id for c in (*snapshot.commands.queued, *snapshot.commands.running)}
        for command_id in self.submitted:
            command = self.rig.engine.command(command_id)
            assert command.status.is_final == (command_id not in waiting)

    def teardown(self) -> None:
        try:
            for registers in self.rig.plants.values():
                registers.silent = registers.stuck_enable = registers.has_defect = False
                registers.refuse_writes = None
            self.run(asyncio.sleep(90))
            statuses = [self.rig.engine.command(each).status for each in self.submitted]
            assert all(status.is_final for status in statuses)
            for plant, stopped in self.stopped_last.items():
                if stopped:
                    assert self.rig.plants[plant].p_kw() == 0, "a stop was lost"
                    assert self.rig.plants[plant].values[ENABLE] == 0
                    assert self.rig.state(plant).phase is Phase.STOPPED
        finally:
            self.run(self.bench.__aexit__(None, None, None))
            self.runner.close()


Commands.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestCommands = Commands.TestCase
