"""CPU per Modbus round trip of our client and of pymodbus, as a ratio to a bare asyncio.Protocol.

All clients live in one process and loop and talk to one server in another process. They take
turns in many short slices, so that what else the machine does falls on all of them alike; each
slice is compared with the bare client's slice beside it. Round trips follow each other without a
pause, so that our client keeps its timer armed (`BUSY_EXCHANGES`); with one request every few
seconds it arms one for each exchange, which was about 0.1 more of the bare client's cost.
"""

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pymodbus.client import AsyncModbusTcpClient

from hil.adapters.modbus_client import TcpLink
from hil.adapters.modbus_server import ModbusServer
from hil.domain.modbus_frame import encode_frame
from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    Request,
    Response,
    Table,
    encode_request,
)
from hil.domain.plant import Device

SLICES = 100
ROUND_TRIPS_A_SLICE = 180  # a multiple of the batch
BATCH = 9
READ = ReadRequest(Table.HOLDING, 0, 10)

Slice = Callable[[], Awaitable[None]]


class _Bare(asyncio.Protocol):
    """Sends the bytes it is given and takes whatever comes as the answer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiter.set_result(data)

    def ask(self, frame: bytes) -> asyncio.Future[bytes]:
        self._waiter = self._loop.create_future()
        self.transport.write(frame)
        return self._waiter


def measure() -> dict[str, Any]:
    """Minimum, median and maximum ratio over the slices, and the bare client's own cost."""
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        return asyncio.run(_measure(int(server.stdout.readline())))
    finally:
        server.communicate(timeout=10)  # the server ends with its input


async def _measure(port: int) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    transport, bare = await loop.create_connection(_Bare, "127.0.0.1", port)
    link = TcpLink(Device(host="127.0.0.1", port=port), timeout_s=1.0)
    peer = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=1.0)
    await peer.connect()
    frame = encode_frame(1, 1, encode_request(READ))

    async def bare_slice() -> None:
        for _ in range(ROUND_TRIPS_A_SLICE):
            await bare.ask(frame)

    async def one_slice() -> None:
        for _ in range(ROUND_TRIPS_A_SLICE):
            outcome = await link.exchange([READ], within_s=1.6)
            assert outcome.problem is None, outcome.problem

    async def batch_slice() -> None:
        for _ in range(ROUND_TRIPS_A_SLICE // BATCH):
            outcome = await link.exchange([READ] * BATCH, within_s=1.6)
            assert outcome.problem is None, outcome.problem

    async def pymodbus_slice() -> None:
        for _ in range(ROUND_TRIPS_A_SLICE):
            answer = await peer.read_holding_registers(0, count=10, device_id=1)
            assert not answer.isError(), answer

    slices: dict[str, Slice] = {
        "hil": one_slice,
        f"hil_{BATCH}_requests_a_call": batch_slice,
        "pymodbus": pymodbus_slice,
    }
    ratios: dict[str, list[float]] = {name: [] for name in slices}
    bare_us: list[float] = []
    for run in (bare_slice, *slices.values()):
        await run()  # connects and warms up
    gc.collect()
    gc.freeze()  # as the engine does after its start
    for _ in range(SLICES):
        for name, run in slices.items():
            base_s = await _cpu_s(bare_slice)
            ratios[name].append(await _cpu_s(run) / base_s)
            bare_us.append(base_s / ROUND_TRIPS_A_SLICE * 1e6)
    transport.close()
    await link.close()
    peer.close()
    return {
        "slices": SLICES,
        "round_trips_a_slice": ROUND_TRIPS_A_SLICE,
        "registers": READ.count,
        "python": sys.version.split()[0],
        "bare_us": _spread(bare_us),
        "cpu_ratio_to_bare": {name: _spread(values) for name, values in ratios.items()},
    }


async def _cpu_s(run: Slice) -> float:
    before = time.process_time()
    await run()
    return time.process_time() - before


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def _answer(request: Request) -> Response | None:
    return ReadReply(tuple(range(request.count))) if isinstance(request, ReadRequest) else None


async def _serve() -> None:
    server = ModbusServer(_answer, unit_id=1)
    print(await server.start("127.0.0.1", 0), flush=True)  # noqa: T201 - tells the parent the port
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.close()


def section() -> str:
    """The page's part: Our client against its peers."""
    got = measure()
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {r['min']:.2f} | {r['median']:.2f} | {r['max']:.2f} |"
        for name, r in got["cpu_ratio_to_bare"].items()
    )
    return f"""## A Modbus round trip

CPU time of one client per round trip (one read of {got["registers"]} holding registers), as a
ratio to a bare `asyncio.Protocol` that sends the same bytes and checks nothing. All clients share
one process, take turns in {got["slices"]} slices of {got["round_trips_a_slice"]} round trips, and
talk to one server in another process. The bare client takes {got["bare_us"]["median"]:.0f} µs.
Goal: at most 1.3 for ours.

| client | min | median | max |
| --- | --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        asyncio.run(_serve())
    else:
        print(json.dumps(measure(), indent=2))  # noqa: T201 - the result of this script
