"""The market from the command line: a whole site against the double, as a person rehearses it."""

import json
import random
import re
import subprocess
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from hil.adapters.system_clock import SystemClock
from hil.domain.plant import PlantId
from hil.virtual.fake_market import FakeMarket
from live_bench import Bench, free_port, make_bench, until
from market_server import served

LIB, VRFB = PlantId("lib"), PlantId("vrfb")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def with_api(bench: Bench, url: str, more: str = "") -> None:
    path = bench.folder / "config.yaml"
    text = path.read_text()
    api = f"{{kind: istentore, base_url: '{url}', email: bench, posting: {{period_s: 1}}{more}}}"
    assert "schedule_api: null" in text
    path.write_text(text.replace("schedule_api: null", f"schedule_api: {api}"))


def hil(bench: Bench, *words: str, typed: str = "") -> tuple[int, str]:
    """A command's exit code and everything it said."""
    ended = subprocess.run(
        bench.command(*words), input=typed, capture_output=True, text=True, timeout=60, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_a_site_is_rehearsed_offline(bench: Bench) -> None:
    port = free_port()
    with_api(bench, f"http://127.0.0.1:{port}")
    words = ("fake-market", "--port", str(port), "--trouble", "status:measurements:2")
    with bench.runs(*words), bench.runs("run") as engine, bench.client() as client:
        assert hil(bench, "connect", "--held")[0] == 1
        code, said = hil(bench, "connect", "--password-file", "-", typed="wrong\n")
        assert (code, "check the password" in said) == (1, True)
        assert hil(bench, "connect", "--password-file", "-", typed="rehearsal\n") == (
            0,
            "market API: connected\n",
        )
        until(lambda: client.get("/state").json()["schedule_api"]["today"]["complete"], "the plan")
        assert hil(bench, "source", "api")[0] == 0
        assert hil(bench, "start", "--all")[0] == 0
        until(lambda: client.get("/state").json()["posting"]["plants"]["lib"]["sent"] >= 8, "posts")
        state = client.get("/state").json()
        assert state["plants"]["lib"]["setpoint"]["origin"] == "api"
        assert re.search(r"market API connected · today \d+/\d+", hil(bench, "status")[1])
        points = client.get("/plants/lib/schedules/api").json()["points"]
        assert len(points) >= 92
        taken = httpx.get(f"http://127.0.0.1:{port}/taken", trust_env=False).json()
        assert set(taken["series"]) == {"4", "5", "6", "7", "8", "9", "10", "11"}
        assert taken["measurements"] >= 8
        assert hil(bench, "disconnect") == (0, "market API: disconnected\n")
        assert hil(bench, "connect", "--held")[0] == 1
        engine.terminate()
        assert engine.wait(60) == 0


def test_the_doctor_asks_the_market(bench: Bench) -> None:
    market = FakeMarket(
        ZoneInfo("UTC"),
        {LIB: 100.0, VRFB: 100.0},
        SystemClock(),
        password="secret",
        published_at=time(0),
        draw=random.Random(1),
    )
    (bench.folder / "right").write_text("secret\n")
    (bench.folder / "wrong").write_text("guess\n")
    original = (bench.folder / "config.yaml").read_text()
    with served(market) as url:
        for more, severity, says in (
            (", password_file: right", "ok", "it takes the log-in"),
            ("", "ok", "reachable; a password is typed in later"),
            (", password_file: wrong", "failed", "check the password"),
            (", password_file: nowhere", "failed", "cannot be read"),
        ):
            (bench.folder / "config.yaml").write_text(original)
            with_api(bench, url, more)
            _, said = hil(bench, "doctor", "--json")
            (found,) = (
                each for each in json.loads(said)["findings"] if each["subject"] == "market API"
            )
            assert (found["severity"], says in found["text"]) == (severity, True), found


@pytest.mark.parametrize(
    ("trouble", "says"),
    [("slow", "slow"), ("delay:nowhere", "on"), ("status:0", "times")],
)
def test_a_trouble_that_does_not_exist_is_named(bench: Bench, trouble: str, says: str) -> None:
    code, said = hil(bench, "fake-market", "--trouble", trouble)
    assert code == 2
    assert says in said


def test_a_password_that_is_not_there_is_named(bench: Bench) -> None:
    with_api(bench, "http://127.0.0.1:9", ", password_env: NOT_SET_ANYWHERE")
    code, said = hil(bench, "run")
    assert code == 1
    assert "NOT_SET_ANYWHERE is not set" in said
