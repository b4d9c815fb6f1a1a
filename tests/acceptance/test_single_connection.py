"""A device with one place: engine, page, smoke check and registers at once, and a killed engine."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from live_bench import PATIENCE_S, Bench, until
from remote_devices import Device, in_thread, site_of

HOLD_S = 4.0
# Each step would be a storm; so many tries in the hold are what the back-off allows, and spare.
TRIES_MAX = 9


@dataclass
class Counter:
    """Passes connections on to a device, and counts them."""

    behind: int
    tries: int = 0
    port: int = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tries += 1
        inner, outer = await asyncio.open_connection("127.0.0.1", self.behind)
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(4096):
            sink.write(data)
            await sink.drain()
    sink.close()


@contextmanager
def counted(behind: int) -> Iterator[Counter]:
    """A counter in front of this port, in a thread of its own."""
    loop = asyncio.SelectorEventLoop()
    counter = Counter(behind)
    server = loop.run_until_complete(counter.start())

    async def end() -> None:
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    try:
        with in_thread(loop):
            yield counter
    finally:
        loop.run_until_complete(end())
        loop.close()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[tuple[Bench, Counter]]:
    """A site whose only plant stands behind a device with one place, which it holds for a while."""
    only = Device(faults=[{"kind": "single_connection", "hold_s": HOLD_S}])
    with site_of({"lib": only}, tmp_path) as ports, counted(ports["lib"]) as counter:
        path = tmp_path / "config.yaml"
        config = orjson.loads(path.read_bytes())
        config["plants"]["lib"]["endpoints"]["remote"]["port"] = counter.port
        path.write_bytes(orjson.dumps(config))
        # A time-out on a busy machine would cost the place, and is not what is looked at here.
        set_timing(tmp_path, period_s=1, timeout_s=2)
        yield Bench(tmp_path, web=config["web"]["port"], lib=counter.port, vrfb=0), counter


def set_timing(folder: Path, *, period_s: float, timeout_s: float) -> None:
    path = folder / "config.yaml"
    config = orjson.loads(path.read_bytes())
    config["timing"]["modbus_timeout_s"] = timeout_s
    config["timing"]["dispatch_period_s"] = config["timing"]["measurement_period_s"] = period_s
    path.write_bytes(orjson.dumps(config))


def link(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/state").json()["plants"]["lib"]["link"]
    return found


def ran(bench: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        bench.command(*words), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def answered(client: httpx.Client) -> None:
    """The API answers, and the plant does."""

    def is_ok() -> bool:
        with suppress(httpx.HTTPError):
            return bool(link(client)["status"] == "ok")
        return False

    until(is_ok, "the link")


def test_everybody_looks_at_a_device_with_one_place(device: tuple[Bench, Counter]) -> None:
    bench, counter = device
    with bench.runs("engine"), bench.client() as client:
        answered(client)

        smoke = ran(bench, "smoke", "--trace", "--json")
        registers = ran(bench, "register", "read", "lib", "soc", "--json")
        page = client.get(f"http://127.0.0.1:{bench.web}/", follow_redirects=True)
        stranger = ran(bench, "smoke", "--data-dir", str(bench.folder / "elsewhere"))

        (report,) = orjson.loads(smoke.stdout)
        assert (smoke.returncode, report["severity"]) == (0, "ok"), report["findings"]
        assert report["trace"][0].startswith("-> ")
        assert orjson.loads(registers.stdout)[0]["value"] is not None
        assert page.status_code == 200
        assert stranger.returncode == 1
        assert "another client that holds its only connection" in stranger.stdout
        assert link(client)["status"] == "ok"
        assert counter.tries <= 3  # the engine's, and the stranger's two


def test_a_killed_engine_comes_back_without_a_storm(device: tuple[Bench, Counter]) -> None:
    bench, counter = device
    with bench.client() as client:
        with bench.runs("engine") as engine:
            answered(client)
            assert counter.tries == 1
            engine.send_signal(signal.SIGKILL)
            engine.wait()
        set_timing(bench.folder, period_s=0.2, timeout_s=0.4)  # 20 steps while it is held
        with bench.runs("engine"):
            until(lambda: client.get("/state").status_code == 200, "the API")
            until(lambda: link(client)["consecutive_failures"] >= 3, "a held place")
            said = link(client)["last_error"]
            answered(client)

            assert "has too many clients" in said
            assert 2 < counter.tries <= 1 + TRIES_MAX, counter.tries


def test_registers_are_watched_until_ctrl_c(device: tuple[Bench, Counter]) -> None:
    bench, counter = device
    with bench.runs("engine"), bench.client() as client:
        answered(client)
        watching = subprocess.Popen(
            bench.command("register", "watch", "lib", "soc", "v_poi"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert watching.stdout is not None
            seen = [watching.stdout.readline().split() for _ in range(6)]
            watching.send_signal(signal.SIGINT)
            _, said = watching.communicate(timeout=PATIENCE_S)
        finally:
            watching.kill()
            watching.communicate()

        assert [line[0] for line in seen] == ["point", "soc", "v_poi"] * 2
        assert seen[2][1:4] + seen[2][-1:] == ["holding", "296", "uint16", "kV"]
        assert (watching.returncode, said) == (0, "")
        assert counter.tries == 1
