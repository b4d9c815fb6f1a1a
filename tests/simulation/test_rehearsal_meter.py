"""A rehearsal of a plant with a meter of its own: its columns are filled."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from hil.assembly.rehearsal import rehearsal
from hil.config.load import default_text, load_text
from hil.domain.plant import PlantId
from hil.domain.schedule import Schedule, Series
from metered import with_meter

COUNT = {"p_poi_kw": 0.1, "q_poi_kvar": 0.1, "v_poi_kV": 0.001}
TWINS = {"meter_p": "p_poi_kw", "meter_q": "q_poi_kvar", "meter_v": "v_poi_kV"}


def test_the_meter_is_recorded_and_agrees_with_the_plant(tmp_path: Path) -> None:
    config = load_text(with_meter(default_text(), port=5030))
    timing = config.timing.model_copy(
        update={"dispatch_period_s": 60.0, "measurement_period_s": 60.0}
    )
    compression = config.recording.compression.model_copy(update={"enabled": False})
    recording = config.recording.model_copy(update={"compression": compression})
    midnight, hour = datetime(2026, 5, 3, 22, tzinfo=UTC), timedelta(hours=1)
    times = (midnight, midnight + hour, midnight + 2 * hour)
    plan = Schedule(p=Series(times, (100.0, -50.0, None)), q=Series(times, (30.0, -20.0, None)))

    rehearsal(
        config.model_copy(update={"timing": timing, "recording": recording}),
        {PlantId("lib"): plan},
        day=date(2026, 5, 4),
        days=1,
        seed=0,
        out=tmp_path,
        progress=lambda _: None,
    )

    with (tmp_path / "data" / "20260504_lib.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["soc_pu"]]
    assert len(rows) == 24 * 60
    assert {row["meter_f"] for row in rows} == {"50"}
    assert max(float(row["meter_p"]) for row in rows) > 50
    assert min(float(row["meter_q"]) for row in rows) < -10
    for meter, plant in TWINS.items():
        for row in rows:
            assert float(row[meter]) == pytest.approx(float(row[plant]), abs=COUNT[plant])
