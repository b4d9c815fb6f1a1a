"""A program: a bench on virtual time whose data folder fills up or turns read-only for a while.

It prints what came of it as JSON. With `--mounted` the folder is a small file system of its own,
which this process may mount because it runs in a name space of its own; without, files cannot grow
for a while, which is as near as a process without such rights comes to a full disk.
"""

import asyncio
import csv
import json
import logging
import random
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hil.adapters.sqlite_store import SqliteStore
from hil.assembly.bench import build_engine, checked_specs, emulated_fleet
from hil.config.load import load_default
from hil.config.model import Config
from hil.domain.commands import CommandKind
from hil.domain.plant import PlantId
from hil.domain.schedule import Schedule, Series
from hil.engine.engine import Engine
from hil.ports import StateStore
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from hil.virtual.memory_link import MemoryLink
from hil.virtual.memory_locks import MemoryLocks
from hil.virtual.memory_store import MemoryStore

START = datetime(2026, 6, 1, 21, 59, tzinfo=UTC)  # site midnight falls into the trouble
LIB = PlantId("lib")
BEFORE_S, DURING_S, AFTER_S = 31, 121, 31


class Full:
    """Not a byte is free."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self._filler = folder / "filler"
        self._mounted = mounted
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def begin(self) -> None:
        if not self._mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, self._limits[1]))
            return
        with self._filler.open("wb", buffering=0) as file:
            for size in (65_536, 1):
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def end(self) -> None:
        if self._mounted:
            self._filler.unlink()
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


class NoTrouble:
    """Nothing happens."""

    def begin(self) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class ReadOnly:
    """Nothing can be written. (It begins before anything is open: else the kernel refuses.)"""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self) -> None:
        self._remount("ro")

    def end(self) -> None:
        self._remount("rw")

    def _remount(self, how: str) -> None:
        command = ["mount", "-o", f"remount,{how}", str(self._folder)]
        subprocess.run(command, check=True, capture_output=True)


def bench(config: Config, folder: Path, store: StateStore, clock: VirtualClock) -> Engine:
    specs = checked_specs(config)
    fleet = emulated_fleet(config, specs, clock)

    return build_engine(
        config,
        specs,
        lambda spec, _, __: MemoryLink(fleet.plants[spec.id].handle, timeout_s=1.0),
        clock,
        directory=folder,
        store=store,
        locks=MemoryLocks({}),
        emulator=fleet,
        draw=random.Random(1),
    )


async def run(folder: Path, trouble: Full | ReadOnly | NoTrouble) -> dict[str, Any]:
    """Two plants are dispatched and recorded before, during and after the trouble."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = VirtualClock(loop, START)
    # A database that is open keeps the kernel from making its file system read-only.
    is_late = isinstance(trouble, ReadOnly)
    store = MemoryStore() if is_late else SqliteStore(folder / "data" / "hil.sqlite")
    engine = bench(load_default(), folder, store, clock)
    await engine.start()
    times = [START + timedelta(seconds=10 * k) for k in range(60)]
    plan = Schedule(p=Series(tuple(times), tuple(10.0 * k for k in range(60))))
    for plant in engine.snapshot().plants:
        await engine.put_manual_schedule(plant, plan, by="test")
    if not is_late:
        engine.submit(CommandKind.FLEET_START, None, by="test")
        await asyncio.sleep(BEFORE_S)
    trouble.begin()
    if is_late:
        engine.submit(CommandKind.FLEET_START, None, by="test")
    await asyncio.sleep(DURING_S)
    during = engine.snapshot()
    trouble.end()
    await asyncio.sleep(AFTER_S)
    after = engine.snapshot()
    await engine.stop_safely()
    unwritten = await engine.close()
    return {
        "during": sorted(a.kind for a in during.alarms if a.cleared_at is None and not a.plant),
        "after": sorted(a.kind for a in after.alarms if a.cleared_at is None and not a.plant),
        "lateness_max_ms": after.engine.dispatch_lateness_ms.max,
        "missed_steps": after.engine.missed_steps,
        "setpoint_kw": [during.plants[LIB].setpoint.p_kw, after.plants[LIB].setpoint.p_kw],
        "unwritten": unwritten,
        "files": files_of(folder / "data"),
        "sessions": [json.loads(p.read_text()) for p in (folder / "data/sessions").iterdir()],
        "since_start_s": (clock.now() - START).total_seconds(),
    }


def files_of(folder: Path) -> dict[str, list[dict[str, str]]]:
    return {
        path.name: list(csv.DictReader(path.read_text().splitlines()))
        for path in sorted(folder.glob("*.csv"))
    }


def main() -> None:
    """Arguments: `full`, `readonly` or `none`, the folder, `--mounted` when it may be mounted."""
    kind, folder, *flags = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s %(message)s")
    if flags:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
        subprocess.run(mount, check=True, capture_output=True)
    trouble: Full | ReadOnly | NoTrouble = Full(Path(folder), mounted=bool(flags))
    if kind == "readonly" and flags:
        trouble = ReadOnly(Path(folder))
    elif kind == "none":
        trouble = NoTrouble()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        sys.stdout.write(json.dumps(runner.run(run(Path(folder), trouble))))


if __name__ == "__main__":
    main()
