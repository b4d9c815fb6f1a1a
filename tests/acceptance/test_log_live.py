"""The log of a real `hil run`: in files, over HTTP, at another level, without a disk."""

import re
import signal
from datetime import date
from pathlib import Path

import pytest

from hil.domain.log_line import log_file_name, parse_line
from live_bench import PATIENCE_S, Bench, carry_out, make_bench, until


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def test_a_run_is_logged_to_its_end_and_old_files_go(bench: Bench) -> None:
    logs = bench.folder / "logs"
    logs.mkdir()
    (logs / log_file_name(date(2020, 1, 1))).write_text("old\n")
    (logs / "mine.log").write_text("kept\n")
    with bench.runs("run") as process, bench.client() as client:
        until(lambda: client.get("/state").status_code == 200, "the API")
        carry_out(client, "/plants/lib/start")
        assert client.put("/logs/level", json={"level": "DEBUG"}).json() == {"level": "DEBUG"}

        def page() -> dict[str, object] | None:
            found: dict[str, object] = client.get("/logs", params={"text": "LEVEL=debug"}).json()
            return found if found["lines"] else None

        shown = until(page, "the line that the level was set")
        for _ in range(15):
            client.put("/logs/level", json={"level": "DEBUG"})
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=PATIENCE_S)

    assert shown["level"] == "DEBUG"
    [line] = shown["lines"]
    assert line["text"] == "log level=DEBUG before=INFO set by=local"
    texts = [
        parse_line(text).text
        for path in sorted(logs.glob("2*.log"))
        for text in path.read_text().splitlines()
    ]
    assert "log file=2020-01-01_hil_scheduler.log removed: older than 30 days" in texts
    assert any(text.startswith("plant=lib emulated on") for text in texts)
    assert "repeated=5 times more: log level=DEBUG before=DEBUG set by=local" in texts
    assert all(text in stderr for text in texts)
    assert (logs / "mine.log").exists()
    assert not (logs / log_file_name(date(2020, 1, 1))).exists()


def test_a_run_without_a_place_for_its_log_says_so_once_and_catches_up(bench: Bench) -> None:
    logs = bench.folder / "logs"
    logs.write_text("in the way")
    with bench.runs("run") as process, bench.client() as client:
        until(lambda: client.get("/state").status_code == 200, "the API")
        assert carry_out(client, "/plants/lib/start")["status"] == "done"
        assert client.get("/logs").status_code == 503
        logs.unlink()
        until(lambda: logs.is_dir() and list(logs.iterdir()), "the log file")
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert len(re.findall("log files cannot be written in", stderr)) == 1
    assert len(re.findall("log files are written again, lost=0 lines", stderr)) == 1
    [text] = [path.read_text() for path in logs.iterdir()]
    assert "emulated on" in text.splitlines()[0]
