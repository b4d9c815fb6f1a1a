"""What a physical plant model is: the interface that built-in models and plug-ins meet."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantInfo:
    """What a model says of itself; steps longer than `max_dt_s` are split for it."""

    kind: str
    max_dt_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    """What surrounds a plant during a step: the voltage of the grid's source in pu."""

    v_source_pu: float = 1.0


class Meas(NamedTuple):
    """What the plant is at the end of a step; positive power is discharge.

    A named tuple, because one is made at every step and it costs a third of a frozen dataclass.
    """

    p_battery_kw: float
    q_battery_kvar: float
    p_poi_kw: float
    q_poi_kvar: float
    v_poi_kv: float
    soc_pu: float


class PlantModel(Protocol):
    """One object a plant; no wall clock, no input or output, no global random numbers inside."""

    @property
    def info(self) -> PlantInfo:
        """What the model says of itself."""
        ...

    def reset(self, *, soc_pu: float) -> None:
        """Begin at rest with this state of charge (0..1)."""
        ...

    def step(self, dt_s: float, *, p_kw: float, q_kvar: float, is_running: bool, env: Env) -> Meas:
        """Move on by `dt_s` (0 or more) with these commands and measure.

        Args:
            p_kw: The commanded power, also beyond what the plant can do.
            is_running: The plant is enabled and told to run; otherwise it goes to rest.
        """
        ...

    def limits(self, horizon_s: float) -> tuple[float, float, str]:
        """`(p_min_kw, p_max_kw, why)` that the plant can hold for `horizon_s` from now on."""
        ...

    def loss_kw(self, p_kw: float, q_kvar: float, soc_pu: float) -> float:
        """By how much the store empties faster than `p_kw`, the power at the POI, says."""
        ...

    def snapshot(self) -> bytes:
        """The whole state: after `restore` the model goes on to the bit."""
        ...

    def restore(self, state: bytes) -> None:
        """Take up a state of `snapshot`."""
        ...
