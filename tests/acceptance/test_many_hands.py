"""A second tab, the command line and a script at once: no command is lost or done twice."""

import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from live_bench import PATIENCE_S, Bench, make_bench, until

ROUNDS = 8


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def tab(bench: Bench, paths: Iterable[str]) -> list[str]:
    """Press these buttons one after the other; the ids of what was taken."""
    with bench.client() as client:
        answers = [client.post(path) for path in paths]
    assert {answer.status_code for answer in answers} <= {202, 409}
    return [answer.json()["id"] for answer in answers if answer.status_code == 202]


def command_line(bench: Bench) -> list[str]:
    for word in ("record", "stop-recording") * (ROUNDS // 4):
        ended = subprocess.run(
            bench.command(word, "lib"), timeout=PATIENCE_S, check=False, capture_output=True
        )
        assert ended.returncode == 0, ended.stderr
    return []


def test_every_command_ends_once_and_the_last_stop_holds(bench: Bench) -> None:
    with bench.runs("run"), bench.client() as client, ThreadPoolExecutor() as hands:
        until(lambda: client.get("/state").status_code == 200, "the API")
        work = [
            hands.submit(tab, bench, ["/plants/lib/start", "/plants/lib/stop"] * ROUNDS),
            hands.submit(tab, bench, ["/plants/lib/start", "/plants/lib/pause"] * ROUNDS),
            hands.submit(tab, bench, ["/fleet/start", "/fleet/stop"] * ROUNDS),
            hands.submit(command_line, bench),
        ]
        taken = [command_id for each in work for command_id in each.result()]
        taken += tab(bench, ["/fleet/stop"])

        def all_ended() -> bool:
            state = client.get("/state").json()["commands"]
            return not state["queued"] and not state["running"]

        until(all_ended, "the end of every command")
        audit = client.get("/commands", params={"limit": 1000}).json()
        assert len({command["id"] for command in audit}) == len(audit)
        assert set(taken) <= {command["id"] for command in audit}
        assert all(command["status"] in {"done", "failed", "rejected"} for command in audit)
        assert len(audit) == len(taken) + ROUNDS // 4 * 2
        plants = client.get("/state").json()["plants"].values()
        assert {plant["phase"] for plant in plants} == {"stopped"}
