"""A served page and a browser for the tests of the pages: real sockets, real Chromium."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from hil.domain.commands import CommandKind
from hil.domain.phase import Phase
from hil.domain.snapshot import Estop
from hil.web.app import make_app
from hil.web.server import Server
from hil.web.settings import WebSettings
from web_checkups import checkups_of
from web_feasibility import FakeFeasibility
from web_history import FakeHistory
from web_logs import FakeLogs
from web_sessions import sessions_of
from web_support import LIB, NOON, SETTINGS, FakeEngine

T = TypeVar("T")

CHROMIUM = os.environ.get("HIL_CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--font-render-hinting=none",
    "--disable-lcd-text",
    "--force-color-profile=srgb",
)
START_LIMIT_S = 10.0


class Served:
    """The application on a free loopback port, in a thread with a loop of its own."""

    def __init__(self, engine: FakeEngine, settings: WebSettings = SETTINGS) -> None:
        self.engine = engine
        self.logs = FakeLogs()
        self._settings = settings
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="server")

    def start(self, port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread.start()
        assert self._ready.wait(START_LIMIT_S)

    def _run(self) -> None:
        async def serve() -> None:
            self.loop = asyncio.get_running_loop()
            clock = PictureClock(self.engine)
            app = make_app(
                self.engine,
                checkups=checkups_of(self.engine),
                feasibility=FakeFeasibility(self.engine),
                logs=self.logs,
                sessions=sessions_of(clock),
                history=FakeHistory(self.engine),
                clock=clock,
                settings=self._settings,
            )
            self.server = Server(app)
            self.loop.call_soon(self._ready.set)
            await self.server.serve(sockets=[self._socket])

        asyncio.run(serve())

    def do(self, work: Callable[[], T]) -> T:
        """Run this on the server's loop, where the engine lives."""

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(START_LIMIT_S)

    def stop(self) -> None:
        """End the streams and the server."""
        self.server.should_exit = True
        self._thread.join(START_LIMIT_S)
        assert not self._thread.is_alive()
        self._socket.close()


class PictureClock:
    """Shows the time of the engine's picture."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def monotonic_ns(self) -> int:
        return round(self.now().timestamp() * 1e9)

    def now(self) -> datetime:
        return self._engine.picture.time


@contextmanager
def served(engine: FakeEngine | None = None) -> Iterator[Served]:
    """The application over this engine while the block runs."""
    server = Served(engine or FakeEngine())
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def silenced(server: Served) -> Iterator[tuple[threading.Event, str]]:
    """A line to the server that carries bytes only while the event is set, and its address."""
    clear = threading.Event()
    clear.set()
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = [listener]

    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                clear.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", server.port))
                ends.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield clear, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        clear.set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium; without one the test is skipped, or fails where it must run."""
    if not Path(CHROMIUM).exists():
        reason = f"no Chromium at {CHROMIUM}: the page was NOT tested; set HIL_CHROMIUM to its path"
        if os.environ.get("HIL_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False, args=list(FLAGS)
        )
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page and everything that it complained of or asked for elsewhere."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.bytes = 0
        self.url = url
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.add_init_script(
            "globalThis.violations = [];"
            "addEventListener('securitypolicyviolation', (event) =>"
            " violations.push(`${event.violatedDirective} ${event.blockedURI}`))"
        )

    def _on_console(self, message: Any) -> None:
        self.complaints.append(f"{message.type}: {message.text}")

    def open(self, path: str = "/operate") -> Page:
        """The page once it is drawn."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector('body[data-ready="true"]')
        return self.page

    def violations(self) -> list[str]:
        """What the page's security policy had to stop."""
        found: list[str] = self.page.evaluate("violations")
        return found

    def elsewhere(self) -> list[str]:
        """Requests that left the server's origin."""
        return [url for url in self.requests if not url.startswith((self.url, "data:"))]


@contextmanager
def opened(server: Served, browser: Browser, **options: Any) -> Iterator[Watched]:
    """A fresh profile with one page on the server."""
    settings = {"locale": "en-GB", "timezone_id": "America/New_York", **options}
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **settings)
    try:
        yield Watched(context, server.url)
    finally:
        context.close()


def plant(page: Page, name: str = "lib") -> Locator:
    """The card of a plant."""
    return page.get_by_test_id(f"plant-{name}")


def run(server: Served, **changes: Any) -> None:
    """Let LIB run and dispatch."""
    state = {"phase": Phase.RUNNING, "dispatching": True, **changes}
    server.do(lambda: server.engine.publish_plant(LIB, **state))


def kinds(server: Served) -> list[CommandKind]:
    """What the engine was asked for."""
    return [command.kind for command in server.engine.submitted]


def latch(server: Served) -> None:
    """Let the emergency stop be active."""
    estop = Estop(active=True, since=NOON, by="ana")
    server.do(lambda: server.engine.publish(estop=estop))
