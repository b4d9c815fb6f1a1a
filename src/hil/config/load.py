"""A configuration from a file or a text, or every problem that it has, with its line."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hil.config import words, yaml_source
from hil.config.check import plant_problems
from hil.config.check_site import site_problems
from hil.config.model import Config
from hil.config.model_plant import PlantConfig
from hil.config.section import Section
from hil.config.shape import shaped
from hil.domain.errors import InvalidInput, Problem
from hil.domain.register_check import unit_problem

# 1,000 plants take about 3 MB.
MAX_BYTES = 4_000_000
# More than anybody reads; a file with more is not a configuration.
MAX_PROBLEMS = 200
ENVIRONMENT = "HIL_CONFIG"
FILE_NAME = "config.yaml"
# Paths in these places are relative to the configuration file.
_FILES = (
    ("schedule_api", "password_file"),
    ("schedule_api", "folder"),
    ("web", "tls", "cert_file"),
    ("web", "tls", "key_file"),
    ("web", "brand", "logo_file"),
    ("grid", "playback_file"),
)


def find_config(explicit: Path | None, env: Mapping[str, str], cwd: Path) -> Path | None:
    """The file to load: the explicit one, else `$HIL_CONFIG`, else `config.yaml` in `cwd`.

    None: there is none, and the packaged default is meant. Only the last one is looked for; the
    others are what the user said, whether they exist or not.
    """
    if explicit is not None:
        return explicit
    if env.get(ENVIRONMENT):
        return Path(env[ENVIRONMENT])
    here = cwd / FILE_NAME
    return here if here.exists() else None


def load(path: Path) -> Config:
    """The configuration in a file; raises `InvalidInput` with every problem."""
    return load_text(_text(path), name=str(path), folder=path.absolute().parent)


def with_lines(problems: Iterable[Problem], path: Path | None) -> list[Problem]:
    """The problems with their lines in the file, in that order; None: the packaged default."""
    places = yaml_source.parse(default_text() if path is None else _text(path)).places()
    found = [_with_line(problem, places) for problem in problems]
    return sorted(found, key=lambda problem: problem.line or 0)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InvalidInput(f"{path}: there is no such file; `hil init` writes one") from None
    except IsADirectoryError:
        raise InvalidInput(f"{path}: is a folder; give the file in it") from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"{path}: is larger than {MAX_BYTES:,} bytes; is it a configuration?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{path}: is not UTF-8 text (line {line})") from None


def load_default() -> Config:
    """The packaged default: two emulated plants."""
    return load_text(default_text(), name="the packaged default")


def default_text() -> str:
    """The packaged default as commented YAML."""
    return files("hil.config").joinpath("default.yaml").read_text(encoding="utf-8")


def example_schedule() -> str:
    """Ten minutes of setpoints as CSV, in offsets from a start that is given beside it."""
    return files("hil.config").joinpath("example_schedule.csv").read_text(encoding="utf-8")


def load_text(text: str, *, name: str = FILE_NAME, folder: Path | None = None) -> Config:
    """The configuration in a text.

    Args:
        name: What the text is called in errors.
        folder: What relative paths in it start from; None leaves them as they are.

    Raises:
        InvalidInput: With every problem, in the order of the lines.
    """
    source = yaml_source.parse(text)
    if source.value is None and not source.problems:
        raise InvalidInput(f"{name}: is empty; it needs `plants`, and `hil init` writes an example")
    if source.value is not None and not isinstance(source.value, dict):
        what = words.shown(source.value)
        raise InvalidInput(f"{name}: must be sections such as `site:` and `plants:`, is {what}")
    config, found = (None, []) if source.value is None else _checked(source, folder)
    problems = sorted([*source.problems, *found], key=lambda problem: problem.line or 0)
    if config is None or problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        if len(problems) > MAX_PROBLEMS:
            count += f", of which these are the first {MAX_PROBLEMS}"
        raise InvalidInput(f"{name}: {count}", problems[:MAX_PROBLEMS])
    return config


def _checked(
    source: yaml_source.Source, folder: Path | None
) -> tuple[Config | None, list[Problem]]:
    keys = shaped(source.value, Config)
    for meant, spelt in keys.spelt.items():
        source.alias(meant, spelt)
    raw = keys.value
    if folder is not None:
        _resolve(raw, folder)
    config, wrong = _validated(raw)
    bad = {yaml_source.where(path): why for path, why in wrong.items()}
    found = [*keys.problems, *(Problem(where=place, why=why) for place, why in bad.items())]
    usable = config
    if config is None:
        found += _units_of_wrong_points(raw, wrong)
        raw = _without(raw, wrong)
        usable, _ = _validated(raw)
    parts, plants = _parts_of_model(usable) if usable else _parts_of_raw(raw)
    for plant, plant_parts in plants.items():
        found += (
            Problem(where=f"plants.{plant}.{problem.where}", why=problem.why)
            for problem in plant_problems(plant_parts)
            if not _is_known(f"plants.{plant}.{problem.where}", bad)
        )
    found += (
        problem for problem in site_problems(parts, plants) if not _is_known(problem.where, bad)
    )
    places = source.places()
    return config, [_with_line(problem, places) for problem in found]


def _is_known(place: str, bad: Mapping[str, str]) -> bool:
    """Whether the place, or something in it, is wrong already."""
    return any(known == place or known.startswith(f"{place}.") for known in bad)


def _without(raw: Any, wrong: Iterable[yaml_source.Path]) -> Any:
    """A copy without the values that are wrong, so that the others can still be compared.

    A point with a wrong key is left out whole: a default could overlap what the point does not.
    """
    kept = deepcopy(raw)
    for path in wrong:
        last = path.index("points") + 2 if "points" in path[:-2] else len(path)
        here: Any = kept
        for part in path[: last - 1]:
            here = here.get(part) if isinstance(here, dict) else None
        if isinstance(here, dict):
            here.pop(path[last - 1], None)
    return kept


def _units_of_wrong_points(raw: Any, wrong: Iterable[yaml_source.Path]) -> Iterator[Problem]:
    """Units that do not fit, of points that `_without` leaves out for their other values."""
    known = set(wrong)
    for path in dict.fromkeys(
        path[: path.index("points") + 2] for path in known if "points" in path[:-2]
    ):
        point: Any = raw
        for part in path:
            point = point.get(part) if isinstance(point, dict) else None
        unit = point.get("unit", "raw") if isinstance(point, dict) else None
        if not isinstance(unit, str) or (*path, "unit") in known:
            continue
        if why := unit_problem(str(path[-1]), unit):
            yield Problem(where=f"{yaml_source.where(path)}.unit", why=why)


Parts = Mapping[str, Any]


def _parts_of_model(config: Config) -> tuple[Parts, Mapping[str, Parts]]:
    return dict(config), {plant: dict(model) for plant, model in config.plants.items()}


def _parts_of_raw(raw: Mapping[str, Any]) -> tuple[Parts, Mapping[str, Parts]]:
    """What is valid by itself of a configuration that is not valid as a whole."""
    given = raw.get("plants")
    plants = {
        str(plant): _parts(PlantConfig, value)
        for plant, value in (given if isinstance(given, dict) else {}).items()
        if isinstance(value, dict)
    }
    return _parts(Config, raw), plants


def _validated(raw: Any) -> tuple[Config | None, dict[yaml_source.Path, str]]:
    try:
        return Config.model_validate(raw), {}
    except ValidationError as error:
        return None, words.found(error, raw)


def _parts(model: type[Section], raw: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a section's keys that are valid by themselves; absent ones by default."""
    parts: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name not in raw:
            if not field.is_required():
                parts[name] = field.get_default(call_default_factory=True)
            continue
        try:
            parts[name] = _adapter(model, name).validate_python(raw[name])
        except ValidationError:
            continue  # already among the problems of the whole
    return parts


@cache
def _adapter(model: type[Section], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(get_type_hints(model, include_extras=True)[name])


def _resolve(raw: dict[str, Any], folder: Path) -> None:
    for *sections, key in _FILES:
        here: Any = raw
        for section in sections:
            here = here.get(section) if isinstance(here, dict) else None
        if isinstance(here, dict) and isinstance(here.get(key), str) and here[key]:
            here[key] = str(folder / here[key])


def _with_line(problem: Problem, places: Mapping[str, int]) -> Problem:
    """The problem with the line of its place, or of the nearest place above it."""
    place = problem.where
    while place and place not in places:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return Problem(where=problem.where, why=problem.why, line=places.get(place))
