"""An emulated plant with faults behind a Modbus server on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from emulated_bench import LIB_POINTS, spec_of
from hil.adapters.modbus_server import ModbusServer
from hil.adapters.system_clock import SystemClock
from hil.domain.faults import parse_faults
from hil.domain.modbus_pdu import Request, Response
from hil.domain.point import Point
from hil.emulation.faulty import FaultyPlant
from hil.emulation.kind import model_of
from hil.emulation.plant import EmulatedPlant
from hil.ports import Answer, Clock


@dataclass
class LeapingClock:
    """The system's clock, which a test lets leap so that it need not wait."""

    leap_ns: int = 0

    def monotonic_ns(self) -> int:
        return SystemClock().monotonic_ns() + self.leap_ns

    def now(self) -> datetime:
        return SystemClock().now()

    def leap(self, seconds: float) -> None:
        self.leap_ns += round(seconds * 1e9)


def show(plant: FaultyPlant, kind: str, **params: object) -> None:
    """Let the plant show a fault or a profile from now on."""
    for fault in parse_faults({"kind": kind, **params}):
        plant.set_fault(fault)


@asynccontextmanager
async def faulty_server(
    points: list[Point] | None = None,
    *,
    clock: Clock | None = None,
    seen: list[Request] | None = None,
) -> AsyncIterator[tuple[int, FaultyPlant]]:
    """The port of a lithium plant, unit 1, and the plant.

    Args:
        clock: None: that of the system.
        seen: Gets every request of the wire.
    """
    spec, clock = spec_of(points or LIB_POINTS), clock or SystemClock()
    inner = EmulatedPlant(
        spec,
        model=model_of("lithium_ion", spec),
        clock=clock,
        step_s=1.0,
        initial_soc_pu=0.5,
    )
    plant = FaultyPlant(inner, spec, clock=clock)

    def handle(request: Request) -> Response | Answer | None:
        if seen is not None:
            seen.append(request)
        return plant.handle(request)

    server = ModbusServer(handle, unit_id=1)
    port = await server.start("127.0.0.1", 0)
    plant.listen(server.knock)
    attending = asyncio.create_task(server.attend(plant.door))
    try:
        yield port, plant
    finally:
        attending.cancel()
        with suppress(asyncio.CancelledError):
            await attending
        await server.close()
