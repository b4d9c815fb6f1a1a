"""A plant that does not answer keeps its own steps, too."""

import pytest

from hil.domain.commands import CommandKind
from rig import LIB, running
from specimen import FakeRegisters


@pytest.mark.parametrize("kind", [CommandKind.START, CommandKind.STOP])
async def test_a_command_that_nobody_answers_makes_no_step_late(kind: CommandKind) -> None:
    plants = {LIB: FakeRegisters()}
    async with running(registers=plants) as rig:
        await rig.wait(3)
        plants[LIB].silent = True
        rig.engine.submit(kind, LIB, by="test")
        for _ in range(60):
            await rig.wait(0.5)
            assert "late_loop" not in rig.alarms(None)
        assert rig.engine.snapshot().engine.missed_steps == 0
