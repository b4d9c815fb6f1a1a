"""Killed at any instant while it posts, nothing is lost and no answer is asked for twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hil.adapters.system_clock import SystemClock
from hil.domain.plant import PlantId
from hil.virtual.fake_market import Call, FakeMarket, Trouble, TroubleKind
from market_server import served
from posting_child import SERIES

# CI takes ten; `make soak` takes a hundred.
KILLS = int(os.environ.get("HIL_POSTING_KILLS", "10"))
SAMPLES = 5000
TESTS = Path(__file__).parents[1]


def child(database: Path, url: str) -> "subprocess.Popen[str]":
    path = os.pathsep.join([str(TESTS), *sys.path])
    process = subprocess.Popen(
        [sys.executable, TESTS / "posting_child.py", database, url, str(SAMPLES)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "NO_PROXY": "127.0.0.1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.real_time
def test_every_sample_arrives_and_only_the_batch_in_flight_twice(tmp_path: Path) -> None:
    draw = random.Random("posting")
    market = FakeMarket(
        ZoneInfo("UTC"), {PlantId("lib"): 1.0}, SystemClock(), password="secret", draw=draw
    )
    # Every answer takes a while, so that kills fall before, within and after calls.
    wait = Trouble(kind=TroubleKind.DELAY, on=Call.MEASUREMENTS, times=100_000, seconds=0.03)
    market.trouble(wait)
    kills = 0
    with served(market) as url:
        for _ in range(KILLS):
            process = child(tmp_path / "hil.sqlite", url)
            time.sleep(draw.uniform(0.0, 1.2 / KILLS**0.5))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            process.stdout.close() if process.stdout else None
        process = child(tmp_path / "hil.sqlite", url)
        assert process.wait(60) == 0
        process.stdout.close() if process.stdout else None
    taken = Counter((each.series, each.at) for each in market.taken)
    assert len(taken) == SAMPLES
    assert kills > KILLS // 2
    batch = SAMPLES // SERIES
    assert len(market.taken) <= SAMPLES + KILLS * batch
    assert max(taken.values()) <= 1 + kills
