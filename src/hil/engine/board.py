"""The picture that readers get: each owner publishes its part, readers get frozen snapshots."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from hil.domain.plant import PlantId
from hil.domain.snapshot import CommandsState, EngineState, PlantState, Snapshot
from hil.ports import Clock


class Board:
    """Collects the parts of the state; `seq` grows with each change."""

    def __init__(
        self, initial: Snapshot, clock: Clock, *, facts: Callable[[EngineState], EngineState]
    ) -> None:
        self._snapshot = initial
        self._clock = clock
        self._facts = facts
        self._plants = dict(initial.plants)
        self._commands = initial.commands
        self._seq = initial.seq
        self._waiters: list[asyncio.Future[None]] = []

    def plant(self, plant: PlantId) -> PlantState:
        """The newest published state of one plant."""
        return self._plants[plant]

    def publish_plant(self, plant: PlantId, state: PlantState) -> None:
        """Replace the state of one plant."""
        self._plants[plant] = state
        self._changed()

    def publish_commands(self, commands: CommandsState) -> None:
        """Replace the commands."""
        self._commands = commands
        self._changed()

    def snapshot(self) -> Snapshot:
        """The present picture; made once for all readers of the same `seq`."""
        if self._snapshot.seq != self._seq:
            self._snapshot = replace(
                self._snapshot,
                seq=self._seq,
                time=self._clock.now(),
                plants=dict(self._plants),
                commands=self._commands,
                engine=self._facts(self._snapshot.engine),
            )
        return self._snapshot

    async def changed(self, after_seq: int) -> None:
        """Return once the picture is newer than `after_seq`."""
        while self._seq <= after_seq:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def _changed(self) -> None:
        self._seq += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
