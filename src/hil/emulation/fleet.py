"""The emulated plants of a site, one a plant, and their control without a socket."""

from collections.abc import Iterable, Mapping

from hil.domain.errors import NotFound
from hil.domain.plant import PlantId, PlantSpec
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

    Raises:
        InvalidInput: A kind that does not exist or cannot be made.
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
    ) -> None:
        self.plants = {
            spec.id: EmulatedPlant(
                spec,
                model=model_of(kinds[spec.id], spec),
                clock=clock,
                step_s=step_s,
                initial_soc_pu=initial_soc_pu,
                env=Env(v_source_pu=v_source_pu),
            )
            for spec in specs
        }

    async def set_soc(self, plant: PlantId, soc_pu: float) -> None:
        """Set the state of charge of an idle plant; raises `HilError` when it cannot."""
        if plant not in self.plants:
            raise NotFound(f"there is no emulated plant {plant!r}")
        self.plants[plant].set_soc(soc_pu)
