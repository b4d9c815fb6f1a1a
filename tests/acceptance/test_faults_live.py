"""Faults while everything runs: set by HTTP and by hand, seen by the engine and from outside."""

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from live_bench import PATIENCE_S, Bench, make_bench, until


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def test_fault_comes_and_goes_over_the_whole_way(bench: Bench) -> None:
    config = bench.folder / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace("  vrfb:\n", "  vrfb:\n    faults: [{kind: fc16_only}]\n"), encoding="utf-8"
    )
    with bench.runs("run"), bench.client() as client:
        until(lambda: client.get("/state").status_code == 200, "the API")

        def plant(name: str) -> Any:
            return client.get("/state").json()["plants"][name]

        until(lambda: plant("lib")["link"]["status"] == "ok", "the link")
        until(lambda: plant("vrfb")["faults"] == ["fc16_only"], "the fault of the configuration")
        with ModbusTcpClient("127.0.0.1", port=bench.vrfb) as outside:
            assert outside.write_register(1, 0, device_id=1).exception_code == 1

        assert client.put("/plants/lib/faults/refuse").status_code == 200
        until(lambda: plant("lib")["link"]["status"] == "refused", "the refusal")
        assert plant("lib")["faults"] == ["refuse"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", bench.lib), timeout=5).close()
        done = subprocess.run(
            bench.command("fault", "clear", "lib"),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "lib: refuse cleared\n"), done.stderr
        until(lambda: plant("lib")["link"]["status"] == "ok", "the link again")
        assert plant("lib")["faults"] == []
        audited = [
            (one["kind"], one["plant"], one["asked"]["on"], one["by"].partition(":")[0])
            for one in client.get("/commands").json()
        ]
        assert audited == [("fault", "lib", False, "os"), ("fault", "lib", True, "local")]
