"""A thousand emulated plants at 1 Hz: from the step to the answered exchange, and the CPU of it.

The emulated plants live in a process of their own. Engine and pymodbus take turns in another one:
each step writes both setpoints (they change every second) and reads every point. Plants are
spread over the period in both, as the engine does it.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bench_engine import NoSink, bench_settings
from pymodbus.client import AsyncModbusTcpClient

from hil.adapters.garbage import settle
from hil.adapters.modbus_client import TcpLink
from hil.adapters.modbus_server import ModbusServer
from hil.adapters.system_clock import SystemClock
from hil.config.load import load_default
from hil.config.values import plant_specs
from hil.domain.commands import CommandKind
from hil.domain.modbus_pdu import ReadRequest, Request
from hil.domain.plant import Device, PlantId, PlantSpec, Transport
from hil.domain.registers import RegisterMap
from hil.domain.schedule import Schedule, Series
from hil.emulation.fleet import EmulatedFleet
from hil.engine.cadence import NS_PER_S, wall_ns
from hil.engine.engine import Engine
from hil.ports import Exchange, Tap
from hil.virtual.memory_locks import MemoryLocks
from hil.virtual.memory_store import MemoryStore

PLANTS = 1_000
FIRST_PORT = 20_000
PERIOD_NS = NS_PER_S
MEASURED_S = 20
ROUNDS = 2
# One block of ten registers, both setpoints side by side.
COMPACT = (
    "enable",
    "stop_command",
    "p_setpoint",
    "q_setpoint",
    "p_battery",
    "q_battery",
    "p_poi",
    "q_poi",
    "soc",
    "v_poi",
)


def specs(*, compact: bool) -> list[PlantSpec]:
    """A thousand plants like `lib`, each on its port, with the compact or the default map."""
    lib = plant_specs(load_default())[0]
    endpoint = lib.endpoints[Transport.LOCAL]
    registers = endpoint.registers
    if compact:
        points = {
            name: replace(registers.points[name], address=address)
            for address, name in enumerate(COMPACT)
        }
        registers = RegisterMap(points=points, v_nominal_kv=registers.v_nominal_kv)
    return [
        replace(
            lib,
            id=PlantId(f"p{k}"),
            name=f"P{k}",
            endpoints={
                Transport.LOCAL: replace(
                    endpoint,
                    main=Device(host="127.0.0.1", port=FIRST_PORT + k),
                    registers=registers,
                )
            },
        )
        for k in range(PLANTS)
    ]


class _TimedLink:
    """A `TcpLink` that notes how long after the plant's step its exchanges of reads end."""

    def __init__(self, device: Device, phase_ns: int, delays_ns: list[int]) -> None:
        self._link = TcpLink(device, timeout_s=1.0)
        self._phase_ns = phase_ns
        self._delays_ns = delays_ns

    async def exchange(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        got = await self._link.exchange(requests, within_s=within_s, tap=tap)
        if isinstance(requests[-1], ReadRequest):  # writes come first, in an exchange of their own
            now_ns = wall_ns(datetime.now(UTC))
            self._delays_ns.append((now_ns - self._phase_ns) % PERIOD_NS)
        return got

    async def close(self) -> None:
        await self._link.close()


def measure() -> dict[str, Any]:
    """Delays in ms and cores used, with the compact map (beside pymodbus) and the default one."""
    raise_files()
    return {
        "plants": PLANTS,
        "seconds": MEASURED_S,
        "compact": _with_emulators(compact=True, rounds=ROUNDS, beside_pymodbus=True),
        "default": _with_emulators(compact=False, rounds=1, beside_pymodbus=False),
    }


def raise_files() -> None:
    """A thousand sockets and some."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))


def _with_emulators(*, compact: bool, rounds: int, beside_pymodbus: bool) -> dict[str, Any]:
    arguments = [sys.executable, __file__, "--serve", *(["--compact"] if compact else [])]
    server = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    server.stdout.readline()
    runs: dict[str, list[dict[str, float]]] = {"hil": [], "pymodbus": []}
    try:
        for _ in range(rounds):
            runs["hil"].append(asyncio.run(_engine(specs(compact=compact))))
            if beside_pymodbus:
                runs["pymodbus"].append(asyncio.run(_pymodbus()))
    finally:
        out, _ = server.communicate(timeout=30)  # the emulators end with their input
    figures: dict[str, Any] = {
        name: {key: round(statistics.median(r[key] for r in of), 2) for key in of[0]}
        for name, of in runs.items()
        if of
    }
    figures["emulators_cores"] = json.loads(out)["cores"]
    return figures


async def _engine(plants: list[PlantSpec]) -> dict[str, float]:
    clock, delays_ns = SystemClock(), list[int]()
    phases = {
        spec.id: PERIOD_NS * k // PLANTS // 1_000_000 * 1_000_000 for k, spec in enumerate(plants)
    }
    engine = Engine(
        bench_settings(period_s=1),
        plants,
        lambda spec, _, device: _TimedLink(device, phases[spec.id], delays_ns),
        NoSink(),
        MemoryStore(),
        clock,
        locks=MemoryLocks({}),
        emulator=None,
        new_id=iter(str(k) for k in range(10**9)).__next__,
    )
    await engine.start()
    start = clock.now().replace(microsecond=0)
    seconds = range(MEASURED_S * 3 + 60)
    series = Series(
        tuple(start + timedelta(seconds=k) for k in seconds),
        tuple(100.0 + k % 50 for k in seconds),
    )
    for spec in plants:
        await engine.put_manual_schedule(spec.id, Schedule(p=series), by="bench")
    started = engine.submit(CommandKind.FLEET_START, None, by="bench")
    while not engine.command(started.id).status.is_final:
        await asyncio.sleep(0.1)
    settle()
    await asyncio.sleep(3)
    delays_ns.clear()
    cpu_s = time.process_time()
    await asyncio.sleep(MEASURED_S)
    cores = (time.process_time() - cpu_s) / MEASURED_S
    figures = _figures(delays_ns, cores)
    figures["missed_steps"] = engine.snapshot().engine.missed_steps
    await engine.stop_safely()
    await engine.close()
    return figures


async def _pymodbus() -> dict[str, float]:
    delays_ns: list[int] = []
    clients = [
        AsyncModbusTcpClient("127.0.0.1", port=FIRST_PORT + k, timeout=1.0) for k in range(PLANTS)
    ]
    for client in clients:
        await client.connect()
    loop = asyncio.get_running_loop()
    end = loop.time() + 3 + MEASURED_S
    tasks = [
        loop.create_task(_poll(client, PERIOD_NS * k // PLANTS, end, delays_ns))
        for k, client in enumerate(clients)
    ]
    await asyncio.sleep(3)
    delays_ns.clear()
    cpu_s = time.process_time()
    await asyncio.gather(*tasks)
    cores = (time.process_time() - cpu_s) / MEASURED_S
    for client in clients:
        client.close()
    return _figures(delays_ns, cores)


async def _poll(
    client: AsyncModbusTcpClient, phase_ns: int, end: float, delays_ns: list[int]
) -> None:
    loop, value = asyncio.get_running_loop(), 0
    while loop.time() < end:
        now_ns = wall_ns(datetime.now(UTC))
        await asyncio.sleep((PERIOD_NS - (now_ns - phase_ns) % PERIOD_NS) / NS_PER_S)
        value = (value + 1) % 50
        wrote = await client.write_registers(2, [1000 + value, 0], device_id=1)
        read = await client.read_holding_registers(0, count=10, device_id=1)
        assert not wrote.isError(), wrote
        assert not read.isError(), read
        delays_ns.append((wall_ns(datetime.now(UTC)) - phase_ns) % PERIOD_NS)


def _figures(delays_ns: list[int], cores: float) -> dict[str, float]:
    ordered = sorted(delays_ns)
    return {
        "p50_ms": ordered[len(ordered) // 2] / 1e6,
        "p99_ms": ordered[len(ordered) * 99 // 100] / 1e6,
        "max_ms": ordered[-1] / 1e6,
        "cores": cores,
    }


async def _serve(*, compact: bool) -> None:
    plants = specs(compact=compact)
    fleet = EmulatedFleet(
        plants,
        kinds={spec.id: "lithium_ion" for spec in plants},
        clock=SystemClock(),
        step_s=1.0,
        initial_soc_pu=0.5,
        v_source_pu=1.0,
        f_hz=50.0,
        faults={},
    )
    servers = [ModbusServer(fleet.plants[spec.id].handle, unit_id=1) for spec in plants]
    for k, server in enumerate(servers):
        await server.start("127.0.0.1", FIRST_PORT + k)
    settle()
    print("ready", flush=True)  # noqa: T201 - tells the parent
    cpu_s, wall_s = time.process_time(), time.monotonic()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    cores = (time.process_time() - cpu_s) / (time.monotonic() - wall_s)
    print(json.dumps({"cores": round(cores, 2)}), flush=True)  # noqa: T201 - the result
    for server in servers:
        await server.close()


def section() -> str:
    """The page's part: A thousand plants at 1 Hz."""
    got = measure()
    rows = "\n".join(
        f"| {label} | {r['p50_ms']:.1f} | {r['p99_ms']:.1f} | {r['max_ms']:.1f}"
        f" | {r['cores']:.2f} |"
        for label, r in (
            ("hil, one block and adjacent setpoints", got["compact"]["hil"]),
            ("pymodbus, the same reads and writes alone", got["compact"]["pymodbus"]),
            ("hil, the default map (nine blocks, three writes)", got["default"]["hil"]),
        )
    )
    return f"""## A thousand plants at 1 Hz

{got["plants"]} emulated plants in a process of their own; each step writes both setpoints, which
change every second, and reads every point. From the step to the answered exchange, and the cores
that the asking process uses, over {got["seconds"]} s; engine and pymodbus in turn. The engine
decides, watches and publishes meanwhile; pymodbus only asks. Goal with the compact map: p99 at
most 5 ms, at most 0.7 cores. The emulators use {got["compact"]["emulators_cores"]:.2f} cores with
the compact map, {got["default"]["emulators_cores"]:.2f} with the default one.

| | p50 ms | p99 ms | max ms | cores |
| --- | --- | --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--compact", action="store_true")
    options = parser.parse_args()
    if options.serve:
        raise_files()
        asyncio.run(_serve(compact=options.compact))
    else:
        print(json.dumps(measure(), indent=2))  # noqa: T201 - the result
