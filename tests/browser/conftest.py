"""A browser for each module, a server and a watched page for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from browser_support import Served, Watched, chromium, opened, served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def server() -> Iterator[Served]:
    with served() as running:
        yield running


@pytest.fixture
def watched(server: Served, browser: Browser) -> Iterator[Watched]:
    with opened(server, browser) as page:
        yield page
        assert page.elsewhere() == []
        assert page.violations() == []
