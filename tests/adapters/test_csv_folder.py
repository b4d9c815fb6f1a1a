"""Plans as files in a folder."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hil.adapters.csv_folder import CsvFolder
from hil.domain.market import CallFailed
from hil.domain.plant import PlantId

LIB, VRFB = PlantId("lib"), PlantId("vrfb")
START = datetime(2026, 4, 30, 22, tzinfo=UTC)
PERIODS = tuple(START + k * timedelta(minutes=15) for k in range(96))


def source(folder: Path) -> CsvFolder:
    return CsvFolder(folder, (LIB, VRFB), zone=ZoneInfo("Europe/Madrid"))


@pytest.mark.real_time
async def test_a_period_has_the_value_in_force_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "20260501_lib.csv").write_text(
        "time,p_kw\n2026-05-01T01:00,100\n2026-05-01T23:30,0\n2026-05-01T23:50,5\n"
    )
    found = await source(tmp_path).setpoints(PERIODS)
    assert found[VRFB] == {}
    assert found[LIB] == {**dict.fromkeys(PERIODS[4:94], 100.0), **dict.fromkeys(PERIODS[94:], 0.0)}


@pytest.mark.real_time
async def test_files_that_appear_and_change_are_read_as_they_are(tmp_path: Path) -> None:
    files = source(tmp_path)
    await files.log_in(None)
    assert await files.setpoints(PERIODS) == {LIB: {}, VRFB: {}}
    (tmp_path / "20260501_vrfb.csv").write_text("time,p_kw\n2026-05-01T00:00,-5\n")
    assert len((await files.setpoints(PERIODS))[VRFB]) == 96


@pytest.mark.real_time
async def test_a_bad_file_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "20260501_lib.csv").write_text("time,p_kw\n2026-05-01T00:00,much\n")
    with pytest.raises(CallFailed, match=r"20260501_lib\.csv: .*line 2.*p_kw"):
        await source(tmp_path).setpoints(PERIODS)
    with pytest.raises(CallFailed, match="no folder"):
        await source(tmp_path / "nowhere").log_in(None)
