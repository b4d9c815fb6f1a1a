"""A plant with a meter of its own, all of it running: served, read, recorded, checked."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from live_bench import PATIENCE_S, Bench, carry_out, free_port, make_bench, rows_of, until
from metered import with_meter


@pytest.fixture
def meter_port() -> int:
    return free_port()


@pytest.fixture
def bench(tmp_path: Path, meter_port: int) -> Bench:
    made = make_bench(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(with_meter(config.read_text(), port=meter_port, lib_port=made.lib))
    return made


def told(bench: Bench, *words: str) -> tuple[int, str]:
    """The exit code and stdout of a command."""
    ended = subprocess.run(
        bench.command(*words), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return ended.returncode, ended.stdout


def test_meter_is_served_read_recorded_and_checked(bench: Bench, meter_port: int) -> None:
    with bench.runs("run"), bench.client() as client:
        until(lambda: client.get("/state").status_code == 200, "the API")

        def lib() -> Any:
            return client.get("/state").json()["plants"]["lib"]

        client.put(
            "/plants/lib/schedules/manual",
            json={"points": [{"time": "2020-01-01T00:00:00Z", "p_kw": 300, "q_kvar": 50}]},
        ).raise_for_status()
        carry_out(client, "/plants/lib/record")
        carry_out(client, "/plants/lib/start")

        def agree() -> bool:
            measured = lib()["measurement"] or {}
            at_poi, meter = measured.get("p_poi_kw"), measured.get("extra", {}).get("meter_p")
            return at_poi is not None and at_poi > 250 and meter == pytest.approx(at_poi, abs=0.2)

        until(agree, "the power at the POI, by plant and by meter")
        with ModbusTcpClient("127.0.0.1", port=meter_port) as outside:
            shown = outside.read_holding_registers(0, count=4, device_id=7).registers
            assert 2500 < shown[0] < 3500
            assert shown[2] == 50_000
            assert outside.write_register(0, 1, device_id=7).exception_code == 2

        code, out = told(bench, "smoke", "lib", "--json")
        plant, meter = json.loads(out)
        assert (code, plant["device"], meter["device"]) == (0, None, "meter")
        assert any("they agree" in each["text"] for each in meter["findings"])

        assert told(bench, "fault", "set", "lib", "refuse", "device=meter")[0] == 0
        until(lambda: lib()["measurement"]["extra"]["meter_p"] is None, "the meter's silence")
        assert lib()["link"]["status"] == "ok"
        assert lib()["faults"] == ["refuse device=meter"]
        assert told(bench, "smoke", "lib")[0] == 1
        assert told(bench, "fault", "clear", "lib")[0] == 0
        until(agree, "the meter again")
        carry_out(client, "/plants/lib/stop-recording")

        data = bench.folder / "data"
        (file,) = until(lambda: list(data.glob("*_lib.csv")), "the flushed rows")
        rows = [row for row in rows_of(file) if row["meter_p"]]
        assert rows
        assert {row["meter_f"] for row in rows} == {"50"}
        time = {"start": rows[0]["timestamp"], "end": lib()["measurement"]["time"]}
        drawn = client.get("/plants/lib/measurements", params=time).json()["signals"]
        assert max(value for value in drawn["meter_p"]["max"] if value is not None) > 250


def test_emulator_alone_is_checked_without_an_engine(bench: Bench) -> None:
    with bench.runs("emulate"):
        code, out = told(bench, "smoke", "lib", "--junit", str(bench.folder / "x.xml"))

    assert code == 0, out
    assert "LIB (lib/meter)" in out
    assert "too little to compare" in out
    assert 'classname="smoke.local.lib.meter"' in (bench.folder / "x.xml").read_text()
