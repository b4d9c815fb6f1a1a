"""What was recorded is on screen and in files after a restart; nothing is left of a killed one."""

import io
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from live_bench import PATIENCE_S, Bench, carry_out, make_bench, until


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def workers_of(engine: int) -> list[int]:
    """The processes that read recordings for this one."""
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(engine)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return [int(line.split()[0]) for line in found if "hil.history.worker" in line]


def is_there(pid: int) -> bool:
    """Whether the process runs; one that nobody has asked about after its end does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return state.strip() != "" and not state.startswith("Z")


def test_history_survives_a_restart_and_its_process_does_not_survive_the_engine(
    bench: Bench,
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=1)
    query = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
    with bench.runs("run") as process, bench.client() as client:
        until(lambda: client.get("/state").status_code == 200, "the API")
        assert carry_out(client, "/plants/lib/record")["status"] == "done"

        def listed() -> Any:
            entries = client.get("/recordings").json()
            return entries if entries and entries[0]["rows"] else None

        entry = until(listed, "a recording with rows")[0]
        assert entry["plant"] == "lib"
        assert client.get(f"/recordings/{entry['name']}").text.startswith("timestamp,")
        (worker,) = workers_of(process.pid)
        process.kill()
        process.wait(timeout=PATIENCE_S)
    until(lambda: not is_there(worker), "no process without an engine")

    with bench.runs("run") as process, bench.client() as client:
        until(lambda: client.get("/state").status_code == 200, "the API")
        answer = client.get("/plants/lib/measurements", params={**query, "points": 20_000}).json()
        csv = client.get("/plants/lib/measurements.csv", params={**query, "time": "numeric"})
        parquet = client.get("/plants/lib/measurements.parquet", params=query)
        (worker,) = workers_of(process.pid)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE_S)

    known = [soc for soc in answer["signals"]["soc_pu"]["last"] if soc is not None]
    assert len(known) >= entry["rows"]
    assert csv.text.startswith("time_s,timestamp,")
    assert pl.read_parquet(io.BytesIO(parquet.content)).height == len(csv.text.splitlines()) - 1
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    assert not is_there(worker)
