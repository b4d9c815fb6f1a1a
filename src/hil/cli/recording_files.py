"""Which recordings a command means: names in the data directory, paths, folders, patterns."""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate
from zoneinfo import ZoneInfo

from hil.cli.options import config_option, data_dir_option, default_data_dir, load_config
from hil.config.model import Config
from hil.config.model_plant import PlantConfig
from hil.config.values import map_configs
from hil.domain.errors import InvalidInput
from hil.domain.plant import PlantId
from hil.domain.recording_file import VOLTAGE_PU, parse_name
from hil.domain.units import CANONICAL, quantity_of
from hil.history.compress import Rules


@dataclass(frozen=True, slots=True)
class RecordingFiles:
    """The configuration in force and the folder of its recordings."""

    config: Config
    folder: Path

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.config.site.timezone)

    def paths(self, given: Iterable[str]) -> list[Path]:
        """The files that the arguments mean, each once, as they were given.

        A folder stands for its recordings in the order of their days; a name that is no path from
        here is looked for in the data directory, where it may also be a pattern such as `2026*`.
        """
        found: dict[Path, None] = {}
        for argument in given:
            found.update(dict.fromkeys(self._meant(argument)))
        return list(found)

    def v_nominal_kv(self, path: Path) -> float | None:
        """The nominal voltage of the plant that the file is of; None where that is not known."""
        plant = self._plant(path)
        return None if plant is None else plant.model.v_nominal_kv

    def units(self, path: Path) -> dict[str, str]:
        """The recorded units of the plant's points by name."""
        plant = self._plant(path)
        if plant is None:
            return {}
        maps = map_configs(plant.register_map)
        listed = {name: point.unit for each in maps.values() for name, point in each.points.items()}
        return {name: CANONICAL[quantity_of(name, unit)] for name, unit in listed.items()}

    def rules(self, path: Path) -> Rules:
        """The compression that the configuration asks for."""
        compression = self.config.recording.compression
        tolerances: Mapping[str, float] = compression.tolerances.model_dump()
        v_nominal_kv = self.v_nominal_kv(path)
        if v_nominal_kv is not None:
            tolerances = {**tolerances, VOLTAGE_PU: tolerances["v_poi_kV"] / v_nominal_kv}
        return Rules(tolerances=tolerances, max_gap_s=compression.max_gap_s)

    def _plant(self, path: Path) -> PlantConfig | None:
        name = parse_name(path.name)
        for plant, each in self.config.plants.items():
            if name is not None and name.is_of(PlantId(plant), each.name):
                return each
        return None

    def _meant(self, argument: str) -> list[Path]:
        path = Path(argument)
        if not path.exists() and not path.is_absolute():
            path = self.folder / argument
        if path.is_dir():
            return recordings_in(path)
        if path.exists():
            return [path]
        matching = [path for path in recordings_in(self.folder) if path.match(argument)]
        if not matching:
            raise InvalidInput(f"{argument}: there is no such file, here or in {self.folder}")
        return matching


def recordings_in(folder: Path) -> list[Path]:
    """The daily files of a folder, by day and plant; none when there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if parse_name(path.name) is not None)


def with_recordings(
    command: Callable[Concatenate[RecordingFiles, ...], None],
) -> Callable[..., None]:
    """The command with --config and --data-dir, given the recordings that they mean."""

    @config_option
    @data_dir_option
    @functools.wraps(command)
    def run(config_file: Path | None, data_dir: Path | None, **given: Any) -> None:
        config, found = load_config(config_file)
        folder = (data_dir or default_data_dir(found)) / config.recording.directory
        command(RecordingFiles(config, folder), **given)

    return run
