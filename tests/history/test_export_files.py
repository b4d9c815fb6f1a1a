"""Recordings of several days as one file for other programs."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl
import pytest

from dense_day import HEADER, ZONE, dense_day, write_days
from hil.domain.errors import HilError, InvalidInput
from hil.domain.signals import COLUMNS
from hil.history.export_files import export
from hil.history.read import read_day


def run(
    paths: list[Path], out: Path, *, is_epoch: bool = False, v_nominal_kv: float | None = None
) -> int:
    return export(
        paths,
        out,
        zone=ZONE,
        v_nominal_kv=v_nominal_kv,
        units={"temperature": "degC"},
        is_epoch=is_epoch,
        done=lambda: None,
    )


@pytest.fixture
def days(tmp_path: Path) -> list[Path]:
    return write_days(tmp_path / "data", 3, rows=500)


def test_parquet_has_every_row_by_time_and_the_units(days: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "x.parquet"

    assert run(list(reversed(days)), out) == 0

    frame = pl.read_parquet(out)
    assert frame.equals(pl.concat(read_day(path, v_nominal_kv=None).frame for path in days))
    assert frame.schema["time"] == pl.Datetime("us", "UTC")
    facts = orjson.loads(pl.read_parquet_metadata(out)["hil"])
    assert (facts["timezone"], facts["plant"]) == ("Europe/Madrid", "lib")
    assert facts["units"] == {name: name.rpartition("_")[2].replace("kw", "kW") for name in COLUMNS}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "x.parquet"]


def test_csv_of_several_days_is_what_they_were(days: list[Path], tmp_path: Path) -> None:
    run(days, tmp_path / "x.csv")

    wanted = [path.read_bytes().removeprefix(HEADER) for path in days]
    assert (tmp_path / "x.csv").read_bytes() == HEADER + b"".join(wanted)


def test_times_with_a_fraction_have_milliseconds(tmp_path: Path) -> None:
    path = tmp_path / "20260504_lib.csv"
    path.write_bytes(dense_day(datetime(2026, 5, 4, tzinfo=UTC), rows=30, period_s=0.5))

    run([path], tmp_path / "x.csv")

    assert (tmp_path / "x.csv").read_bytes() == path.read_bytes()


def test_csv_with_epoch_begins_with_seconds(tmp_path: Path) -> None:
    path = tmp_path / "20260504_lib.csv"
    path.write_bytes(dense_day(datetime(2026, 5, 4, tzinfo=UTC), rows=5, period_s=0.5))

    run([path], tmp_path / "x.csv", is_epoch=True)

    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[0] == ",".join(["time_s", "timestamp", *COLUMNS])
    stamps = [line.split(",")[0] for line in lines[1:]]
    assert stamps == ["1777852800", "1777852800.5", "1777852801", "1777852801.5", "1777852802"]


def test_files_of_old_and_with_other_signals_share_the_columns(tmp_path: Path) -> None:
    old, new = tmp_path / "20260503_LIB.csv", tmp_path / "20260504_LIB.csv"
    row = "2026-05-0{}T10:00:00+02:00,1,1,0,0,0.5,1,0,{}\n"
    old.write_text(HEADER.decode().replace("kV\n", "pu\n") + row.format(3, "1.01") + "half,1")
    new.write_text(HEADER.decode().replace("kV\n", "kV,temperature\n") + row.format(4, "20,25.5"))

    assert run([new, old], tmp_path / "x.parquet", v_nominal_kv=20) == 1

    frame = pl.read_parquet(tmp_path / "x.parquet")
    assert frame["v_poi_kV"].to_list() == [20.2, 20]
    assert frame["temperature"].to_list() == [None, 25.5]
    facts = orjson.loads(pl.read_parquet_metadata(tmp_path / "x.parquet")["hil"])
    assert facts["units"]["temperature"] == "degC"


def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    days: list[Path], tmp_path: Path
) -> None:
    other = write_days(tmp_path / "data", 1, rows=10, plant="vrfb")
    with pytest.raises(InvalidInput, match=r"as \.parquet or \.csv"):
        run(days, tmp_path / "x.xlsx")
    with pytest.raises(InvalidInput, match=r"several plants \(lib, vrfb\)"):
        run([*days, *other], tmp_path / "x.csv")
    for name in ("x.csv", "x.parquet"):
        with pytest.raises(HilError, match="No such file"):
            run(days, tmp_path / "gone" / name)
        with pytest.raises(HilError, match="cannot be read"):
            run([*days, tmp_path / "20260509_lib.csv"], tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
