"""Recordings of more plants than one thread writes, and of days with a change of the clocks."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.adapters.csv_recordings import CsvRecordings
from hil.domain.plant import PlantId, Source, Transport
from hil.domain.session import NewestRow, Session
from hil.domain.signals import Row
from hil.ports import RowsNotDurable
from hil.virtual.loop import VirtualLoop

MADRID = ZoneInfo("Europe/Madrid")
START = datetime(2026, 6, 1, 10, tzinfo=UTC)
PLANTS = tuple(PlantId(f"plant_{k}") for k in range(60))


def row(seconds: float, value: float = 1.0, *, since: datetime = START) -> Row:
    return Row(since + timedelta(seconds=seconds), (value,) * 8)


def sink_of(directory: Path) -> CsvRecordings:
    return CsvRecordings(directory, zone=MADRID, columns_extra=dict.fromkeys(PLANTS, ()))


def times_of(directory: Path, plant: PlantId) -> list[datetime]:
    return [
        datetime.fromisoformat(line.partition(",")[0])
        for path in sorted(directory.glob(f"*_{plant}.csv"))
        for line in path.read_text().splitlines()[1:]
    ]


@pytest.mark.real_time
async def test_sixty_plants_are_written_by_several_threads(tmp_path: Path) -> None:
    sink = sink_of(tmp_path)
    for second in range(3):
        await sink.append({plant: [row(second)] for plant in PLANTS})
    assert await sink.newest(PLANTS[7]) == NewestRow(START + timedelta(seconds=2), False)
    await sink.close()

    for plant in PLANTS:
        assert times_of(tmp_path, plant) == [START + timedelta(seconds=k) for k in range(3)]


async def test_only_the_plants_in_trouble_are_named(tmp_path: Path) -> None:
    sink = sink_of(tmp_path)
    blocked = {PLANTS[3], PLANTS[50]}
    for plant in blocked:
        (tmp_path / f"20260601_{plant}.csv").mkdir()

    with pytest.raises(RowsNotDurable) as error:
        await sink.append({plant: [row(0)] for plant in PLANTS})

    assert error.value.plants == blocked
    for plant in set(PLANTS) - blocked:
        assert times_of(tmp_path, plant) == [START]
    for plant in blocked:
        (tmp_path / f"20260601_{plant}.csv").rmdir()
    await sink.append({plant: [row(0), row(2)] for plant in PLANTS})
    await sink.close()
    assert all(len(times_of(tmp_path, plant)) == 2 for plant in PLANTS)


async def test_newest_row_of_an_earlier_run_is_known(tmp_path: Path) -> None:
    sink = sink_of(tmp_path)
    await sink.append({PLANTS[0]: [row(0), Row(START + timedelta(seconds=2), None)]})
    await sink.close()
    with (tmp_path / f"20260601_{PLANTS[0]}.csv").open("ab") as file:
        file.write(b"2026-06-01T12:00:04+02:00,1")

    sink = sink_of(tmp_path)
    boundary = START + timedelta(seconds=2)
    assert await sink.newest(PLANTS[0]) == NewestRow(boundary, is_boundary=True)
    assert await sink.newest(PLANTS[1]) is None
    await sink.append({PLANTS[0]: [row(4)]})
    assert await sink.newest(PLANTS[0]) == NewestRow(START + timedelta(seconds=4), False)
    await sink.close()


@given(
    start=st.sampled_from(
        [
            datetime(2026, 3, 28, 22, 30, tzinfo=UTC),  # a night that is an hour shorter
            datetime(2026, 10, 24, 21, 30, tzinfo=UTC),  # one that is longer
            datetime(2026, 6, 1, 20, tzinfo=UTC),
        ]
    ),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    again=st.integers(0, 8),
)
@settings(max_examples=30, deadline=None)
def test_midnight_and_clock_changes_lose_and_double_no_row(
    tmp_path_factory: pytest.TempPathFactory, start: datetime, cuts: list[int], again: int
) -> None:
    directory = tmp_path_factory.mktemp("days")
    rows = [row(600 * k, since=start) for k in range(60)]
    edges = [0, *sorted(cuts), 60]

    async def record() -> None:
        sink = CsvRecordings(directory, zone=MADRID)
        for first, last in pairwise(edges):
            # Some rows are tried again, as after an error.
            await sink.append({PLANTS[0]: rows[max(first - again, 0) : last]})
        await sink.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(record())

    assert times_of(directory, PLANTS[0]) == [each.at for each in rows]
    for path in directory.glob("*.csv"):
        days = {line[:10].replace("-", "") for line in path.read_text().splitlines()[1:]}
        assert days == {path.name[:8]}


def document(uid: str, name: str = "LIB") -> Session:
    return Session(
        uid=uid,
        name=name,
        plant=PLANTS[0],
        file="20260601_plant_0.csv",
        source=Source.MANUAL,
        transport=Transport.LOCAL,
        config_hash="00",
        version="1",
        who="ana",
        start=START,
    )


async def test_documents_of_sessions_are_replaced_whole(tmp_path: Path) -> None:
    sink = sink_of(tmp_path / "data")
    await sink.save_sessions({"a1": document("a1"), "b2": document("b2")})
    await sink.save_sessions({"a1": document("a1", "Ramp test")})
    await sink.close()

    folder = tmp_path / "data" / "sessions"
    assert sorted(path.name for path in folder.iterdir()) == ["a1.json", "b2.json"]
    read = orjson.loads((folder / "a1.json").read_bytes())
    assert (read["name"], read["start"]) == ("Ramp test", "2026-06-01T10:00:00+00:00")


async def test_document_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    sink = sink_of(tmp_path)
    await sink.save_sessions({"a1": document("a1")})
    part = tmp_path / "sessions" / "a1.part"
    part.symlink_to("/dev/full")
    with pytest.raises(OSError, match="space"):
        await sink.save_sessions({"a1": document("a1", "new")})
    assert b'"LIB"' in (tmp_path / "sessions" / "a1.json").read_bytes()
    part.unlink()
    await sink.save_sessions({"a1": document("a1", "new")})
    assert b'"new"' in (tmp_path / "sessions" / "a1.json").read_bytes()
    await sink.close()
