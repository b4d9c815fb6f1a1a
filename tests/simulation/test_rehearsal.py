"""A rehearsal: whole days through engine, plants and recorder, the same bytes every time."""

import csv
import hashlib
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.assembly.rehearsal import rehearsal
from hil.cli.main import hil
from hil.config.load import load_default
from hil.config.model import Config
from hil.domain.plant import PlantId
from hil.domain.schedule import Schedule, Series

LIB = PlantId("lib")
STEPS = "hours,minutes,seconds,setpoint\n0,0,0,100\n0,30,0,-250\n1,0,0,400\n1,30,0,end\n"


def coarse() -> Config:
    """The packaged bench at a step a minute, so that a day takes a moment."""
    config = load_default()
    timing = config.timing.model_copy(
        update={"dispatch_period_s": 60.0, "measurement_period_s": 60.0}
    )
    return config.model_copy(update={"timing": timing})


def dense(config: Config) -> Config:
    """The same with every row recorded."""
    compression = config.recording.compression.model_copy(update={"enabled": False})
    recording = config.recording.model_copy(update={"compression": compression})
    return config.model_copy(update={"recording": recording})


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def digest(folder: Path) -> str:
    """One hash of every file below the folder, names included."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 5, 4), 24), (date(2026, 10, 25), 25)],
)
def test_day_of_any_length_is_recorded_whole(tmp_path: Path, day: date, hours: int) -> None:
    config = dense(coarse())
    rehearsal(config, {}, day=day, days=1, seed=0, out=tmp_path, progress=lambda _: None)

    rows = rows_of(tmp_path / "data" / f"{day:%Y%m%d}_lib.csv")
    times = [datetime.fromisoformat(row["timestamp"]).astimezone(UTC) for row in rows]
    assert len(rows) == hours * 60
    assert all(row["soc_pu"] for row in rows)
    assert times == [times[0] + timedelta(minutes=k) for k in range(hours * 60)]


def test_schedule_moves_power_and_energy(tmp_path: Path) -> None:
    midnight = datetime(2026, 5, 3, 22, tzinfo=UTC)
    hour = timedelta(hours=1)
    plan = Schedule(
        p=Series((midnight, midnight + hour, midnight + 2 * hour), (100.0, -50.0, None))
    )
    shares: list[float] = []

    summary = rehearsal(
        dense(coarse()),
        {LIB: plan},
        day=date(2026, 5, 4),
        days=1,
        seed=0,
        out=tmp_path,
        progress=shares.append,
    )

    lib = summary.plants[LIB]
    assert lib.discharged_kwh == pytest.approx(100, abs=2)
    assert lib.charged_kwh == pytest.approx(50, abs=2)
    assert lib.soc_end_pu is not None
    # 100 kWh out and 50 kWh in, of 500 kWh, with losses both ways.
    assert 0.36 < lib.soc_end_pu < 0.40
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    rows = rows_of(tmp_path / "data" / "20260504_lib.csv")
    assert [float(rows[k]["p_poi_kw"]) for k in (1, 59, 61, 119, 121)] == [100, 100, -50, -50, 0]


SCRIPT = """
import sys
from datetime import date
from pathlib import Path
from test_rehearsal import coarse
from hil.assembly.rehearsal import rehearsal
from hil.domain.schedule_random import random_schedule
from datetime import datetime, UTC
from hil.config.values import plant_specs
start = datetime(2026, 5, 3, 22, tzinfo=UTC)
plans = {spec.id: random_schedule(start=start, duration_h=24, resolution_min=15, seed=7,
         nameplate=spec.nameplate) for spec in plant_specs(coarse())}
rehearsal(coarse(), plans, day=date(2026, 5, 4), days=1, seed=7, out=Path(sys.argv[1]),
          progress=lambda _: None)
"""


def test_same_seed_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    digests: set[str] = set()
    for run in ("first", "second"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(len(digests) + 1),
            "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)]),
        }
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / run)], env=environment, check=True
        )
        digests.add(digest(tmp_path / run))

    assert len(digests) == 1


def test_command_writes_recordings_and_a_summary(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    result = CliRunner().invoke(hil, ["init", str(tmp_path)])
    assert result.exit_code == 0, result.output
    config.write_text(config.read_text().replace("_period_s: 2", "_period_s: 60"))
    (tmp_path / "steps.csv").write_text(STEPS)
    arguments = ["simulate", "--config", str(config), "--day", "2026-05-04", "--json"]
    arguments += ["--schedule", f"lib={tmp_path / 'steps.csv'}", "--out", str(tmp_path / "out")]

    result = CliRunner().invoke(hil, arguments)

    assert result.exit_code == 0, result.output
    summary = tmp_path / "out" / "summary.json"
    assert result.stdout == summary.read_text()
    assert sorted(path.name for path in (tmp_path / "out" / "data").glob("*.csv")) == [
        f"{day}_{plant}.csv"
        for day in ("20260503", "20260504", "20260505")
        for plant in ("lib", "vrfb")
    ]
    again = CliRunner().invoke(hil, arguments)
    assert again.exit_code == 2
    assert "is not empty; choose another folder with --out" in again.stderr


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        (["--schedule", "nope=steps.csv"], 2, "there is no plant 'nope'; use lib, vrfb"),
        (["--schedule", "missing.csv"], 1, "cannot read the schedule missing.csv"),
        (["--schedule", "bad.csv"], 2, "line 3: column setpoint"),
        (["--schedule", "steps.csv", "--day", "2026-02-30"], 2, "is no date"),
        (["--schedule", "steps.csv", "--day", "0001-01-01"], 2, "is not within 1971 to 2199"),
        (["--schedule", "steps.csv", "--day", "9999-12-31"], 2, "is not within 1971 to 2199"),
        (["--schedule", "steps.csv", "--out", "bad.csv/out"], 1, "cannot write to bad.csv/out"),
        (
            ["--schedule", "steps.csv", "--schedule", "lib=steps.csv"],
            2,
            "--schedule lib=steps.csv: lib has its p from steps.csv already",
        ),
    ],
)
def test_wrong_arguments_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("steps.csv").write_text(STEPS)
    Path("bad.csv").write_text(STEPS.replace("-250", "NaN"))

    result = CliRunner().invoke(hil, ["simulate", *changed])

    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert not list(tmp_path.glob("simulation-*"))


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("2026-03-27T00:00:00Z", "an earlier setpoint holds"),
        ("2026-04-27T00:00:00Z", "nothing of it is played"),
    ],
)
def test_schedule_of_other_days_is_warned_of_and_hours_are_the_days_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    config = Path("config.yaml")
    assert CliRunner().invoke(hil, ["init"]).exit_code == 0
    config.write_text(config.read_text().replace("_period_s: 2", "_period_s: 60"))
    Path("other.csv").write_text(f"time,p_kw\n{row},10\n")

    result = CliRunner().invoke(
        hil, ["simulate", "--day", "2026-03-29", "--schedule", "lib=other.csv", "--out", "out"]
    )

    assert result.exit_code == 0, result.output
    assert "warning: other.csv: no row lies in the simulated days" in result.stderr
    assert what in result.stderr
    assert "23 h in " in result.stdout


def test_compressed_day_is_the_dense_one_within_its_tolerances(tmp_path: Path) -> None:
    midnight = datetime(2026, 5, 3, 22, tzinfo=UTC)
    plan = Schedule(
        p=Series(tuple(midnight + timedelta(hours=k) for k in range(4)), (100.0, -50.0, 33.3, None))
    )
    summaries = [
        rehearsal(
            config,
            {LIB: plan},
            day=date(2026, 5, 4),
            days=1,
            seed=0,
            out=tmp_path / name,
            progress=lambda _: None,
        )
        for name, config in (("dense", dense(coarse())), ("compressed", coarse()))
    ]

    assert summaries[0] == summaries[1]
    name = "20260504_lib.csv"
    every = rows_of(tmp_path / "dense" / "data" / name)
    kept = rows_of(tmp_path / "compressed" / "data" / name)
    assert len(kept) < len(every) / 3
    tolerances = coarse().recording.compression.tolerances.model_dump()
    left = iter([*kept, None])
    held, following = kept[0], next(left)
    for row in every:
        if following is not None and row["timestamp"] == following["timestamp"]:
            assert row == following
            held, following = following, next(left)
        for signal, tolerance in tolerances.items():
            assert abs(float(held[signal]) - float(row[signal])) <= tolerance + 1e-9
    assert following is None
