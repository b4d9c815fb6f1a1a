"""The reference pages say what the code says."""

import runpy
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "reference_docs.py"


def test_reference_pages_are_those_the_code_makes() -> None:
    assert runpy.run_path(str(TOOL))["outdated"]() == []
