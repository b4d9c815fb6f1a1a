"""The page of field faults names tests, faults and profiles that exist."""

import ast
import re
from pathlib import Path

import pytest

from hil.domain.faults import PROFILES, FaultKind, kinds_of, parse_faults

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "field-faults.md"
TEXT = PAGE.read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r'\]\((\S+\.py) "(\w+)"\)', TEXT)))
COMMANDS = sorted(set(re.findall(r"`hil fault set lib ([^`]+)`", TEXT)))


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((PAGE.parent / file).read_text(encoding="utf-8"))
    names = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert name in names


@pytest.mark.parametrize("command", COMMANDS)
def test_a_fault_can_be_set_as_it_says(command: str) -> None:
    kind, *pairs = command.split()
    given = dict(pair.split("=") for pair in pairs)
    numbers = {key: float(value) if value[0].isdigit() else value for key, value in given.items()}

    assert parse_faults({**numbers, "kind": kind})


def test_every_fault_and_profile_is_on_the_page() -> None:
    shown = {kind for command in COMMANDS for kind in kinds_of(command.split()[0])}

    assert shown == set(FaultKind)
    assert [profile for profile in PROFILES if f"`{profile}`" not in TEXT] == []


def test_every_row_of_a_table_names_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    heads = [line for line in rows if "What the product does" in line or line.startswith("| ---")]

    assert len(heads) == 6
    assert [row for row in rows if row not in heads and "/tests/" not in row] == []
