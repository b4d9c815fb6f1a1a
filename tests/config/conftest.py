"""Shared by the tests of the configuration: the packaged default with changes."""

from collections.abc import Callable

import pytest

from hil.config.load import default_text, load_text
from hil.domain.errors import InvalidInput

Changed = Callable[..., str]
Problems = Callable[..., list[str]]


def changed(*changes: tuple[str, str]) -> str:
    """The packaged default with each first text replaced by the second, once."""
    text = default_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.fixture
def problems() -> Problems:
    """The problems of the packaged default with changes, as text without the lines."""

    def of(*changes: tuple[str, str]) -> list[str]:
        try:
            load_text(changed(*changes))
        except InvalidInput as wrong:
            return [f"{problem.where}: {problem.why}" for problem in wrong.problems]
        return []

    return of


@pytest.fixture
def edited() -> Changed:
    """The text of the packaged default with changes."""
    return changed
