"""Twenty plants of which three are black-holed and two silent: how late the other fifteen are.

The emulated plants live in a process of their own, and so do the dead ones: a black-holed address
drops every SYN (a listening socket whose backlog is full), a silent one accepts and never answers.
An engine with the fifteen alone and one with all twenty take turns.
"""

import argparse
import asyncio
import gc
import json
import logging
import socket
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from bench_engine import NoSink, bench_settings

from hil.adapters.garbage import settle
from hil.adapters.modbus_client import TcpLink
from hil.adapters.modbus_server import ModbusServer
from hil.adapters.system_clock import SystemClock
from hil.config.load import load_default
from hil.config.values import plant_specs
from hil.domain.commands import CommandKind
from hil.domain.modbus_pdu import Request
from hil.domain.percentiles import percentiles_ms
from hil.domain.plant import Device, PlantId, PlantSpec, Transport
from hil.domain.schedule import Schedule, Series
from hil.domain.snapshot import LinkStatus
from hil.emulation.fleet import EmulatedFleet
from hil.engine.cadence import NS_PER_S, wall_ns
from hil.engine.engine import Engine
from hil.ports import Exchange, Tap
from hil.virtual.memory_locks import MemoryLocks
from hil.virtual.memory_store import MemoryStore

LIVE, BLACK_HOLED, SILENT = 15, 3, 2
FIRST_PORT = 22_000
PERIOD_NS = NS_PER_S // 5
ROUNDS = 5
MEASURED_S = 6
SETTLED_S = 1.0
# Of connections that the kernel holds for a socket that accepts none; the rest are dropped.
FILLERS = 4


def specs(count: int) -> list[PlantSpec]:
    """This many plants like `lib`, each on its port: first the live ones, then the dead."""
    lib = plant_specs(load_default())[0]
    endpoint = lib.endpoints[Transport.LOCAL]
    devices = [Device(host="127.0.0.1", port=FIRST_PORT + k) for k in range(count)]
    return [
        replace(
            lib,
            id=PlantId(f"p{k}"),
            name=f"P{k}",
            endpoints={Transport.LOCAL: replace(endpoint, main=device)},
        )
        for k, device in enumerate(devices)
    ]


class _TimedLink:
    """A `TcpLink` that notes how long after a step its first request and its last answer are."""

    def __init__(self, device: Device, begun_ns: list[int], done_ns: list[int]) -> None:
        self._link = TcpLink(device, timeout_s=1.0)
        self._begun_ns = begun_ns
        self._done_ns = done_ns
        self._step = 0

    async def exchange(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        step, after_ns = divmod(wall_ns(datetime.now(UTC)), PERIOD_NS)
        if step == self._step:  # of the step before, whose writes were an exchange of their own
            self._done_ns.pop()
        else:
            self._step = step
            self._begun_ns.append(after_ns)
        got = await self._link.exchange(requests, within_s=within_s, tap=tap)
        self._done_ns.append(wall_ns(datetime.now(UTC)) - step * PERIOD_NS)
        return got

    async def close(self) -> None:
        await self._link.close()


def measure() -> dict[str, Any]:
    """Lateness and time to done of the live plants in ms, without and with the dead ones."""
    logging.getLogger("hil").setLevel(logging.CRITICAL)  # that dead plants are dead is known
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    server.stdout.readline()
    taken: dict[str, list[tuple[list[int], list[int]]]] = {"without": [], "with": []}
    counts = {"without": LIVE, "with": LIVE + BLACK_HOLED + SILENT}
    try:
        for k in range(ROUNDS):
            for name in ("without", "with") if k % 2 == 0 else ("with", "without"):
                taken[name].append(asyncio.run(_engine(specs(counts[name]))))
    finally:
        server.communicate(timeout=30)  # the plants end with their input
    return {
        "live": LIVE,
        "black_holed": BLACK_HOLED,
        "silent": SILENT,
        "period_s": PERIOD_NS / NS_PER_S,
        "seconds": ROUNDS * MEASURED_S,
        "late": _figures({name: [begun for begun, _ in of] for name, of in taken.items()}),
        "done": _figures({name: [done for _, done in of] for name, of in taken.items()}),
    }


def _figures(windows: dict[str, list[list[int]]]) -> dict[str, dict[str, float]]:
    """Percentiles of each side in ms, and the ratios of the p99 of its pairs of windows."""
    figures = {
        name: {key: value or 0.0 for key, value in asdict(percentiles_ms(chain(*of))).items()}
        for name, of in windows.items()
    }
    ratios = sorted(
        (percentiles_ms(dead).p99 or 0.0) / (percentiles_ms(alone).p99 or 0.0)
        for dead, alone in zip(windows["with"], windows["without"], strict=True)
    )
    figures["p99_ratio"] = {
        "min": ratios[0],
        "median": statistics.median(ratios),
        "max": ratios[-1],
    }
    return figures


async def _engine(plants: list[PlantSpec]) -> tuple[list[int], list[int]]:
    """Nanoseconds from the step to the first request and to the last answer, of live plants."""
    clock, begun_ns, done_ns = SystemClock(), list[int](), list[int]()
    live = [spec.id for spec in plants[:LIVE]]
    engine = Engine(
        bench_settings(period_s=PERIOD_NS / NS_PER_S),
        plants,
        lambda spec, _, device: (
            _TimedLink(device, begun_ns, done_ns)
            if spec.id in live
            else TcpLink(device, timeout_s=1.0)
        ),
        NoSink(),
        MemoryStore(),
        clock,
        locks=MemoryLocks({}),
        emulator=None,
        new_id=iter(str(k) for k in range(10**9)).__next__,
    )
    await engine.start()
    start = clock.now().replace(microsecond=0)
    times = tuple(start + timedelta(seconds=k) for k in range(120))
    schedule = Schedule(p=Series(times, tuple(100.0 + k % 50 for k in range(120))))
    for spec in plants:
        await engine.put_manual_schedule(spec.id, schedule, by="bench")
        engine.submit(CommandKind.START, spec.id, by="bench")
    await _until_none_is_open(engine, live)
    settle()
    await asyncio.sleep(SETTLED_S)
    begun_ns.clear()
    done_ns.clear()
    await asyncio.sleep(MEASURED_S)
    measured = list(begun_ns), list(done_ns)
    gc.unfreeze()
    states = engine.snapshot().plants
    assert {states[plant].link.status for plant in live} == {LinkStatus.OK}
    dead = {states[spec.id].link.status for spec in plants[LIVE:]}
    assert dead <= {LinkStatus.TIMEOUT}, dead
    for plant in live:
        engine.submit(CommandKind.STOP, plant, by="bench")
    await _until_none_is_open(engine, live)
    await engine.close()
    return measured


async def _until_none_is_open(engine: Engine, plants: Sequence[PlantId]) -> None:
    while any(one.plant in plants and not one.status.is_final for one in engine.commands()):
        await asyncio.sleep(0.05)


async def _serve() -> None:
    plants = specs(LIVE + BLACK_HOLED + SILENT)
    live = plants[:LIVE]
    fleet = EmulatedFleet(
        live,
        kinds={spec.id: "lithium_ion" for spec in live},
        clock=SystemClock(),
        step_s=1.0,
        initial_soc_pu=0.5,
        v_source_pu=1.0,
        f_hz=50.0,
        faults={},
    )
    servers = [ModbusServer(fleet.plants[spec.id].handle, unit_id=1) for spec in live]
    for k, server in enumerate(servers):
        await server.start("127.0.0.1", FIRST_PORT + k)
    with ExitStack() as holes:
        for k in range(BLACK_HOLED):
            _black_hole(holes, FIRST_PORT + LIVE + k)
        silent = [
            await asyncio.start_server(
                _say_nothing, "127.0.0.1", FIRST_PORT + LIVE + BLACK_HOLED + k
            )
            for k in range(SILENT)
        ]
        print("ready", flush=True)  # noqa: T201 - tells the parent
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for each in silent:
            each.close()
    for server in servers:
        await server.close()


def _black_hole(holes: ExitStack, port: int) -> None:
    """Listen on a port until the stack is closed, so that the kernel drops every SYN to it."""
    full = holes.enter_context(socket.socket())
    full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    full.bind(("127.0.0.1", port))
    full.listen(0)
    for _ in range(FILLERS):
        filler = holes.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what comes until the other end closes."""
    while await reader.read(1024):
        pass
    writer.close()


def section() -> str:
    """The page's part: Plants that do not answer beside plants that do."""
    got = measure()
    sides = {"without": f"the {got['live']} alone", "with": "with the dead plants"}
    rows = "\n".join(
        f"| {what}, {label} | {got[key][side]['p50']:.1f} | {got[key][side]['p99']:.1f}"
        f" | {got[key][side]['max']:.1f} |"
        for key, what in (("late", "first request"), ("done", "last answer"))
        for side, label in sides.items()
    )
    late, done = got["late"]["p99_ratio"], got["done"]["p99_ratio"]
    return f"""## Dead plants beside live ones

{got["live"]} emulated plants with the default map and steps of {got["period_s"]:g} s, alone and
beside {got["black_holed"]} black-holed ones (every SYN is dropped) and {got["silent"]} silent ones
(accepted, never answered), in turn in one run, {got["seconds"]} s each. All are asked to start.
From the step to the first request and to the last answer of the {got["live"]}. Goal: as without
the dead ones. The p99 with them to that without, by pairs of neighbouring runs: of the first
request {late["median"]:.2f} ({late["min"]:.2f} to {late["max"]:.2f}), of the last answer
{done["median"]:.2f} ({done["min"]:.2f} to {done["max"]:.2f}).

| | p50 ms | p99 ms | max ms |
| --- | --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true")
    if parser.parse_args().serve:
        asyncio.run(_serve())
    else:
        print(json.dumps(measure(), indent=2))  # noqa: T201 - the result
