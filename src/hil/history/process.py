"""The history's own process, as the engine sees it."""

import asyncio
import contextlib
import logging
import os
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import orjson

import hil
from hil.domain.errors import HilError, QueueFull

log = logging.getLogger(__name__)

MODULE = "hil.history.worker"
# Questions that wait for the one process: some seconds' worth.
WAITING_MAX = 32
WITHIN_S = 60.0
CLOSES_WITHIN_S = 2.0
CHUNK_BYTES = 256 * 1024
_HEAD = struct.Struct(">cI")


class HistoryProcess:
    """Answers one question after the other; begun when it is first needed, and again when it ends.

    Args:
        opening: What the process is told first.
    """

    def __init__(self, opening: dict[str, Any]) -> None:
        self._opening = opening
        self._process: Process | None = None
        self._is_spoilt = False
        self._turn = asyncio.Lock()
        self._waiting = 0

    @property
    def is_running(self) -> bool:
        """Whether a question would be answered without a start."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """The number of the process; None before it was begun."""
        return None if self._process is None else self._process.pid

    async def ask(self, asked: dict[str, Any]) -> bytes:
        """The answer to one question; asked once more where the process ends over it.

        Raises:
            QueueFull: Too many are waiting.
            HilError: It cannot be answered.
        """
        async with self._my_turn():
            for is_last in (False, True):
                try:
                    async with asyncio.timeout(WITHIN_S):
                        process = await self._begin(asked)
                        return b"".join([piece async for piece in _pieces(process)])
                except (EOFError, OSError) as error:
                    await self._end()
                    if is_last:
                        raise HilError("the history's process has ended; try again") from error
                    log.warning("the history's process ended and is begun again: %r", error)
                except TimeoutError as error:
                    await self._end()
                    raise HilError(
                        f"the history took more than {WITHIN_S:.0f} s; ask for less"
                    ) from error
                except BaseException as error:
                    if not isinstance(error, HilError):
                        self._spoil()
                    raise
        raise AssertionError

    async def pieces(self, asked: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        """An answer in pieces, as they come; ends the process when nobody takes them."""
        async with self._my_turn():
            try:
                process = await self._begin(asked)
                async with contextlib.aclosing(_pieces(process)) as pieces:
                    async for piece in pieces:
                        yield piece
            except (EOFError, OSError) as error:
                raise HilError("the history's process has ended; try again") from error
            finally:
                self._spoil()

    async def close(self) -> None:
        """End the process; nobody may ask any more."""
        await self._end()

    @contextlib.asynccontextmanager
    async def _my_turn(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING_MAX:
            raise QueueFull("too many are asking for history; try again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1

    async def _begin(self, asked: dict[str, Any]) -> Process:
        """Ask, of a process that is begun where there is none that may be asked."""
        if self._is_spoilt or not self.is_running:
            await self._end()
        process = self._process
        if process is None:
            process = self._process = await _started()
            await _send(process, self._opening)
        await _send(process, asked)
        return process

    def _spoil(self) -> None:
        """What the process still says would be taken for the next answer."""
        self._is_spoilt = True
        if self._process is not None:
            _kill(self._process)

    async def _end(self) -> None:
        process, self._process, self._is_spoilt = self._process, None, False
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(CLOSES_WITHIN_S):
                # To its end, without which the process counts as running.
                while await process.stdout.read(CHUNK_BYTES):
                    pass
        except TimeoutError:
            _kill(process)
            while await process.stdout.read(CHUNK_BYTES):
                pass
        await process.wait()


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


async def _started() -> Process:
    # The package may lie where only this process looks for it.
    places = [str(Path(hil.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        MODULE,
        stdin=PIPE,
        stdout=PIPE,
        # Ctrl-C at the engine's terminal is the engine's alone.
        start_new_session=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, places)),
            "POLARS_MAX_THREADS": "2",
        },
    )


async def _send(process: Process, value: dict[str, Any]) -> None:
    assert process.stdin is not None
    data = orjson.dumps(value)
    process.stdin.write(struct.pack(">I", len(data)) + data)
    await process.stdin.drain()


async def _pieces(process: Process) -> AsyncGenerator[bytes, None]:
    """What is answered; raises HilError for a problem, EOFError where the process ends."""
    assert process.stdout is not None
    while True:
        kind, length = _HEAD.unpack(await process.stdout.readexactly(_HEAD.size))
        data = await process.stdout.readexactly(length)
        match kind:
            case b"=":
                yield data
                return
            case b"+":
                yield data
            case b"!":
                raise HilError(data.decode())
            case _:
                log.error("history failed error=%s", data.decode(errors="replace"))
                raise HilError("the history could not be read; the log says more")
