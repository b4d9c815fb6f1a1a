"""The market's test double on a real port, served by a thread."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from hil.adapters.data_directory import listen_tcp
from hil.virtual.fake_market import FakeMarket


@contextmanager
def served(market: FakeMarket) -> Iterator[str]:
    listener = listen_tcp("127.0.0.1", 0, what="the market")
    config = uvicorn.Config(market, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
