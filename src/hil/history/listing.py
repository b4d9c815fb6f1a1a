"""Which recordings there are, and which days of them the cache has, by their names alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hil.domain.plant import PlantId
from hil.domain.recording_file import parse_name
from hil.domain.site_day import day_name

# Beside the recordings: it can be deleted at any time, and is made anew.
FOLDER = ".history"
ROWS_SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class Owner:
    """A plant as its files know it: by its id, or by the name it had.

    `v_nominal_kv` is what voltages in per unit are multiplied with.
    """

    name: str
    v_nominal_kv: float | None


def files_of(
    folder: Path, owners: Mapping[PlantId, Owner]
) -> dict[PlantId, dict[date, list[Path]]]:
    """The daily files of each plant, in the order of their names; those of nobody are left out."""
    found: dict[PlantId, dict[date, list[Path]]] = {plant: {} for plant in owners}
    plants: dict[str, PlantId | None] = {}
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return found
    for text in names:
        name = parse_name(text)
        if name is None:
            continue
        if name.suffix not in plants:
            own = (plant for plant, owner in owners.items() if name.is_of(plant, owner.name))
            plants[name.suffix] = next(own, None)
        plant = plants[name.suffix]
        if plant is not None:
            found[plant].setdefault(name.day, []).append(folder / text)
    return found


def day_key(plant: PlantId, day: date) -> str:
    """What the files of a day in the cache are called, without their endings."""
    return f"{day_name(day)}_{plant}"


def sealed_keys(folder: Path) -> set[str]:
    """The days of the recordings in the folder that the cache has, as they are now or were."""
    try:
        names = [path.name for path in (folder / FOLDER).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {name.removesuffix(ROWS_SUFFIX) for name in names if name.endswith(ROWS_SUFFIX)}
