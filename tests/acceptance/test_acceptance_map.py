"""The acceptance map names every row once, with tests that exist."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
ROWS = YAML(typ="safe").load((ROOT / "docs" / "acceptance.yaml").read_text())["rows"]
EXPECTED = [*(str(number) for number in range(1, 18)), *(f"B{number}" for number in range(1, 13))]


def test_every_row_is_there_once() -> None:
    assert list(ROWS) == EXPECTED


@pytest.mark.parametrize("row", EXPECTED)
def test_row_is_backed_by_tests_that_exist(row: str) -> None:
    entry = ROWS[row]
    tests = [ROOT / "tests" / name for name in entry["tests"]]

    assert entry["state"] in {"done", "partial", "todo"}
    assert [path for path in tests if not path.is_file()] == []
    assert bool(tests) == (entry["state"] != "todo")
    assert ("note" in entry) == (entry["state"] == "partial")
