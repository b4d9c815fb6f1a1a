"""The emulated plants of a site with their further devices, and their control without a socket."""

from collections.abc import Iterable, Mapping, Sequence

from hil.domain.errors import InvalidInput, NotFound
from hil.domain.faults import Fault, FaultKind
from hil.domain.plant import PlantId, PlantSpec, Transport
from hil.emulation.device import EmulatedDevice
from hil.emulation.faulty import FaultyPlant
from hil.emulation.faulty_device import FaultyDevice
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
        f_hz: The grid's frequency.
        faults: What plants and their devices show from the start.

    Raises:
        InvalidInput: A kind that does not exist or cannot be made, or a fault of a point or a
            device that the plant does not have.
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
        f_hz: float,
        faults: Mapping[PlantId, Sequence[Fault]],
    ) -> None:
        self.plants: dict[PlantId, FaultyPlant] = {}
        self._devices: dict[PlantId, dict[str, FaultyDevice]] = {}
        for spec in specs:
            plant = EmulatedPlant(
                spec,
                model=model_of(kinds[spec.id], spec),
                clock=clock,
                step_s=step_s,
                initial_soc_pu=initial_soc_pu,
                env=Env(v_source_pu=v_source_pu),
            )
            faulty = self.plants[spec.id] = FaultyPlant(plant, spec, clock=clock)
            for name in spec.endpoints[Transport.LOCAL].read_devices:
                device = EmulatedDevice(spec, name, faulty.measured, f_hz=f_hz)
                self._devices.setdefault(spec.id, {})[name] = FaultyDevice(
                    device, spec, name, clock
                )
            for fault in faults.get(spec.id, ()):
                self._shown_by(spec.id, fault.device).set_fault(fault)

    async def set_soc(self, plant: PlantId, soc_pu: float) -> None:
        """Set the state of charge of an idle plant; raises `HilError` when it cannot."""
        self._plant(plant).set_soc(soc_pu)

    async def set_fault(self, plant: PlantId, fault: Fault) -> None:
        """Show a fault from now on, in place of another of its kind; raises `HilError`."""
        self._shown_by(plant, fault.device).set_fault(fault)

    async def clear_fault(self, plant: PlantId, kind: FaultKind | None) -> None:
        """End a fault, or all of them (None), of the plant and its devices.

        One that is not active is no error.
        """
        for one in self._all_of(plant):
            one.clear_fault(kind)

    async def faults(self, plant: PlantId) -> tuple[Fault, ...]:
        """The active faults, those of the plant's own server first; `for_s` is what is left."""
        return tuple(fault for one in self._all_of(plant) for fault in one.faults())

    def served(self, plant: PlantId) -> dict[str | None, FaultyPlant | FaultyDevice]:
        """What answers for a plant: its own server (None), and each further device by name."""
        served: dict[str | None, FaultyPlant | FaultyDevice] = {None: self._plant(plant)}
        served.update(self._devices.get(plant, {}))
        return served

    def _shown_by(self, plant: PlantId, device: str | None) -> FaultyPlant | FaultyDevice:
        served = self.served(plant)
        if device not in served:
            names = ", ".join(name for name in served if name is not None)
            raise InvalidInput(
                f"plant {plant} has no emulated device {device!r}; there are {names or 'none'}"
            )
        return served[device]

    def _all_of(self, plant: PlantId) -> list[FaultyPlant | FaultyDevice]:
        return list(self.served(plant).values())

    def _plant(self, plant: PlantId) -> FaultyPlant:
        if plant not in self.plants:
            raise NotFound(f"there is no emulated plant {plant!r}")
        return self.plants[plant]
