"""Unknown keys in a configuration, each with the key that was probably meant."""

import types
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from hil.config.section import Section
from hil.config.yaml_source import Path, where
from hil.domain.errors import Problem

# A key this close to a known one that is absent is read as that one, so that its value is
# checked, too, and the known key is not called missing.
_SURE = 0.8
_LIKELY = 0.6


@dataclass(slots=True)
class Shaped:
    """A copy without unknown keys, their problems, and misspelt paths by the path meant."""

    value: Any = None
    problems: list[Problem] = field(default_factory=list)
    spelt: dict[Path, Path] = field(default_factory=dict)


def shaped(raw: Any, section: type[Section]) -> Shaped:
    """Sort out the keys that no section of this kind has."""
    result = Shaped()
    result.value = _section(raw, section, (), result)
    return result


def closest(word: Hashable, words: Iterable[str], *, cutoff: float = _LIKELY) -> str | None:
    """The word that was probably meant; capitals do not count."""
    by_lower = {known.lower(): known for known in words}
    near = get_close_matches(str(word).lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[near[0]] if near else None


def did_you_mean(word: Hashable, words: Iterable[str], *, cutoff: float = _LIKELY) -> str:
    """The end of a sentence: empty when nothing is close."""
    near = closest(word, words, cutoff=cutoff)
    return "" if near is None else f'; did you mean "{near}"?'


def _section(raw: Any, section: type[Section], path: Path, result: Shaped) -> Any:
    if not isinstance(raw, dict):
        return raw
    annotations = get_type_hints(section, include_extras=True)
    names = section.model_fields
    known: dict[Hashable, Any] = {}
    for key, value in raw.items():
        name, place = key, (*path, key)
        if key not in names:
            why = f"unknown key{did_you_mean(key, names)}"
            result.problems.append(Problem(where=where(place), why=why))
            near = closest(key, names, cutoff=_SURE)
            if near is None or near in raw or near in known:
                continue
            name = near
            result.spelt[*path, near] = place
        known[name] = _inside(value, annotations[str(name)], (*path, name), result)
    return known


def _inside(raw: Any, annotation: Any, path: Path, result: Shaped) -> Any:
    origin = get_origin(annotation)
    if origin is dict and isinstance(raw, dict):
        inner = get_args(annotation)[1]
        return {key: _inside(value, inner, (*path, key), result) for key, value in raw.items()}
    sections = list(_sections(annotation))
    if not sections or not isinstance(raw, dict):
        return raw
    best = max(sections, key=lambda section: len(section.model_fields.keys() & raw.keys()))
    return _section(raw, best, path, result)


def _sections(annotation: Any) -> Iterator[type[Section]]:
    """The sections that a value of this annotation may be."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _sections(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for choice in get_args(annotation):
            yield from _sections(choice)
    elif isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
