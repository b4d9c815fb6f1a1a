"""Emulated plants that stand behind remote endpoints, and a configuration that points at them."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from ruamel.yaml import YAML

from emulated_bench import LIB_POINTS
from faulty_server import LeapingClock, faulty_server, show
from hil.config.load import default_text
from hil.domain.modbus_pdu import Table, WriteReply, WriteRequest
from hil.domain.point import Format, Point
from hil.emulation.active_fault import NS_PER_S
from live_bench import free_port

Fault = Mapping[str, Any]
SETTLED_NS = 10 * NS_PER_S  # a plant carries its power well before


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device of the field: what is wrong with it, and with the site's idea of it.

    Args:
        faults: Shown by the device once it runs.
        points: Its map, which the site's map repeats except for `mistaken`.
        mistaken: Keys of points that the site's map has wrong.
        quirks: As the site's configuration has them.
    """

    faults: Sequence[Fault] = ()
    points: Sequence[Point] = tuple(LIB_POINTS)
    mistaken: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quirks: Mapping[str, Any] = field(default_factory=dict)
    p_kw: float = 300.0

    def plant(self, port: int) -> dict[str, Any]:
        """The plant in the site's configuration."""
        plant: dict[str, Any] = default_config()["plants"]["lib"]
        del plant["measurement_series"]  # of one plant only
        plant["endpoints"] = {
            "local": {"host": "127.0.0.1", "port": free_port()},
            "remote": {"host": "127.0.0.1", "port": port, "quirks": dict(self.quirks)},
        }
        plant["register_map"]["points"] = {
            point.name: {**_written(point), **self.mistaken.get(point.name, {})}
            for point in self.points
        }
        return plant


def default_config() -> dict[str, Any]:
    """The packaged configuration as plain values."""
    config: dict[str, Any] = YAML(typ="safe").load(default_text())
    return config


def wide_block() -> tuple[Point, ...]:
    """The map with 40 registers in a row besides."""
    extra = [
        replace(LIB_POINTS[4], name=f"extra_{at}", address=500 + 4 * at, format=Format.INT64)
        for at in range(10)
    ]
    return (*LIB_POINTS, *extra)


def wide_power() -> tuple[Point, ...]:
    """The map with battery power as 32 bit."""
    return tuple(
        replace(point, format=Format.INT32) if point.name == "p_battery" else point
        for point in LIB_POINTS
    )


def neighbours() -> tuple[Point, ...]:
    """The map with reactive beside active battery power."""
    return tuple(
        replace(point, address=271) if point.name == "q_battery" else point for point in LIB_POINTS
    )


def _written(point: Point) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "address": point.address,
        "format": str(point.format),
        "access": str(point.access),
        "unit": point.unit,
        "scale": point.scale,
    }
    return {**keys, "values": dict(point.values)} if point.values else keys


@contextmanager
def site_of(devices: Mapping[str, Device], folder: Path) -> Iterator[dict[str, int]]:
    """The devices behind real sockets, in a thread, and `config.yaml` of a site that has them.

    Yields the port of each.
    """
    loop = asyncio.SelectorEventLoop()
    stack = AsyncExitStack()

    async def start(device: Device) -> int:
        clock = LeapingClock()
        server = faulty_server(list(device.points), clock=clock)
        port, plant = await stack.enter_async_context(server)
        for address, value in ((1, 1), (86, round(device.p_kw * 10))):
            write = WriteRequest(Table.HOLDING, address, (value,), multiple=False)
            assert plant.handle(write) == WriteReply()
        clock.leap_ns = SETTLED_NS
        for fault in device.faults:
            show(plant, **fault)
        await asyncio.sleep(0)  # its server attends to the door
        return port

    ports = {name: loop.run_until_complete(start(device)) for name, device in devices.items()}
    config = default_config()
    config["startup"]["transport"] = "remote"
    config["timing"]["modbus_timeout_s"] = 0.4
    for name in ("dispatch_period_s", "measurement_period_s"):
        config["timing"][name] = 0.2
    config["web"]["port"] = free_port()
    config["emulation"]["control_port"] = free_port()
    config["plants"] = {name: device.plant(ports[name]) for name, device in devices.items()}
    (folder / "config.yaml").write_bytes(orjson.dumps(config))
    try:
        with in_thread(loop):
            yield ports
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()


@contextmanager
def in_thread(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """The loop runs in a thread of its own while the block runs."""
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
