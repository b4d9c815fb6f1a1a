"""The market API's test double on a port, for rehearsals of a whole site without a network."""

import random
from collections.abc import Sequence
from datetime import time
from zoneinfo import ZoneInfo

import uvicorn

from hil.adapters.data_directory import listen_tcp
from hil.adapters.system_clock import SystemClock
from hil.config.model import Config
from hil.domain.plant import PlantId
from hil.virtual.fake_market import FakeMarket, Trouble


async def serve_fake_market(
    config: Config,
    *,
    port: int,
    password: str,
    published_at: time,
    seed: int,
    troubles: Sequence[Trouble],
) -> None:
    """Serve plans for the plants of the configuration on loopback, until a signal.

    Raises:
        HilError: The port is taken.
    """
    market = FakeMarket(
        ZoneInfo(config.site.timezone),
        {PlantId(plant): each.model.p_max_kw for plant, each in config.plants.items()},
        SystemClock(),
        password=password,
        published_at=published_at,
        draw=random.Random(seed),  # noqa: S311 - plans of a test double
    )
    market.trouble(*troubles)
    listener = listen_tcp("127.0.0.1", port, what="the fake market")
    server = uvicorn.Server(
        uvicorn.Config(market, log_config=None, access_log=False, lifespan="off", ws="none")
    )
    await server.serve(sockets=[listener])
