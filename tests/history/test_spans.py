"""What a recording covers."""

from datetime import UTC, datetime, timedelta

from dense_day import HEADER, ZONE
from hil.domain.site_day import local_text
from hil.history.read import rows_of
from hil.history.spans import Span, spans_of

START = datetime(2026, 5, 4, 8, tzinfo=UTC)


def spans(*rows: tuple[int, str]) -> list[tuple[int, int, int]]:
    lines = [
        f"{local_text(START + timedelta(seconds=at_s), ZONE)},{value},,,,,,,\n"
        for at_s, value in rows
    ]
    frame = rows_of(HEADER + "".join(lines).encode(), v_nominal_kv=None).frame
    found = spans_of(frame, max_gap_s=360)
    return [
        (
            round((span.start - START).total_seconds()),
            round((span.end - START).total_seconds()),
            span.rows,
        )
        for span in found
    ]


def test_spans_are_cut_at_boundaries_and_gaps() -> None:
    assert spans() == []
    assert spans((0, "")) == []
    assert spans((0, "1"), (2, "1"), (362, "0")) == [(0, 362, 3)]
    assert spans((0, "1"), (2, "1"), (363, "0")) == [(0, 2, 2), (363, 363, 1)]
    assert spans((0, ""), (2, "1"), (4, "1"), (6, ""), (8, ""), (9, "1")) == [(2, 4, 2), (9, 9, 1)]


def test_a_span_has_a_length() -> None:
    assert Span(START, START + timedelta(hours=2), 7).length == timedelta(hours=2)
