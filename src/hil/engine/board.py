"""The picture that readers get: frozen snapshots, made when somebody looks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hil.domain.plant import PlantId, PlantSpec
from hil.domain.snapshot import EngineState, Feasibility, PlantState, Snapshot, initial_snapshot
from hil.engine.settings import EngineSettings
from hil.ports import Clock


def first_picture(
    settings: EngineSettings, specs: Sequence[PlantSpec], *, now: datetime
) -> Snapshot:
    """The picture before anything is known of the plants."""
    return initial_snapshot(
        site=settings.site,
        plants=specs,
        source=settings.source,
        transport=settings.transport,
        posting_enabled=settings.posting_enabled,
        version=settings.version,
        now=now,
    )


class Board:
    """Collects the parts of the state; `seq` grows with each change.

    Args:
        facts: Brings the engine's own figures up to date.
    """

    def __init__(
        self, initial: Snapshot, clock: Clock, *, facts: Callable[[EngineState], EngineState]
    ) -> None:
        self._snapshot = initial
        self._clock = clock
        self._facts = facts
        self._plants: dict[PlantId, Callable[[], PlantState]] = {}
        self._faults: dict[PlantId, tuple[str, ...]] = {}
        self._feasibility: dict[PlantId, Feasibility] = {}
        self._parts: dict[str, Any] = {}
        self._seq = initial.seq
        self._waiters: list[asyncio.Future[None]] = []

    def show_plant(self, plant: PlantId, state: Callable[[], PlantState]) -> None:
        """Let the state of a plant be asked for whenever somebody looks."""
        self._plants[plant] = state

    def show_faults(self, plant: PlantId, faults: tuple[str, ...]) -> None:
        """Show these as the faults of an emulated plant."""
        if self._faults.get(plant, ()) != faults:
            self._faults[plant] = faults
            self.changed_now()

    def show_feasibility(self, plant: PlantId, found: Feasibility | None) -> None:
        """Show what the schedule of a plant will run into; None: not known."""
        if self._feasibility.get(plant) == found:
            return
        self._feasibility.pop(plant, None)
        if found is not None:
            self._feasibility[plant] = found
        self.changed_now()

    def plant(self, plant: PlantId) -> PlantState:
        """The present state of one plant."""
        state, faults = self._plants[plant](), self._faults.get(plant)
        found = self._feasibility.get(plant)
        if faults is None and found is None:
            return state
        return replace(state, faults=faults or (), feasibility=found)

    def update(self, **parts: Any) -> None:
        """Replace parts of the site's state, by their names in `Snapshot`."""
        self._parts.update(parts)
        self.changed_now()

    def snapshot(self) -> Snapshot:
        """The present picture."""
        parts, self._parts = self._parts, {}
        self._snapshot = replace(
            self._snapshot,
            seq=self._seq,
            time=self._clock.now(),
            plants={
                **self._snapshot.plants,
                **{plant: self.plant(plant) for plant in self._plants},
            },
            engine=self._facts(self._snapshot.engine),
            **parts,
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

    def changed_now(self) -> None:
        """Something that is shown has changed."""
        self._seq += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
