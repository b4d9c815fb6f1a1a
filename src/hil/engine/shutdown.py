"""The safe stop of everything at the end of a run."""

from collections.abc import Mapping

from hil.domain.commands import Command, CommandKind
from hil.domain.plant import PlantId
from hil.engine.audit import Audit
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.commander import Commander
from hil.engine.plant_loop import PlantLoop
from hil.ports import Clock

# Rounds of stops: a second one for what came in during the first.
ROUNDS = 2


async def stop_all(
    loops: Mapping[PlantId, PlantLoop], commander: Commander, audit: Audit, clock: Clock
) -> dict[PlantId, str]:
    """Safe-stop every plant that may be under control; nothing is started any more.

    Returns why, for each plant that could not be brought to a stop.
    """
    commander.closing = "the engine is shutting down"
    ended: dict[PlantId, Command] = {}
    for _ in range(ROUNDS):
        stops = {
            plant: commander.submit(CommandKind.STOP, plant, by="shutdown")
            for plant, loop in loops.items()
            if not loop.is_quiet and not loop.is_foreign
        }
        ended |= {plant: await _ended(stop.id, audit, clock) for plant, stop in stops.items()}
    failures = {plant: stop.error for plant, stop in ended.items() if stop.error is not None}
    foreign = {
        plant: "it was found enabled by somebody else, and was left alone"
        for plant, loop in loops.items()
        if loop.is_foreign
    }
    return failures | foreign


async def _ended(command_id: str, audit: Audit, clock: Clock) -> Command:
    bell = Bell(clock)
    while not (command := audit.command(command_id)).status.is_final:
        await bell.wait_until(clock.monotonic_ns() + NS_PER_S // 20)
    return command
