"""What came of a rehearsal in virtual time."""

from dataclasses import dataclass
from datetime import date

from hil.domain.plant import PlantId


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantSummary:
    """Energy at the POI over the rehearsal, and the state of charge at its end."""

    discharged_kwh: float
    charged_kwh: float
    soc_end_pu: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One rehearsal: the same for the same configuration, schedules, days and seed."""

    day: date
    days: int
    seed: int
    plants: dict[PlantId, PlantSummary]
