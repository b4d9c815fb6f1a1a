"""Two engines with data directories of their own on the same plants: the second is refused."""

import re
from dataclasses import replace
from pathlib import Path

from live_bench import Bench, free_port, make_bench


def beside(first: Bench, folder: Path) -> Bench:
    """A bench of another folder and page, with the plants of the first."""
    folder.mkdir()
    web = free_port()
    text = (first.folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(re.sub(rf"\b{first.web}\b", str(web), text))
    return replace(first, folder=folder, web=web)


def test_plant_has_one_writer_and_a_killed_one_is_none(tmp_path: Path) -> None:
    first = make_bench(tmp_path)
    second = beside(first, tmp_path / "second")

    with first.runs("emulate"), first.runs("engine") as engine:
        code, said = second.fails("engine")

        assert code == 1
        assert said.splitlines()[-1] == (
            f"another process (process {engine.pid}, data directory {tmp_path}) writes"
            f" to 127.0.0.1:{first.lib} unit 1; end it first, because only one may write to a"
            " device"
        )
        engine.kill()
        engine.wait()
        with second.runs("engine"):
            assert first.fails("engine")[0] == 1
