"""The picture that readers get: each owner publishes its part, readers get frozen snapshots."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hil.domain.plant import PlantId
from hil.domain.snapshot import EngineState, Link, LinkStatus, PlantState, Snapshot
from hil.engine.cadence import NS_PER_S
from hil.ports import Clock


class Board:
    """Collects the parts of the state; `seq` grows with each change.

    Args:
        facts: Brings the engine's own figures up to date.
        stale_after_s: A plant whose owner has not published for this long is stale.
    """

    def __init__(
        self,
        initial: Snapshot,
        clock: Clock,
        *,
        facts: Callable[[EngineState], EngineState],
        stale_after_s: float,
    ) -> None:
        self._snapshot = initial
        self._clock = clock
        self._facts = facts
        self._stale_after_s = stale_after_s
        self._plants = dict(initial.plants)
        self._published_ns = dict.fromkeys(initial.plants, clock.monotonic_ns())
        self._changes: dict[str, Any] = {}
        self._seq = initial.seq
        self._waiters: list[asyncio.Future[None]] = []

    def plant(self, plant: PlantId) -> PlantState:
        """The newest published state of one plant."""
        return self._plants[plant]

    def publish_plant(self, plant: PlantId, state: PlantState) -> None:
        """Replace the state of one plant."""
        self._plants[plant] = state
        self._published_ns[plant] = self._clock.monotonic_ns()
        self._changed()

    def update(self, **parts: Any) -> None:
        """Replace parts of the site's state, by their names in `Snapshot`."""
        self._changes.update(parts)
        self._changed()

    def snapshot(self) -> Snapshot:
        """The present picture."""
        plants = {plant: self._aged(plant, state) for plant, state in self._plants.items()}
        self._snapshot = replace(
            self._snapshot,
            seq=self._seq,
            time=self._clock.now(),
            plants=plants,
            engine=self._facts(self._snapshot.engine),
            **self._changes,
        )
        self._changes.clear()
        return self._snapshot

    def _aged(self, plant: PlantId, state: PlantState) -> PlantState:
        """The age of the link grows between two publications."""
        if state.link.age_s is None:
            return state
        passed_s = (self._clock.monotonic_ns() - self._published_ns[plant]) / NS_PER_S
        if passed_s < 0.001:  # published just now
            return state
        link: Link = replace(state.link, age_s=round(state.link.age_s + passed_s, 3))
        if passed_s > self._stale_after_s and link.status is LinkStatus.OK:
            link = replace(link, status=LinkStatus.STALE)
        return replace(state, link=link)

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
