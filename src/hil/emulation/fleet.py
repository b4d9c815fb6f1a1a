"""The emulated plants of a site, one a plant, and their control without a socket."""

from collections.abc import Iterable, Mapping, Sequence

from hil.domain.errors import NotFound
from hil.domain.faults import Fault, FaultKind
from hil.domain.plant import PlantId, PlantSpec
from hil.emulation.faulty import FaultyPlant
from hil.emulation.kind import model_of
from hil.emulation.model import Env
from hil.emulation.plant import EmulatedPlant
from hil.ports import Clock


class EmulatedFleet:
    """All emulated plants of a site; an `EmulatorControl` for who shares their process.

    Args:
        kinds: The kind of each plant's model.
        step_s: The longest step of the models.
        initial_soc_pu: State of charge of every plant at the start, 0..1.
        v_source_pu: The voltage of the grid's source.
        faults: What plants show from the start.

    Raises:
        InvalidInput: A kind that does not exist or cannot be made, or a fault of a point that
            the plant does not have.
    """

    def __init__(
        self,
        specs: Iterable[PlantSpec],
        *,
        kinds: Mapping[PlantId, str],
        clock: Clock,
        step_s: float,
        initial_soc_pu: float,
        v_source_pu: float,
        faults: Mapping[PlantId, Sequence[Fault]],
    ) -> None:
        self.plants: dict[PlantId, FaultyPlant] = {}
        for spec in specs:
            plant = EmulatedPlant(
                spec,
                model=model_of(kinds[spec.id], spec),
                clock=clock,
                step_s=step_s,
                initial_soc_pu=initial_soc_pu,
                env=Env(v_source_pu=v_source_pu),
            )
            shown = faults.get(spec.id, ())
            self.plants[spec.id] = FaultyPlant(plant, spec, clock=clock, faults=shown)

    async def set_soc(self, plant: PlantId, soc_pu: float) -> None:
        """Set the state of charge of an idle plant; raises `HilError` when it cannot."""
        self._plant(plant).set_soc(soc_pu)

    async def set_fault(self, plant: PlantId, fault: Fault) -> None:
        """Show a fault from now on, in place of another of its kind; raises `HilError`."""
        self._plant(plant).set_fault(fault)

    async def clear_fault(self, plant: PlantId, kind: FaultKind | None) -> None:
        """End a fault, or all of them (None); one that is not active is no error."""
        self._plant(plant).clear_fault(kind)

    async def faults(self, plant: PlantId) -> tuple[Fault, ...]:
        """The active faults; `for_s` is what is left of it."""
        return self._plant(plant).faults()

    def _plant(self, plant: PlantId) -> FaultyPlant:
        if plant not in self.plants:
            raise NotFound(f"there is no emulated plant {plant!r}")
        return self.plants[plant]
