"""The engine is killed at any instant: what it promised is there, its plants are brought down."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from pymodbus.client import ModbusTcpClient

from live_bench import Bench, carry_out, make_bench, rows_of, until

# CI takes ten; `make soak` takes two hundred.
KILLS = int(os.environ.get("HIL_KILLS", "10"))
FLUSH_S = 0.5
P_SETPOINT, ENABLE, P_POI = 86, 1, 290


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = make_bench(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text().replace("flush_period_s: 5", f"flush_period_s: {FLUSH_S}"))
    return made


def register(bench: Bench, address: int) -> int:
    with ModbusTcpClient("127.0.0.1", port=bench.lib) as outside:
        value: int = outside.read_holding_registers(address, count=1, device_id=1).registers[0]
        return value


def lib(client: httpx.Client) -> dict[str, Any]:
    plant: dict[str, Any] = client.get("/state").json()["plants"]["lib"]
    return plant


def alarms(client: httpx.Client) -> set[tuple[str | None, str]]:
    """Plant and kind of every alarm."""
    return {(alarm["plant"], alarm["kind"]) for alarm in client.get("/state").json()["alarms"]}


def load_constant(client: httpx.Client, p_kw: float) -> None:
    body = {"points": [{"time": "2026-01-01T00:00:00Z", "p_kw": p_kw, "q_kvar": 0}], "end": None}
    assert client.put("/plants/lib/schedules/manual", json=body).status_code == 200


def check_database(folder: Path) -> None:
    with closing(sqlite3.connect(f"file:{folder / 'hil.sqlite'}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def recorded(folder: Path, plant: str) -> list[tuple[datetime, bool]]:
    """Time of every row and whether it has values, each row whole, on the grid and in order."""
    rows = [row for path in sorted(folder.glob(f"*_{plant}.csv")) for row in rows_of(path)]
    assert all(None not in row and None not in row.values() for row in rows), "a row is not whole"
    times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    assert all(time.microsecond % 200_000 == 0 for time in times)
    with_values = [t for t, row in zip(times, rows, strict=True) if row["soc_pu"]]
    assert times == sorted(times)
    assert with_values == sorted(set(with_values))
    return [(time, bool(row["soc_pu"])) for time, row in zip(times, rows, strict=True)]


def closed_after_a_kill(bench: Bench, client: httpx.Client, plant: str, newest: datetime) -> None:
    """The session that the kill cut is closed: held row, boundary, document."""

    def newest_session() -> dict[str, Any]:
        session: dict[str, Any] = client.get("/sessions", params={"plant": plant}).json()[0]
        return session

    until(lambda: newest_session()["end"], "the end of the session")
    session = newest_session()
    folder = bench.folder / "data"
    # A document has its end just before its last rows are on disk.
    until(lambda: not recorded(folder, plant)[-1][1], "the boundary")
    *_, (last, has_values), (boundary, _) = recorded(folder, plant)
    assert has_values
    assert boundary - last == timedelta(seconds=0.2)
    assert last >= newest - timedelta(seconds=FLUSH_S + 0.6)
    assert session["exit_status"] == "crashed"
    assert datetime.fromisoformat(session["last"]) == last
    file = folder / "sessions" / f"{session['uid']}.json"
    until(lambda: json.loads(file.read_text())["end"] == session["end"], "the document's file")
    assert json.loads(file.read_text())["exit_status"] == "crashed"


def test_killed_engine_loses_a_flush_at_most_and_zeroes_first(bench: Bench) -> None:
    draw = Random("kills")
    with bench.runs("emulate"), bench.client() as client:
        for _ in range(KILLS):
            with bench.runs("engine") as engine:
                until(lambda: client.get("/state").status_code == 200, "the API")
                until(lambda: lib(client)["phase"] != "unknown", "a plant that is known")
                carry_out(client, "/plants/lib/stop")
                load_constant(client, 120.0)
                for plant in ("lib", "vrfb"):
                    assert carry_out(client, f"/plants/{plant}/record")["status"] == "done"
                assert carry_out(client, "/plants/lib/start")["status"] == "done"
                until(lambda: register(bench, P_SETPOINT) == 1200, "the setpoint on the wire")
                draw_s = draw.uniform(0.2, 1.5)
                shown = datetime.fromisoformat(lib(client)["measurement"]["time"])
                until(
                    lambda since=shown, s=draw_s: (
                        datetime.fromisoformat(lib(client)["measurement"]["time"])
                        >= since + timedelta(seconds=s)
                    ),
                    "some time",
                )
                newest = datetime.fromisoformat(lib(client)["measurement"]["time"])
                engine.send_signal(signal.SIGKILL)
                engine.wait()
            assert register(bench, P_SETPOINT) == 1200  # nobody told the plant to stop
            check_database(bench.folder / "data")
            with bench.runs("engine") as engine:
                until(lambda: register(bench, P_SETPOINT) == 0, "zero at the first exchange")
                until(lambda: client.get("/state").status_code == 200, "the API")
                until(lambda: lib(client)["phase"] == "running", "the plant taken over")
                assert not lib(client)["dispatching"]
                for plant in ("lib", "vrfb"):
                    closed_after_a_kill(bench, client, plant, newest)
                assert ("lib", "restarted") in alarms(client)
                points = client.get("/plants/lib/schedules/manual").json()["points"]
                assert points[0]["p_kw"] == 120.0
                assert any(c["kind"] == "start" for c in client.get("/commands").json())
                engine.send_signal(signal.SIGINT)
                assert engine.wait() == 0
            assert register(bench, ENABLE) == 0


def test_stop_of_a_silent_plant_is_delivered_after_a_kill(bench: Bench) -> None:
    with bench.runs("emulate") as emulator, bench.client() as client:
        with bench.runs("engine") as engine:
            until(lambda: client.get("/state").status_code == 200, "the API")
            load_constant(client, 150.0)
            assert carry_out(client, "/fleet/start")["status"] == "done"
            until(lambda: register(bench, P_POI) == 1500, "power at the POI")
            emulator.send_signal(signal.SIGSTOP)
            ended = carry_out(client, "/fleet/stop")
            assert ended["status"] == "failed"
            assert "LIB: the stop could not be delivered" in ended["error"]
            until(
                lambda: (
                    {
                        a["kind"]
                        for a in client.get("/state").json()["alarms"]
                        if a["plant"] == "lib"
                    }
                    >= {"stop_pending"}
                ),
                "the alarm",
            )
            engine.send_signal(signal.SIGKILL)
            engine.wait()
        with bench.runs("engine") as engine:
            until(lambda: client.get("/state").status_code == 200, "the API")
            assert lib(client)["phase"] == "unknown"
            refused = client.post("/plants/lib/start")
            assert refused.status_code == 409
            emulator.send_signal(signal.SIGCONT)
            until(lambda: lib(client)["phase"] == "stopped", "the pending stop")
            assert register(bench, P_SETPOINT) == 0
            assert register(bench, ENABLE) == 0
            engine.send_signal(signal.SIGINT)
            assert engine.wait() == 0


def test_killed_in_the_middle_of_a_safe_stop_zero_was_written_first(bench: Bench) -> None:
    with bench.runs("emulate"), bench.client() as client, bench.runs("engine") as engine:
        until(lambda: client.get("/state").status_code == 200, "the API")
        load_constant(client, 150.0)
        assert carry_out(client, "/plants/lib/start")["status"] == "done"
        until(lambda: register(bench, P_POI) == 1500, "power at the POI")
        # The stop waits for power that never seems to fall, up to safe_stop.timeout_s.
        assert client.put("/plants/lib/faults/frozen_registers").status_code == 200
        engine.send_signal(signal.SIGTERM)
        until(lambda: register(bench, P_SETPOINT) == 0, "zero")
        assert register(bench, ENABLE) == 1
        assert engine.poll() is None
        engine.send_signal(signal.SIGKILL)
        engine.wait()
        assert register(bench, P_SETPOINT) == 0
