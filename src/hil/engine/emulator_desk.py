"""What the engine asks of the emulated plants: their state of charge at first, and their faults."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from hil.domain.commands import Command, CommandKind, CommandStatus
from hil.domain.errors import HilError, Impossible
from hil.domain.faults import Fault, FaultKind
from hil.domain.plant import PlantId
from hil.engine.audit import Audit
from hil.engine.board import Board
from hil.engine.cadence import NS_PER_S, Bell
from hil.engine.supervisor import Supervisor
from hil.ports import Clock, EmulatorControl

log = logging.getLogger(__name__)

# What comes before a start may take this long; then the plant is started without it.
PREPARE_WITHIN_S = 2.0
# How often the faults are looked at: others may set them, and an emulator may be started anew.
LOOK_NS = 10 * NS_PER_S


class EmulatorDesk:
    """Seeds the emulated plants, switches their faults and shows them; local transport only.

    Args:
        emulator: None: nothing is emulated.
        soc_left: The state of charge that a plant was left with.
    """

    def __init__(
        self,
        emulator: EmulatorControl | None,
        clock: Clock,
        board: Board,
        supervisor: Supervisor,
        audit: Audit,
        *,
        new_id: Callable[[], str],
        plants: Sequence[PlantId],
        soc_left: Callable[[PlantId], Awaitable[float]],
        is_local: Callable[[], bool],
    ) -> None:
        self._emulator = emulator
        self._clock = clock
        self._board = board
        self._supervisor = supervisor
        self._audit = audit
        self._new_id = new_id
        self._plants = plants
        self._soc_left = soc_left
        self._is_local = is_local
        self._seeded: set[PlantId] = set()
        self._bell = Bell(clock)

    def prepare(self, plant: PlantId, go_on: Callable[[], None]) -> None:
        """Give an idle emulated plant the state of charge it was left with, then go on."""
        emulator = self._emulator
        if emulator is None or not self._is_local() or plant in self._seeded:
            return go_on()
        self._seeded.add(plant)  # from now on the emulated plant itself knows best

        async def seed() -> None:
            try:
                async with asyncio.timeout(PREPARE_WITHIN_S):
                    await emulator.set_soc(plant, await self._soc_left(plant))
            except TimeoutError:
                log.warning("plant=%s keeps its state of charge: no answer", plant)
            except (HilError, OSError) as error:
                log.warning("plant=%s keeps its state of charge: %s", plant, error)
            go_on()

        self._supervisor.start(f"prepare {plant}", seed)
        return None

    async def set_faults(
        self, plant: PlantId, faults: Sequence[Fault], *, by: str
    ) -> tuple[Fault, ...]:
        """Let a plant show these too; all that it shows now. Raises `HilError`."""
        emulator = self._reached(plant)
        asked = [fault.document() for fault in faults]
        with self._audited(plant, {"on": True, "faults": asked}, by=by):
            for fault in faults:
                await emulator.set_fault(plant, fault)
        return await self._looked(emulator, plant)

    async def clear_faults(
        self, plant: PlantId, kinds: Sequence[FaultKind], *, by: str
    ) -> tuple[Fault, ...]:
        """End these faults of a plant; all that it shows now. Raises `HilError`."""
        emulator = self._reached(plant)
        asked = [{"kind": kind.value} for kind in kinds]
        with self._audited(plant, {"on": False, "faults": asked}, by=by):
            for kind in kinds:
                await emulator.clear_fault(plant, kind)
        return await self._looked(emulator, plant)

    def _audited(
        self, plant: PlantId, asked: dict[str, Any], *, by: str
    ) -> AbstractContextManager[None]:
        """Enter what is done meanwhile into the audit trail."""
        command = Command(
            id=self._new_id(),
            kind=CommandKind.FAULT,
            plant=plant,
            asked=asked,
            status=CommandStatus.QUEUED,
            by=by,
            queued_at=self._clock.now(),
        )
        cut_off = "cut off before the emulated plant had answered; what it shows is not known"
        return self._audit.doing(command, cut_off=cut_off)

    def look_now(self) -> None:
        """What is shown may be another plant's: look again at once."""
        self._bell.ring()

    async def run(self) -> None:
        """Show the faults, for ever; while nobody can be asked none is shown."""
        if self._emulator is None:
            return
        while True:
            ends_ns = [LOOK_NS]
            for plant in self._plants:
                ends_ns += [
                    round(fault.for_s * NS_PER_S) + 1
                    for fault in await self._seen(self._emulator, plant)
                    if fault.for_s is not None
                ]
            await self._bell.wait_until(self._clock.monotonic_ns() + min(ends_ns))

    async def _seen(self, emulator: EmulatorControl, plant: PlantId) -> tuple[Fault, ...]:
        if self._is_local():
            try:
                return self._show(plant, await emulator.faults(plant))
            except (HilError, OSError) as error:
                log.debug("plant=%s its faults are not known: %s", plant, error)
        return self._show(plant, ())

    async def _looked(self, emulator: EmulatorControl, plant: PlantId) -> tuple[Fault, ...]:
        self.look_now()
        return self._show(plant, await emulator.faults(plant))

    def _show(self, plant: PlantId, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
        self._board.show_faults(plant, tuple(map(str, faults)) if self._is_local() else ())
        return faults

    def _reached(self, plant: PlantId) -> EmulatorControl:
        if self._emulator is None:
            raise Impossible("no plant is emulated here, so that none can show faults")
        if not self._is_local():
            raise Impossible(
                f"plant {plant} is the real one now; faults are for transport local only"
            )
        return self._emulator
