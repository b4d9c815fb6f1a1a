"""The shape of the source: sizes, docstrings, reasons for silenced checks, nothing unused."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "hil"
MODULES = sorted(SOURCE.rglob("*.py"))
ALL_PYTHON = sorted([*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").rglob("*.py")])

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore)")
WITH_REASON = re.compile(
    r"#\s*noqa: [A-Z]+\d+(, [A-Z]+\d+)* - \S|#\s*type: ignore\[[a-z-]+(, [a-z-]+)*\]\s+# \S"
)
# Reached by the interpreter or an entry point, not by an import.
ENTRY_MODULES = {"hil.__main__", "hil.history.worker"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    dotted = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    return dotted.removesuffix(".__init__")


@pytest.mark.parametrize("path", ALL_PYTHON, ids=name_of)
def test_module_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text))

    assert len(text.splitlines()) <= MODULE_LINES_MAX
    assert docstring is not None
    assert docstring.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize("path", ALL_PYTHON, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    too_long = [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not too_long


@pytest.mark.parametrize("path", ALL_PYTHON, ids=name_of)
def test_silenced_checks_carry_a_code_and_a_reason(path: Path) -> None:
    without = [
        f"line {number}: {line.strip()}"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if SILENCED.search(line) and not WITH_REASON.search(line) and path != Path(__file__)
    ]
    assert not without


def imports_of(path: Path) -> set[str]:
    """The dotted names that a module imports, without itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found - {module_of(path)}


def test_every_module_is_imported_by_another() -> None:
    imported = ENTRY_MODULES.union(*map(imports_of, MODULES))
    scripts = (ROOT / "pyproject.toml").read_text()
    unused = [
        module
        for module in (module_of(path) for path in MODULES if path.stem != "__init__")
        if module not in imported and f'"{module}:' not in scripts
    ]
    assert not unused


def test_nothing_refers_to_pages_outside_the_project() -> None:
    words = re.compile(r"\.\./shared|/work/|DEVELOPERS\.md")
    tracked = [*ALL_PYTHON, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    found = [
        name_of(path)
        for path in tracked
        if path != Path(__file__) and words.search(path.read_text())
    ]
    assert not found
