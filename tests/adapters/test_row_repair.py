"""What a crash or a power failure leaves of a recording: whole rows stay, the original is kept."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.adapters.row_repair import mend

HEADER = b"timestamp,a,b\n"


def rows(count: int) -> list[bytes]:
    return [
        f"2026-06-01T12:{k // 60:02d}:{k % 60:02d}+02:00,{k},0.5\n".encode() for k in range(count)
    ]


def mended(folder: Path, content: bytes) -> tuple[bytes, list[bytes]]:
    """The file after it was mended, and what was set aside."""
    path = folder / "20260601_lib.csv"
    path.write_bytes(content)
    mend(path)
    aside = [p.read_bytes() for p in sorted(folder.glob("*.damaged-*"))]
    assert sorted(p.name for p in folder.iterdir()) == [
        path.name,
        *(f"{path.name}.damaged-{k + 1}" for k in range(len(aside))),
    ]
    return path.read_bytes(), aside


@pytest.mark.parametrize("content", [b"", HEADER, HEADER + b"".join(rows(5))])
def test_whole_file_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    assert mended(tmp_path, content) == (content, [])


def test_missing_file_is_left_alone(tmp_path: Path) -> None:
    mend(tmp_path / "20260601_lib.csv")

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "hole",
    [
        b"\0" * 300,  # it ends in the middle of a row
        b"\0" * 100 + b"\n" + b"\0" * 100,
        b"\0" * 50 + b"\n",
        b"\0" * 200_000,
        b"2026-06-01T12:00:05+02:00,7\n",
        b"\n",
    ],
)
def test_lines_that_are_no_rows_go_and_whole_rows_on_both_sides_stay(
    tmp_path: Path, hole: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    before, cut, after = rows(3000)[:2990], rows(3000)[2990], rows(3000)[2991:]
    content = HEADER + b"".join(before) + cut[:20] + hole + cut[20:] + b"".join(after)

    got, aside = mended(tmp_path, content)

    assert got == HEADER + b"".join(before) + b"".join(after)
    assert aside == [content]
    assert "no rows" in caplog.text
    assert "20260601_lib.csv.damaged-1" in caplog.text


def test_zeros_and_half_a_row_at_the_end_are_kept_apart(tmp_path: Path) -> None:
    whole = HEADER + b"".join(rows(3))
    torn = b"\0" * 40 + b"\n" + rows(5)[4][:10]

    got, aside = mended(tmp_path, whole + torn)

    assert got == whole
    assert aside == [torn[41:], whole + torn[:41]]


@pytest.mark.parametrize(
    "content", [b"\0" * 10 + HEADER[10:] + rows(1)[0], b"a,b\n1\n", b"\xef\xbb\xbf" + HEADER]
)
def test_what_is_no_recording_is_left_alone(tmp_path: Path, content: bytes) -> None:
    assert mended(tmp_path, content) == (content, [])


def whole_lines(content: bytes, of: Sequence[bytes]) -> list[bytes]:
    """The lines that the damage has left as they were."""
    known = set(of)
    return [line for line in content.splitlines(keepends=True) if line in known]


@given(data=st.data())
def test_whatever_is_damaged_every_line_is_whole_and_no_whole_one_is_lost(
    data: st.DataObject,
) -> None:
    good = rows(data.draw(st.integers(0, 40)))
    content = bytearray(HEADER + b"".join(good))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(len(HEADER), len(content)))
        end = data.draw(st.integers(start, min(len(content) + 20, start + 200)))
        content[start:end] = b"\0" * (end - start)
    damaged = bytes(content[: data.draw(st.integers(len(HEADER), len(content)))])

    with tempfile.TemporaryDirectory() as folder:
        got, aside = mended(Path(folder), damaged)

    lines = got.splitlines(keepends=True)
    assert lines[0] == HEADER
    assert all(line.count(b",") == 2 and line.endswith(b"\n") for line in lines)
    assert b"\0" not in got
    kept = whole_lines(got, good)
    assert kept == whole_lines(damaged, good)
    assert bool(aside) == (got != damaged)
