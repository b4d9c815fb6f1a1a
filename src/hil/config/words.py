"""Our own sentences for what pydantic found wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from hil.config.shape import did_you_mean
from hil.config.yaml_source import Path

_NEEDED = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a section with keys",
    "model_attributes_type": "a section with keys",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_LENGTHS = {
    "string_too_short": ("min_length", "must not be empty"),
    "string_too_long": ("max_length", "must have at most {} characters"),
    "too_short": ("min_length", "needs at least {} entry"),
    "too_long": ("max_length", "has more than {} entries"),
}


def found(error: ValidationError, raw: Any) -> dict[Path, str]:
    """Each path with a problem, and the problem in a sentence.

    Args:
        raw: The value that was validated; tells keys from the names that pydantic puts between.
    """
    return {
        _path(details["loc"], raw, kind=details["type"]): _sentence(
            details["type"], details["input"], details.get("ctx", {})
        )
        for details in error.errors(include_url=False)
    }


def shown(value: Any) -> str:
    """A value as its writer would call it."""
    if value is None:
        return "empty (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = repr(value)
        return text if len(text) <= 40 else f"a number of {len(text)} characters"
    if isinstance(value, str):
        return f'the text "{value if len(value) <= 40 else value[:37] + "..."}"'
    return "a mapping" if isinstance(value, Mapping) else "a list"


def _sentence(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    if kind == "missing":
        return "this key is required"
    if kind in _NEEDED:
        return f"must be {_NEEDED[kind]}, is {shown(value)}{_hint(kind, value)}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {context[name]:.10g}, is {shown(value)}"
    if kind in _LENGTHS:
        name, words = _LENGTHS[kind]
        return words.format(context[name])
    if kind in {"enum", "literal_error"}:
        expected = str(context["expected"])
        choices = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
        return f"must be {expected.replace(chr(39), '')}, is {shown(value)}" + (
            did_you_mean(value, choices) if isinstance(value, str) else ""
        )
    if kind == "value_error":
        return str(context["error"])
    return f"is not valid ({kind.replace('_', ' ')})"


def _hint(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, int | float):
        return "; put it in quotes"
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        return "; write it without quotes" if _is_number(value) else ""
    if value is None and kind.startswith("model"):
        return "; give it keys, or remove it"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _path(loc: Sequence[int | str], raw: Any, *, kind: str) -> Path:
    """The keys of a location, without the names of choices and the mark of a bad key."""
    path: list[int | str] = []
    here = raw
    for part in loc:
        inside = _step(here, part)
        if inside is None and not (kind == "missing" and part == loc[-1]):
            continue
        path.append(part)
        here = inside[0] if inside else None
    return tuple(path)


def _step(here: Any, part: int | str) -> tuple[Any] | None:
    """What stands at a key or an index, in a tuple of one; None: there is no such place."""
    if isinstance(here, dict) and part in here:
        return (here[part],)
    if isinstance(here, list) and isinstance(part, int) and part < len(here):
        return (here[part],)
    return None
