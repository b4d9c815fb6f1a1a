"""Schedule files on the operator page, in a real browser."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from browser_support import Served, Watched, plant
from web_support import LIB, NOON


def test_a_bad_schedule_file_names_line_and_column(server: Served, watched: Watched) -> None:
    page = watched.open()
    card = plant(page)
    rows = "time,p_kw\n2026-01-15T12:00:00Z,100\n2026-01-15T12:15:00Z,many\n"
    card.get_by_test_id("upload-file").set_input_files(
        {"name": "bad.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    )

    result = card.get_by_test_id("upload-result")
    expect(result).to_have_attribute("data-outcome", "refused")
    expect(result.get_by_role("status")).to_have_text(
        "bad.csv was not loaded: 1 of 2 rows is wrong"
    )
    problem = result.get_by_test_id("row-problem")
    expect(problem).to_have_text("Line 3, column p_kw: 'many' is not a number")
    page.set_viewport_size({"width": 390, "height": 800})
    box = problem.bounding_box()
    assert box is not None
    assert box["width"] > 200
    assert server.engine.schedules[LIB].etag == "v0"


def test_a_schedule_file_is_loaded_in_both_forms(server: Served, watched: Watched) -> None:
    page = watched.open()
    card = plant(page)
    files = card.get_by_test_id("upload-file")
    times = "time,p_kw\n2026-01-15T12:00:00Z,100\n2026-01-15T12:15:00Z,0\n"
    files.set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": times.encode()})
    result = card.get_by_test_id("upload-result")
    expect(result).to_contain_text("2 points, 15 Jan 13:00 to 15 Jan 13:15 Europe/Madrid")

    hours = "hours,minutes,seconds,setpoint\n0,0,0,10\n0,0,30,end\n"
    files.set_input_files({"name": "b.csv", "mimeType": "text/csv", "buffer": hours.encode()})
    expect(result).to_have_attribute("data-outcome", "asking")
    result.get_by_label("Signal").select_option("q")
    card.get_by_test_id("upload-start").click()
    expect(result).to_have_attribute("data-outcome", "loaded")
    assert server.engine.schedules[LIB].schedule.q.values == (10, None)


def test_what_dispatch_will_limit_is_said_beside_the_upload(
    server: Served, watched: Watched
) -> None:
    card = plant(watched.open())
    rows = b"time,p_kw\n2026-01-15T12:00:00Z,5000\n"
    card.get_by_test_id("upload-file").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": rows}
    )

    expect(card.get_by_test_id("upload-note")).to_contain_text("1 setpoint of active power beyond")


def test_each_start_is_offered_once_and_any_other_can_be_typed(
    server: Served, watched: Watched
) -> None:
    server.do(lambda: server.engine.publish(time=NOON - timedelta(seconds=30)))
    card = plant(watched.open())
    hours = b"hours,minutes,seconds,setpoint\n0,0,0,10\n"
    card.get_by_test_id("upload-file").set_input_files(
        {"name": "b.csv", "mimeType": "text/csv", "buffer": hours}
    )
    result = card.get_by_test_id("upload-result")
    start = result.get_by_label("Start", exact=True)
    expect(start.locator("option")).to_have_text(
        ["15 Jan 13:00", "Start of today, 15 Jan 00:00", "Another time"]
    )
    start.select_option("own")
    typed = result.get_by_test_id("upload-time")
    for local, said in (
        ("", "Give the day"),
        ("2026-03-29T02:30", "skip"),
        ("2026-10-25T02:30", "twice"),
    ):
        typed.fill(local)
        result.get_by_test_id("upload-start").click()
        expect(result.locator(".wrong")).to_contain_text(said)
    typed.fill("2026-03-29T03:00")
    result.get_by_test_id("upload-start").click()
    expect(result).to_have_attribute("data-outcome", "loaded")

    [first] = server.engine.schedules[LIB].schedule.p.times
    assert first == datetime(2026, 3, 29, 1, tzinfo=UTC)
