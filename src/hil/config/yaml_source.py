"""YAML text to plain values, with the line of every key and every problem of the text."""

import math
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from hil.domain.errors import Problem

Path = tuple[Hashable, ...]

# Aliases multiply: a text of a few lines could stand for more values than memory holds.
MAX_VALUES = 500_000
MAX_DEPTH = 30
_TAG = "tag:yaml.org,2002:"
_TAB_INDENT = re.compile(r"^ *\t[ \t]*(?=[^\s#])", re.MULTILINE)


@dataclass(slots=True)
class Source:
    """What a YAML text says: its value, the line (from 1) of each path, what is wrong with it."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def alias(self, meant: Path, spelt: Path) -> None:
        """Give everything below the path `spelt` a second place below the path `meant`."""
        self.lines |= {
            (*meant, *path[len(spelt) :]): line
            for path, line in self.lines.items()
            if path[: len(spelt)] == spelt
        }

    def places(self) -> dict[str, int]:
        """The line of each place, as `where` writes it."""
        return {where(path): line for path, line in self.lines.items()}


def where(path: Path) -> str:
    """A path as people write it: `plants.lib.limits`, `web.allowed_hosts[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def parse(text: str) -> Source:
    """Read YAML 1.2; a text that cannot be read has problems and the value None.

    Tabs that indent are named and read as the spaces that were probably meant, so that the rest
    is checked, too.
    """
    try:
        return _Reader().read(_compose(text))
    except YAMLError as error:
        tabs = [
            Problem(
                where="indentation",
                why="a tab cannot indent; use spaces",
                line=text.count("\n", 0, match.start()) + 1,
            )
            for match in _TAB_INDENT.finditer(text)
        ]
        if not tabs:
            return Source(problems=[_syntax_problem(error)])
    try:
        source = _Reader().read(_compose(_without_tabs(text)))
    except YAMLError:
        source = Source()
    source.problems[:0] = tabs
    return source


def _without_tabs(text: str) -> str:
    """The text with each tab indentation replaced by that of the lines it belongs to."""
    lines: list[str] = []
    meant: dict[str, int] = {}
    depth, opens = 0, False
    for line in text.splitlines():
        content = line.lstrip(" \t")
        if not content or content.startswith("#"):
            lines.append(content)
            continue
        indent = line[: len(line) - len(content)]
        here = len(indent)
        if "\t" in indent:
            known = meant.get(indent)
            if opens:  # the line above ends with a colon: this one lies deeper
                here = known if known is not None and known > depth else depth + 2
            else:
                here = known if known is not None and known <= depth else depth
        meant[indent] = here
        lines.append(" " * here + content)
        depth, opens = here, content.split(" #")[0].rstrip().endswith(":")
    return "\n".join(lines)


def _compose(text: str) -> Node | None:
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except RecursionError as error:
        raise YAMLError(f"is nested deeper than {MAX_DEPTH} levels") from error
    return node


def _syntax_problem(error: YAMLError) -> Problem:
    if isinstance(error, ReaderError):
        why = f"has a character that YAML does not allow (number {error.position + 1})"
        return Problem(where="text", why=why)
    if not isinstance(error, MarkedYAMLError):
        return Problem(where="text", why=str(error.args[0] if error.args else error))
    mark = error.problem_mark or error.context_mark
    said = str(error.problem or error.context)
    for pattern, meaning in _SYNTAX.items():
        if re.search(pattern, said):
            said = meaning
            break
    return Problem(where="syntax", why=said, line=None if mark is None else mark.line + 1)


_SYNTAX = {
    "mapping values are not allowed": (
        "a colon stands where no key can be; check the indentation, or quote the text"
    ),
    "expected <block end>|did not find expected": (
        "the indentation does not match the lines above"
    ),
    "could not find expected ':'": "a key without a colon",
    "but found another document": "a second document begins; only one is allowed",
    "undefined alias": "the alias names no anchor above it",
    "stream end|unexpected end": "a bracket or quote is opened and never closed",
    "cannot start any token": "a character stands where none of its kind can; quote the text",
    "unknown escape character": (
        "a backslash in double quotes that means nothing; use single quotes"
    ),
}


class _Reader:
    """One pass over the nodes of a text."""

    def __init__(self) -> None:
        self._source = Source()
        self._count = 0

    def read(self, node: Node | None) -> Source:
        if node is not None:
            self._source.value = self._value(node, ())
        return self._source

    def _problem(self, path: Path, why: str, node: Node) -> None:
        self._source.problems.append(
            Problem(where=where(path) or "text", why=why, line=node.start_mark.line + 1)
        )

    def _value(self, node: Node, path: Path) -> Any:
        self._count += 1
        if self._count == MAX_VALUES:
            self._problem(path, f"has more than {MAX_VALUES} values", node)
        if len(path) == MAX_DEPTH:
            self._problem(path, f"is nested deeper than {MAX_DEPTH} levels", node)
        if self._count >= MAX_VALUES or len(path) >= MAX_DEPTH:
            return None
        if not isinstance(node, ScalarNode) and _tag(node) not in {"map", "seq"}:
            self._problem(path, f"the tag {node.tag} has no meaning here", node)
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self._source.lines[(*path, index)] = item.start_mark.line + 1
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode), node
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[Hashable, Any]:
        own: dict[Hashable, Any] = {}
        merged: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            if _tag(key_node) == "merge":
                for key, value in self._merged(value_node, path).items():
                    merged.setdefault(key, value)
                continue
            if not isinstance(key_node, ScalarNode):
                self._problem(path, "a key must be a plain word", key_node)
                continue
            key = self._scalar(key_node, path)
            line = key_node.start_mark.line + 1
            if key in own:
                first = self._source.lines[(*path, key)]
                why = f"this key stands twice; first in line {first}"
                self._problem((*path, key), why, key_node)
                continue
            self._source.lines[(*path, key)] = line
            own[key] = self._value(value_node, (*path, key))
        return {**{key: value for key, value in merged.items() if key not in own}, **own}

    def _merged(self, node: Node, path: Path) -> Mapping[Hashable, Any]:
        items = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[Hashable, Any] = {}
        for item in items:
            if not isinstance(item, MappingNode):
                self._problem(path, "`<<` takes a mapping or a list of mappings", item)
                continue
            own = {
                key: line for key, line in self._source.lines.items() if key[: len(path)] == path
            }
            for key, value in self._mapping(item, path).items():
                merged.setdefault(key, value)
            self._source.lines.update(own)
        return merged

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        text: str = node.value
        tag = _tag(node)
        if tag == "null":
            return None
        if tag == "bool" and text.lower() in {"true", "false"}:
            return text.lower() == "true"
        if tag in {"int", "float"}:
            return self._number(node, path)
        if tag not in {"str", "bool", "timestamp", "value", "merge"}:
            self._problem(path, f"the tag {node.tag} has no meaning here", node)
        return text

    def _number(self, node: ScalarNode, path: Path) -> Any:
        text: str = node.value.replace("_", "").lower()
        try:
            if _tag(node) == "float":
                return float(text.replace(".inf", "inf").replace(".nan", "nan"))
            return int(text, 0) if re.match(r"[-+]?0[xob]", text) else int(text)
        except ValueError:
            self._problem(path, f"{node.value} is not a number", node)
            return math.nan


def _tag(node: Node) -> str:
    tag = str(node.tag)
    return tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
