"""Names of daily recordings."""

from datetime import date

import pytest

from hil.domain.plant import PlantId
from hil.domain.recording_file import RecordingName, file_name, parse_name


def test_a_name_is_read_as_it_is_written() -> None:
    name = file_name("20260329", PlantId("lib_2"))
    assert parse_name(name) == RecordingName(date(2026, 3, 29), "lib_2")


@pytest.mark.parametrize(
    "name",
    [
        "hil.sqlite",
        "20260230_lib.csv",
        "2026_lib.csv",
        "20260101_lib.csv.damaged-1",
        "20260101_.csv",
    ],
)
def test_other_files_are_no_recordings(name: str) -> None:
    assert parse_name(name) is None


@pytest.mark.parametrize(
    ("suffix", "is_its"),
    [("lib", True), ("LIB_No._2", True), ("lib_no_2", True), ("LIB-No-2", True), ("vrfb", False)],
)
def test_a_plant_has_files_by_its_id_and_by_its_name_in_any_spelling(
    suffix: str, *, is_its: bool
) -> None:
    found = RecordingName(date(2026, 1, 1), suffix)
    assert found.is_of(PlantId("lib"), "LIB No. 2") is is_its
