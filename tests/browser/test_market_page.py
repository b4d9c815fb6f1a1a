"""The page of the market API and posting, in a real browser."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser_support import Served, Watched, kinds, opened, served, silenced
from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.errors import Impossible
from hil.domain.plant import Source, Transport
from hil.domain.schedule import Schedule, Series
from hil.domain.snapshot import (
    ConnectionStatus,
    PostingPlant,
    PostingState,
    ScheduleApiState,
    ScheduleDay,
)
from web_support import LIB, NOON, VRFB, FakeEngine

LOST_MS = 12_000
PERIOD = timedelta(minutes=15)
TODAY = ScheduleDay(
    date=date(2026, 1, 15),
    points=94,
    expected=96,
    missing={VRFB: ((NOON, NOON + 2 * PERIOD), (NOON + 4 * PERIOD, NOON + 5 * PERIOD))},
)
TOMORROW = ScheduleDay(date=date(2026, 1, 16), expected=96)
API = ScheduleApiState(today=TODAY, tomorrow=TOMORROW)

COLUMNS = """async (points) => {
  const { columnsOf } = await import("/static/plan.js");
  const at = (minutes) => new Date(1768478400000 + 60000 * minutes).toISOString();
  const rows = points.map(([minutes, p_kw]) => ({ time: at(minutes), p_kw, q_kvar: 0 }));
  const { times, p } = columnsOf(rows);
  return times.map((time, k) => [(time - 1768478400) / 60, p[k]]);
}"""


@pytest.fixture
def server() -> Iterator[Served]:
    engine = FakeEngine()
    engine.publish(schedule_api=API)
    times = tuple(NOON + k * PERIOD for k in range(4))
    engine.plans[LIB] = Schedule(p=Series(times, (100, -50, 0, 25)), q=Series(times, (0,) * 4))
    with served(engine) as running:
        yield running


def show(server: Served, **changes: Any) -> None:
    """Publish these changes of the picture."""
    server.do(lambda: server.engine.publish(**changes))


def posting(**changes: Any) -> PostingState:
    """Posting that is in effect, with these changes."""
    fields: dict[str, Any] = {
        "enabled": True,
        "effective": True,
        "why_not": None,
        "plants": {LIB: PostingPlant(), VRFB: PostingPlant()},
    }
    return PostingState(**{**fields, **changes})


def cell(page: Page, plant: str, label: str) -> Locator:
    """A cell of the table of queues."""
    return page.get_by_test_id(f"queue-{plant}").locator(f"[data-label='{label}']")


def test_without_an_api_the_page_says_what_to_configure(server: Served, watched: Watched) -> None:
    show(server, schedule_api=ScheduleApiState())
    page = watched.open("/market")

    empty = page.get_by_test_id("market-empty")
    expect(empty).to_contain_text("No market API is configured")
    expect(empty).to_contain_text("password_env")
    expect(page.get_by_test_id("connect")).to_have_count(0)
    expect(page.get_by_test_id("posting")).to_have_count(0)
    assert watched.complaints == []


def test_the_password_goes_to_the_engine_and_stays_nowhere(
    server: Served, watched: Watched
) -> None:
    page = watched.open("/market")
    expect(page.get_by_test_id("api-connection")).to_have_attribute("data-value", "disconnected")
    page.get_by_test_id("connect").click()
    expect(page.get_by_test_id("estop")).to_be_enabled()
    field = page.get_by_test_id("password-field")
    expect(field).to_be_focused()
    page.get_by_test_id("password-ok").click()
    expect(page.get_by_test_id("password")).to_contain_text("Give the password.")
    field.fill("very secret")
    page.keyboard.press("Enter")

    expect(page.get_by_test_id("api-connection")).to_have_attribute("data-value", "connected")
    expect(page.get_by_test_id("wish")).to_have_attribute("data-cmd", "done")
    expect(page.get_by_test_id("password")).to_have_count(0)
    expect(page.get_by_test_id("connect")).to_have_attribute("aria-disabled", "true")
    assert server.engine.passwords == ["very secret"]
    assert "very secret" not in page.content()
    assert (
        page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])") == "[{},{}]"
    )
    page.get_by_test_id("tab-logs").click()
    page.get_by_test_id("tab-market").click()
    assert "very secret" not in page.content()


def test_a_refused_log_in_says_why_beside_the_control(server: Served, watched: Watched) -> None:
    page = watched.open("/market")
    page.get_by_test_id("connect").click()
    page.get_by_test_id("password-field").fill("wrong")
    page.get_by_test_id("password-ok").click()

    wish = page.get_by_test_id("wish")
    expect(wish).to_have_attribute("data-cmd", "failed")
    expect(wish).to_contain_text("Connect failed: the market API refuses the log-in of bench")
    expect(page.get_by_test_id("connect")).to_be_focused()
    page.get_by_label("Dismiss: Connect failed").click()
    expect(wish).to_have_attribute("data-cmd", "idle")
    page.get_by_test_id("connect-again").click()
    expect(page.get_by_test_id("api-connection")).to_have_attribute("data-value", "connected")
    assert server.engine.passwords == ["wrong", None]


def test_disconnecting_names_what_ends(server: Served, watched: Watched) -> None:
    api = ScheduleApiState(connection=ConnectionStatus.CONNECTED, today=TODAY, tomorrow=TOMORROW)
    show(server, schedule_api=api, source=Source.API)
    page = watched.open("/market")
    page.get_by_test_id("disconnect").click()
    question = page.get_by_test_id("disconnecting")
    expect(question).to_contain_text("The password is forgotten")
    expect(question).to_contain_text("0 kW where it ends")
    expect(page.get_by_test_id("disconnect-cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    assert server.engine.written_by == []
    page.get_by_test_id("disconnect").click()
    page.get_by_test_id("disconnect-ok").click()

    expect(page.get_by_test_id("api-connection")).to_have_attribute("data-value", "disconnected")
    assert server.engine.written_by == ["local"]


def test_a_failing_api_is_shown_with_its_sentence(server: Served, watched: Watched) -> None:
    api = ScheduleApiState(
        connection=ConnectionStatus.ERROR,
        today=TODAY,
        tomorrow=TOMORROW,
        last_attempt=NOON,
        error="the market API answers 503",
    )
    show(server, schedule_api=api)
    page = watched.open("/market")

    expect(page.get_by_test_id("api-error")).to_have_text("the market API answers 503")
    expect(page.get_by_test_id("last-attempt")).to_contain_text("13:00:00")
    expect(page.get_by_test_id("last-success")).to_contain_text("none since the start")
    expect(page.get_by_test_id("disconnect")).not_to_have_attribute("aria-disabled", "true")
    expect(page.get_by_test_id("connect")).not_to_have_attribute("aria-disabled", "true")


def test_a_question_ends_with_the_page_and_with_the_connection(
    server: Served, browser: Browser
) -> None:
    with silenced(server) as (clear, url), opened(server, browser) as watched:
        watched.url = url
        page = watched.open("/market")
        page.get_by_test_id("tab-logs").click()
        page.get_by_test_id("tab-market").click()
        page.get_by_test_id("connect").click()
        page.go_back()
        page.go_forward()
        expect(page.get_by_test_id("api-connection")).to_be_visible()
        expect(page.get_by_test_id("password")).to_have_count(0)
        page.get_by_test_id("connect").click()
        expect(page.get_by_test_id("password")).to_be_visible()
        clear.clear()
        expect(page.get_by_test_id("banner-lost")).to_be_visible(timeout=LOST_MS)

        expect(page.get_by_test_id("password")).to_have_count(0)
        for control in ("connect", "disconnect", "posting-on", "posting-off"):
            expect(page.get_by_test_id(control)).to_have_attribute("aria-disabled", "true")
        expect(page.locator("main")).to_have_attribute("data-stale", "true")
        expect(page.get_by_test_id("day-today")).to_contain_text("94 of 96 periods")


def test_of_a_long_list_the_coming_ranges_are_named(server: Served, watched: Watched) -> None:
    ranges = tuple((NOON + k * 4 * PERIOD, NOON + (k * 4 + 1) * PERIOD) for k in range(-5, 8))
    today = ScheduleDay(date=TODAY.date, points=83, expected=96, missing={LIB: ranges})
    show(server, schedule_api=ScheduleApiState(today=today, tomorrow=TOMORROW))
    page = watched.open("/market")

    expect(page.get_by_test_id("missing-lib")).to_contain_text("LIB lacks 13:00–13:15")
    expect(page.get_by_test_id("missing-lib")).to_contain_text("18:00–18:15 and 7 more")


def test_what_is_missing_of_a_day_is_named_in_site_time(watched: Watched) -> None:
    page = watched.open("/market")

    today = page.get_by_test_id("day-today")
    expect(today).to_have_attribute("data-value", "part")
    expect(today).to_contain_text("Today, 15 Jan")
    expect(today).to_contain_text("94 of 96 periods")
    expect(today).to_contain_text("incomplete")
    expect(page.get_by_test_id("missing-vrfb")).to_have_text(
        "VRFB lacks 13:00–13:30, 14:00–14:15", use_inner_text=True
    )
    expect(page.get_by_test_id("day-tomorrow")).to_contain_text("not come yet")


def test_each_plant_has_a_preview_and_a_table(server: Served, watched: Watched) -> None:
    page = watched.open("/market")
    lib = page.get_by_test_id("plan-lib")
    expect(lib).to_have_attribute("data-value", "4")
    expect(lib.locator("canvas")).to_have_count(1)
    expect(lib.locator(".key-setpoint")).to_have_text("P +100.0 kW")
    lib.get_by_text("View as table").click()
    expect(lib.locator("tbody tr").nth(1)).to_have_text(
        "15 Jan 13:15−50.00.0", use_inner_text=False
    )
    expect(page.get_by_test_id("plan-vrfb")).to_contain_text("Nothing of the plan has come yet.")

    times = (NOON, NOON + PERIOD)
    come = Schedule(p=Series(times, (7, 8)), q=Series(times, (0, 0)))
    server.do(lambda: server.engine.plans.update({VRFB: come}))
    show(server, schedule_api=ScheduleApiState(today=TODAY, tomorrow=TOMORROW, last_success=NOON))
    expect(page.get_by_test_id("plan-vrfb")).to_have_attribute("data-value", "2")
    expect(page.get_by_test_id("plan-vrfb").locator(".key-setpoint")).to_have_text("P +7.0 kW")


def test_a_preview_breaks_where_a_period_is_missing(watched: Watched) -> None:
    page = watched.open("/market")
    rows = page.evaluate(COLUMNS, [[0, 10], [15, 20], [60, 30]])

    assert rows == [[0, 10], [15, 20], [30, None], [60, 30], [75, None]]
    assert page.evaluate(COLUMNS, []) == []


def test_posting_is_asked_before_it_is_switched_on(server: Served, watched: Watched) -> None:
    waits = {LIB: PostingPlant(pending=3), VRFB: PostingPlant()}
    off = posting(enabled=False, effective=False, why_not="posting is switched off", plants=waits)
    show(server, posting=off, transport=Transport.REMOTE)
    page = watched.open("/market")
    expect(page.get_by_test_id("posting-why")).to_have_text(
        "Nothing is posted now: posting is switched off."
    )
    page.get_by_test_id("posting-on").click()
    question = page.get_by_test_id("confirm")
    expect(question).to_contain_text("the real plants")
    expect(question).to_contain_text("once the source is Market API")
    expect(question).to_contain_text("3 samples that wait are sent first.")
    page.get_by_test_id("confirm-ok").click()
    chip = page.get_by_test_id("cmd")
    expect(chip).to_have_attribute("data-cmd", "queued")
    expect(page.get_by_test_id("posting")).to_have_attribute("data-value", "off")
    [command] = server.engine.submitted
    assert (command.kind, command.asked) == (CommandKind.POSTING, {"enabled": True})
    server.do(lambda: server.engine.settle(command, CommandStatus.DONE))
    show(server, posting=posting())

    expect(chip).to_have_text("Posting on done")
    expect(page.get_by_test_id("posting")).to_have_attribute("data-value", "on")
    expect(page.get_by_test_id("posting-effective")).to_have_attribute("data-value", "true")
    expect(page.get_by_test_id("posting-why")).to_have_count(0)


def test_posting_is_switched_off_at_once_and_a_refusal_is_said(
    server: Served, watched: Watched
) -> None:
    show(server, posting=posting())
    page = watched.open("/market")
    server.engine.refuse = Impossible("The queue of commands is full.")
    page.get_by_test_id("posting-off").click()
    chip = page.get_by_test_id("cmd")
    expect(chip).to_contain_text("Posting off rejected: The queue of commands is full.")
    server.engine.refuse = None
    page.get_by_test_id("posting-off").click()
    expect(chip).to_have_attribute("data-cmd", "queued")
    expect(page.get_by_test_id("posting-off")).to_have_attribute("aria-disabled", "true")

    assert kinds(server) == [CommandKind.POSTING]
    assert server.engine.submitted[0].asked == {"enabled": False}


def test_the_question_of_posting_closes_when_posting_changes(
    server: Served, watched: Watched
) -> None:
    show(server, posting=posting(enabled=False))
    page = watched.open("/market")
    page.get_by_test_id("posting-on").click()
    expect(page.get_by_test_id("confirm")).to_be_visible()
    show(server, posting=posting())

    expect(page.get_by_test_id("confirm")).to_have_count(0)
    expect(page.get_by_text("The state changed while you were asked.")).to_be_visible()


def test_each_queue_is_counted_and_a_late_one_is_marked(server: Served, watched: Watched) -> None:
    late = PostingPlant(
        pending=5, oldest_age_s=300, sent=12, dropped=2, set_aside=1, last_error="answers 503"
    )
    show(server, posting=posting(plants={LIB: late, VRFB: PostingPlant(pending=4)}))
    page = watched.open("/market")

    expect(page.get_by_test_id("queue-lib")).to_have_attribute("data-late", "true")
    expect(page.get_by_test_id("queue-vrfb")).to_have_attribute("data-late", "false")
    expect(cell(page, "lib", "Pending")).to_contain_text("over one period")
    for label, said in (
        ("Oldest", "5 min"),
        ("Sent", "12"),
        ("Dropped", "2"),
        ("Set aside", "1"),
        ("Last error", "answers 503"),
    ):
        expect(cell(page, "lib", label)).to_have_text(said)
    expect(cell(page, "vrfb", "Oldest")).to_have_text("—")
    page.set_viewport_size({"width": 390, "height": 800})
    expect(cell(page, "lib", "Last error")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
