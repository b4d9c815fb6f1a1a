"""The control port of the emulated plants: JSON lines over loopback, both ends.

`{"request": "set_soc", "plant": "lib", "soc_pu": 0.5}` is answered by `{"ok": true}` or by
`{"ok": false, "error": "a sentence"}`. The other requests are `set_fault` with a `fault` such as
`{"kind": "delay", "ms": 300}`, `clear_fault` with a `kind` (without one: all), and `faults`, whose
answer lists them.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import orjson

from hil.adapters.data_directory import listen_tcp
from hil.domain.errors import HilError, InvalidInput
from hil.domain.faults import Fault, FaultKind, kinds_of, parse_faults
from hil.domain.plant import PlantId
from hil.ports import EmulatorControl

LOOPBACK = "127.0.0.1"
# The longest request is a tenth of this.
LINE_BYTES_MAX = 4096
# The engine, a scenario and a person; more is somebody who does not close.
CONNECTIONS_MAX = 16
# A connection that says nothing for so long is closed, so that its place is free again.
SILENCE_S_MAX = 60.0
# The plants answer at once; longer than this nobody is there.
ANSWER_S_MAX = 2.0

# What each request takes, in words.
_REQUESTS = {
    "set_soc": "a plant and a number soc_pu",
    "set_fault": "a plant and an object fault",
    "clear_fault": "a plant and, for one fault, its kind",
    "faults": "a plant",
}


class EmulatorControlServer:
    """Serves what `plants` can do to programs of this machine, and to no other.

    A request that cannot be read is answered with an error, and its connection is closed.
    """

    def __init__(self, plants: EmulatorControl) -> None:
        self._plants = plants
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}

    async def start(self, port: int) -> int:
        """Listen, and return the port, which matters when `port` is 0.

        Raises:
            HilError: The port is in use or may not be used.
        """
        listener = listen_tcp(LOOPBACK, port, what="the control of the emulated plants")
        self._server = await asyncio.start_server(self._serve, sock=listener, limit=LINE_BYTES_MAX)
        bound: int = listener.getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening and drop every connection; returns once they are done."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        tasks = [task for task in self._connections.values() if task is not None]
        for writer in tuple(self._connections):
            writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        try:
            if self._server is None:
                return
            if len(self._connections) > CONNECTIONS_MAX:
                writer.write(_failed("too many connections; close one"))
                return
            while line := await self._line(reader, writer):
                answer, is_readable = await self._answer(line)
                writer.write(answer)
                if not is_readable:
                    return
        except OSError:
            pass  # the other end is gone, and nobody is left to tell
        finally:
            del self._connections[writer]
            writer.close()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The next line; empty when there is none to come."""
        try:
            async with asyncio.timeout(SILENCE_S_MAX):
                await writer.drain()
                return await reader.readline()
        except TimeoutError:
            return b""
        except ValueError:
            writer.write(_failed(f"a request has at most {LINE_BYTES_MAX} bytes"))
            return b""

    async def _answer(self, line: bytes) -> tuple[bytes, bool]:
        """The answer to a line, and whether it could be read."""
        try:
            work = self._work(line)
        except InvalidInput as error:
            return _failed(str(error)), False
        try:
            facts = await work
        except HilError as error:
            return _failed(str(error)), True
        return orjson.dumps({"ok": True, **(facts or {})}) + b"\n", True

    def _work(self, line: bytes) -> Awaitable[dict[str, Any] | None]:
        """What a request asks for, not begun; raises `InvalidInput`."""
        asked = _object(line) or {}
        match asked:
            case {
                "request": "set_soc",
                "plant": str(plant),
                "soc_pu": int() | float() as soc_pu,
            }:
                _only(asked, "plant", "soc_pu", a_number=soc_pu)
                return self._plants.set_soc(PlantId(plant), float(soc_pu))
            case {"request": "set_fault", "plant": str(plant), "fault": dict(document)}:
                _only(asked, "plant", "fault")
                return self._set_faults(PlantId(plant), parse_faults(document))
            case {"request": "clear_fault", "plant": str(plant)}:
                _only(asked, "plant", "kind")
                kind = asked.get("kind")
                kinds = (None,) if kind is None else kinds_of(str(kind))
                return self._clear_faults(PlantId(plant), kinds)
            case {"request": "faults", "plant": str(plant)}:
                _only(asked, "plant")
                return self._listed(PlantId(plant))
            case {"request": str(name)} if name in _REQUESTS:
                raise InvalidInput(f"{name} takes {_REQUESTS[name]}, and nothing else")
            case {"request": str(name)}:
                there = ", ".join(_REQUESTS)
                raise InvalidInput(f"there is no request {name[:40]!r}; there are {there}")
            case _:
                raise InvalidInput("a request is one line of JSON, an object with a `request`")

    async def _set_faults(self, plant: PlantId, faults: tuple[Fault, ...]) -> None:
        for fault in faults:
            await self._plants.set_fault(plant, fault)

    async def _clear_faults(self, plant: PlantId, kinds: tuple[FaultKind | None, ...]) -> None:
        for kind in kinds:
            await self._plants.clear_fault(plant, kind)

    async def _listed(self, plant: PlantId) -> dict[str, Any]:
        return {"faults": [fault.document() for fault in await self._plants.faults(plant)]}


class ControlClient:
    """An `EmulatorControl` for who does not share the plants' process; a connection a request.

    Args:
        within_s: Seconds for a request, connecting included.
    """

    def __init__(self, port: int, *, within_s: float = ANSWER_S_MAX) -> None:
        self._port = port
        self._within_s = within_s

    async def set_soc(self, plant: PlantId, soc_pu: float) -> None:
        """Set the state of charge of an idle plant.

        Raises:
            HilError: The plant cannot, or nobody answers in time.
        """
        await self._ask({"request": "set_soc", "plant": plant, "soc_pu": soc_pu})

    async def set_fault(self, plant: PlantId, fault: Fault) -> None:
        """See `EmulatorControl.set_fault`; raises also when nobody answers in time."""
        await self._ask({"request": "set_fault", "plant": plant, "fault": fault.document()})

    async def clear_fault(self, plant: PlantId, kind: FaultKind | None) -> None:
        """See `EmulatorControl.clear_fault`; raises also when nobody answers in time."""
        await self._ask({"request": "clear_fault", "plant": plant, "kind": kind})

    async def faults(self, plant: PlantId) -> tuple[Fault, ...]:
        """See `EmulatorControl.faults`; raises also when nobody answers in time."""
        listed = (await self._ask({"request": "faults", "plant": plant})).get("faults")
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise self._silent("its answer cannot be read")
        return tuple(fault for document in listed for fault in parse_faults(document))

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._within_s):
                line = await self._exchange(orjson.dumps(request) + b"\n")
        except TimeoutError:
            raise self._silent("it does not answer") from None
        except OSError as error:
            raise self._silent(error.strerror or str(error)) from error
        except ValueError:
            raise self._silent("its answer is too long") from None
        answer = _object(line)
        if answer is None or not isinstance(answer.get("ok"), bool):
            raise self._silent("its answer cannot be read")
        if not answer["ok"]:
            raise HilError(str(answer.get("error")))
        return answer

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._port, limit=LINE_BYTES_MAX)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()

    def _silent(self, why: str) -> HilError:
        return HilError(
            f"the control of the emulated plants on {LOOPBACK}:{self._port} cannot be used: {why};"
            " see that the plants are emulated and that emulation.control_port is theirs"
        )


def _only(asked: dict[str, Any], *keys: str, a_number: object = 0) -> None:
    """Refuse further keys, and what JSON calls true and Python a number."""
    name = asked["request"]
    if asked.keys() - {"request", *keys} or isinstance(a_number, bool):
        raise InvalidInput(f"{name} takes {_REQUESTS[name]}, and nothing else")


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _failed(error: str) -> bytes:
    return orjson.dumps({"ok": False, "error": error}) + b"\n"
