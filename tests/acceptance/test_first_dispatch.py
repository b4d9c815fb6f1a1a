"""The main job as its user does it: `hil run`, a schedule by HTTP, a recording, Ctrl-C."""

import os
import re
import signal
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pymodbus.client import ModbusTcpClient

from live_bench import PATIENCE_S, Bench, carry_out, free_port, make_bench, rows_of, until

STEPS = "hours,minutes,seconds,setpoint\n0,0,0,100\n0,0,1,-50\n0,0,2,75.5\n1,0,0,end\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def test_schedule_is_dispatched_recorded_and_stopped_by_ctrl_c(bench: Bench) -> None:
    with bench.runs("run") as process, bench.client() as client:
        until(lambda: client.get("/state").status_code == 200, "the API")
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
        for plant in ("lib", "vrfb"):
            assert carry_out(client, f"/plants/{plant}/record")["status"] == "done"
            assert carry_out(client, f"/plants/{plant}/start")["status"] == "done"
            loaded = client.post(
                f"/plants/{plant}/schedules/manual/csv",
                params={"start": start.isoformat()},
                content=STEPS,
                headers={"Content-Type": "text/csv"},
            )
            assert loaded.status_code == 200, loaded.text

        def follows(p_kw: float) -> bool:
            plants = client.get("/state").json()["plants"]
            return all(plant["measurement"]["p_poi_kw"] == p_kw for plant in plants.values())

        until(lambda: follows(75.5), "the third step at both POIs")
        with ModbusTcpClient("127.0.0.1", port=bench.lib) as outside:
            assert outside.read_holding_registers(86, count=1, device_id=1).registers == [755]
            assert outside.read_holding_registers(290, count=1, device_id=1).registers == [755]
        with ModbusTcpClient("127.0.0.1", port=bench.vrfb) as outside:
            assert outside.read_holding_registers(1, count=1, device_id=1).registers == [755]
            assert outside.read_holding_registers(14, count=1, device_id=1).registers == [755]
        for plant in ("lib", "vrfb"):
            assert client.delete(f"/plants/{plant}/schedules/manual").status_code == 200
        until(lambda: follows(0.0), "no setpoint without a schedule")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    for plant in ("lib", "vrfb"):
        check_recording(bench.folder / "data", plant, start)


def check_recording(folder: Path, plant: str, start: datetime) -> None:
    """Rows on the grid between boundaries; each step within one period; SoC moves with energy."""
    rows = [row for path in sorted(folder.glob(f"*_{plant}.csv")) for row in rows_of(path)]
    times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    period = timedelta(milliseconds=200)
    values = [row for row in rows if row["soc_pu"]]

    assert [bool(row["soc_pu"]) for row in (rows[0], rows[-1])] == [False, False]
    assert all((t - datetime.fromtimestamp(0, UTC)) % period == timedelta(0) for t in times)
    assert times == sorted(set(times))
    setpoints = {row["timestamp"]: float(row["p_setpoint_kw"]) for row in values}
    for offset_s, p_kw in ((0, 100.0), (1, -50.0), (2, 75.5)):
        held = [
            value
            for stamp, value in setpoints.items()
            if timedelta(0)
            < datetime.fromisoformat(stamp) - start - timedelta(seconds=offset_s)
            < timedelta(seconds=1)
        ]
        assert set(held) <= {p_kw}, (offset_s, held)
        assert held
    assert float(values[-1]["p_poi_kw"]) == 0
    assert float(values[-1]["soc_pu"]) < 0.5


def test_parts_run_as_processes_of_their_own(bench: Bench) -> None:
    with bench.runs("emulate"), bench.runs("engine") as engine, bench.client() as client:
        until(lambda: client.get("/state").status_code == 200, "the API")
        assert carry_out(client, "/fleet/start")["status"] == "done"
        assert carry_out(client, "/fleet/stop")["status"] == "done"
        socket_path = str(bench.folder / "engine.sock")
        with httpx.Client(transport=httpx.HTTPTransport(uds=socket_path)) as local:
            state = local.get("http://engine/api/v1/state").json()
        assert state["plants"]["lib"]["phase"] == "stopped"
        engine.send_signal(signal.SIGTERM)
        _, stderr = engine.communicate(timeout=PATIENCE_S)

    assert engine.returncode == 0, stderr


def test_plant_that_cannot_be_stopped_is_named_at_the_end(bench: Bench) -> None:
    with (
        bench.runs("emulate") as emulator,
        bench.runs("engine", "--start") as engine,
        bench.client() as client,
    ):
        until(lambda: is_running(client), "both plants running")
        emulator.kill()
        emulator.wait()
        engine.send_signal(signal.SIGINT)
        _, stderr = engine.communicate(timeout=PATIENCE_S)

    assert engine.returncode == 1
    assert "NOT STOPPED: LIB: the stop could not be delivered" in stderr
    assert "NOT STOPPED: VRFB: the stop could not be delivered" in stderr
    assert "Traceback" not in stderr


def test_second_engine_on_one_data_directory_is_refused(bench: Bench) -> None:
    with bench.runs("run", "--no-web"):
        code, stderr = bench.fails("engine", "--port", str(free_port()))

    assert code == 1
    assert re.search(r"another engine \(process \d+\) runs on .*; stop it first", stderr)


@pytest.mark.parametrize("port", ["web", "lib"])
def test_port_that_is_taken_is_named_and_nothing_stays_behind(bench: Bench, port: str) -> None:
    number = getattr(bench, port)
    with socket.create_server(("127.0.0.1", number)):
        code, stderr = bench.fails("run")
    assert code == 1
    assert str(number) in stderr
    assert "address already in use" in stderr.lower()
    assert "Traceback" not in stderr
    with bench.runs("run"):
        pass


def test_wrong_configuration_ends_with_2(bench: Bench) -> None:
    path = bench.folder / "config.yaml"
    path.write_text(path.read_text().replace("timing:", "timming:"))

    code, stderr = bench.fails("run")

    assert code == 2
    assert 'did you mean "timing"?' in stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_safely_although_nobody_reads_the_terminal(
    bench: Bench, number: signal.Signals
) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(bench.command("run", "--start"), stdout=writer, stderr=writer)
    os.close(writer)
    try:
        with bench.client() as client:
            until(lambda: is_running(client), "both plants running")
            os.close(reader)
            process.send_signal(number)
            assert process.wait(timeout=PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


def is_running(client: httpx.Client) -> bool:
    """Whether the engine answers and both plants run."""
    try:
        plants = client.get("/state").json()["plants"].values()
    except httpx.TransportError:
        return False
    return all(plant["phase"] == "running" for plant in plants)
