"""An asyncio loop whose time passes only when every task waits.

Public hooks only: the selector argument, `time()`, `run_in_executor` and the task factory.
"""

import asyncio
import itertools
import math
import selectors
import time
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NS_PER_S = 1_000_000_000


class Deadlock(RuntimeError):
    """Every task waits and no timer exists."""


class RanTooLong(RuntimeError):
    """The virtual or the real limit was passed."""


class _VirtualSelector(selectors.DefaultSelector):
    """Polls without waiting; a wait adds to the clock instead."""

    def __init__(self, *, limit_s: float, real_limit_s: float) -> None:
        super().__init__()
        self.now_ns = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self._limit_ns = limit_s * NS_PER_S
        self._real_deadline = time.monotonic() + real_limit_s  # noqa: TID251 - guards the real run

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events:
            return events
        if timeout is None:
            raise Deadlock(f"every task waits and no timer exists: {', '.join(self._waiting())}")
        if timeout > 0:
            self.now_ns += math.ceil(timeout * NS_PER_S)
        late = time.monotonic() > self._real_deadline  # noqa: TID251 - guards the real run
        if late or self.now_ns > self._limit_ns:
            # Lifted, so that the clean-up that this error sets off can run.
            self._limit_ns = self._real_deadline = math.inf
            raise RanTooLong(f"stopped at virtual second {self.now_ns / NS_PER_S:.3f}")
        return events

    def _waiting(self) -> list[str]:
        return sorted(
            f"{task.get_name()} at {frame.f_code.co_filename}:{frame.f_lineno}"
            for task in asyncio.all_tasks(self.loop)
            for frame in task.get_stack(limit=1)
        )


class _SerialTask(asyncio.Task[T]):
    """A task whose hash is its serial number, so that sets of tasks iterate alike everywhere."""

    serial = 0

    def __hash__(self) -> int:
        return self.serial


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs ordinary asyncio code in virtual time, deterministically.

    Args:
        limit_s: Virtual seconds after which `RanTooLong` is raised.
        real_limit_s: Real seconds after which `RanTooLong` is raised.

    Sockets, name look-ups and processes raise RuntimeError; executor calls run inline, because a
    thread in flight would let virtual time run away.
    """

    def __init__(self, *, limit_s: float = math.inf, real_limit_s: float = math.inf) -> None:
        self._virtual = _VirtualSelector(limit_s=limit_s, real_limit_s=real_limit_s)
        super().__init__(self._virtual)
        self._virtual.loop = self
        self._serials = itertools.count(1)
        self.set_task_factory(self._make_task)

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task: _SerialTask[T] = _SerialTask.__new__(_SerialTask)
        task.serial = next(self._serials)  # before __init__, which puts the task into a set
        task.__init__(coro, loop=loop, context=context)  # type: ignore[misc] # see above
        return task

    def time(self) -> float:
        return self._virtual.now_ns / NS_PER_S

    def monotonic_ns(self) -> int:
        """Virtual nanoseconds since the loop was made."""
        return self._virtual.now_ns

    def run_in_executor(
        self, executor: Any, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - an executor hands every error to its future
            future.set_exception(error)
        return future

    async def _refuse(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no sockets, name look-ups or processes in virtual time")

    getaddrinfo = getnameinfo = create_connection = create_server = _refuse
    create_datagram_endpoint = create_unix_connection = create_unix_server = _refuse
    subprocess_exec = subprocess_shell = connect_read_pipe = connect_write_pipe = _refuse
    sock_connect = sock_accept = sock_recv = sock_sendall = _refuse
