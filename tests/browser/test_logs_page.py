"""The page of the log, in a real browser."""

from datetime import date

import pytest
from playwright.sync_api import Page, expect

from browser_support import Served, Watched
from hil.domain.errors import Impossible
from hil.domain.log_line import LogLevel, LogLine
from web_logs import TODAY, log_line

YESTERDAY = date(2026, 1, 14)
MAX_LINES = 2_000


def add(server: Served, *texts: str) -> None:
    """Log these lines."""
    server.do(lambda: server.logs.add(*texts))


def fill(server: Served, count: int) -> None:
    """Log so many lines."""
    add(server, *(f"line {k}" for k in range(count)))


def at_end(page: Page) -> bool:
    """Whether the end of the log is in view."""
    found: bool = page.get_by_test_id("logs").evaluate(
        "(box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24"
    )
    return found


def test_today_is_shown_as_it_is_written(server: Served, watched: Watched) -> None:
    page = watched.open("/logs")
    lines = page.locator(".logs li")
    expect(lines.locator("time")).to_have_text("11:00:00.000")
    expect(lines.locator(".level")).to_have_text("INFO")
    expect(lines.locator(".text")).to_have_text("engine started")
    add(server, "plan of today has come", "<b>not markup</b>")

    expect(lines).to_have_count(3)
    expect(lines.nth(2)).to_contain_text("<b>not markup</b>")
    expect(page.get_by_test_id("logs-count")).to_have_text(
        "3 lines of 2026-01-15, times in Europe/Madrid."
    )
    assert set(server.logs.tails) == {MAX_LINES, 200}
    assert watched.complaints == []


def test_equal_lines_are_each_shown(server: Served, watched: Watched) -> None:
    page = watched.open("/logs")
    for count in (2, 3, 4):
        add(server, "engine started")
        expect(page.locator(".logs li")).to_have_count(count)


def test_who_reads_further_up_is_not_moved(server: Served, watched: Watched) -> None:
    fill(server, 300)
    page = watched.open("/logs")
    expect(page.locator(".logs li")).to_have_count(301)
    assert at_end(page)
    page.get_by_test_id("logs").evaluate("(box) => box.scrollTo(0, 100)")
    add(server, *(f"new {k}" for k in range(12)))
    button = page.get_by_test_id("logs-new")
    expect(button).to_have_text("12 new, show")
    assert page.get_by_test_id("logs").evaluate("(box) => box.scrollTop") == 100
    expect(page.locator(".logs li")).to_have_count(301)
    button.click()

    expect(page.locator(".logs li")).to_have_count(313)
    expect(button).to_have_count(0)
    expect(page.get_by_test_id("logs")).to_be_focused()
    assert at_end(page)
    add(server, "and one")
    expect(page.locator(".logs li").last).to_contain_text("and one")
    assert at_end(page)


def test_scrolling_to_the_end_shows_what_is_new(server: Served, watched: Watched) -> None:
    fill(server, 300)
    page = watched.open("/logs")
    page.get_by_test_id("logs").evaluate("(box) => box.scrollTo(0, 0)")
    add(server, "late")
    expect(page.get_by_test_id("logs-new")).to_have_attribute("data-value", "1")
    page.get_by_test_id("logs").evaluate("(box) => box.scrollTo(0, box.scrollHeight)")

    expect(page.get_by_test_id("logs-new")).to_have_count(0)
    expect(page.locator(".logs li").last).to_contain_text("late")


def test_the_lines_are_bounded_also_after_a_burst(server: Served, watched: Watched) -> None:
    fill(server, 2_500)
    page = watched.open("/logs")
    lines = page.locator(".logs li")
    expect(lines).to_have_count(MAX_LINES)
    expect(page.get_by_test_id("logs-count")).to_contain_text("the newest; the file has older ones")
    add(server, *(f"burst {k}" for k in range(900)))

    expect(lines.last).to_contain_text("burst 899")
    expect(lines).to_have_count(MAX_LINES)
    expect(lines.nth(MAX_LINES - 900)).to_contain_text("burst 0")
    expect(lines.nth(MAX_LINES - 901)).to_contain_text("line 2499")


def test_level_and_text_choose_lines(server: Served, watched: Watched) -> None:
    raised = (
        log_line("plant=lib link lost", LogLevel.WARNING),
        log_line("plant=vrfb cannot be written", LogLevel.ERROR),
        LogLine(time=None, level=None, text="plant=lib left by a crash"),
    )
    server.logs.days[TODAY].extend(raised)
    page = watched.open("/logs")
    lines = page.locator(".logs li")
    expect(lines).to_have_count(4)
    expect(lines.nth(1)).to_have_attribute("data-level", "WARNING")
    page.get_by_test_id("logs-level").select_option("ERROR")
    expect(lines).to_have_count(2)
    page.get_by_test_id("logs-text").fill("PLANT=LIB")
    expect(lines.locator(".text")).to_have_text(["plant=lib left by a crash"])
    page.get_by_test_id("logs-text").fill("nobody")
    expect(page.get_by_test_id("logs-empty")).to_contain_text("No line matches")
    page.get_by_test_id("logs-text").fill("")
    page.get_by_test_id("logs-level").select_option("")

    expect(lines).to_have_count(4)


def test_an_earlier_day_is_read_once(server: Served, watched: Watched) -> None:
    server.logs.days[YESTERDAY] = [log_line("stopped yesterday")]
    page = watched.open("/logs")
    page.get_by_test_id("logs-day").select_option("2026-01-14")
    expect(page.locator(".logs li")).to_contain_text("stopped yesterday")
    expect(page.get_by_test_id("logs-count")).to_contain_text("1 line of 2026-01-14")
    asked = len(server.logs.tails)
    page.wait_for_timeout(2_500)
    assert len(server.logs.tails) == asked
    page.get_by_test_id("logs-day").select_option("today")

    expect(page.locator(".logs li")).to_contain_text("engine started")


def test_the_level_is_set_while_the_engine_runs(server: Served, watched: Watched) -> None:
    page = watched.open("/logs")
    button, level = page.get_by_test_id("log-level-set"), page.get_by_test_id("log-level")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(level).to_have_attribute("data-value", "INFO")
    page.get_by_test_id("log-level-choice").select_option("DEBUG")
    assert server.logs.set_by == []
    button.click()

    expect(page.get_by_test_id("log-level-cmd")).to_have_text("done")
    expect(level).to_have_attribute("data-value", "DEBUG")
    assert (server.logs.level, server.logs.set_by) == (LogLevel.DEBUG, ["local"])
    server.do(lambda: server.logs.set_level(LogLevel.ERROR, by="somebody"))
    expect(page.get_by_test_id("log-level-choice")).to_have_value("ERROR")


@pytest.mark.parametrize("is_first", [True, False])
def test_a_log_that_cannot_be_read_is_said(
    server: Served, watched: Watched, *, is_first: bool
) -> None:
    refusal = Impossible("The log files cannot be read.")
    if is_first:
        server.logs.refuse = refusal
    page = watched.open("/logs")
    server.logs.refuse = refusal
    error = page.get_by_test_id("logs-error")
    expect(error).to_contain_text("The log files cannot be read.")
    expect(page.locator(".logs li")).to_have_count(0 if is_first else 1)
    server.logs.refuse = None

    expect(error).to_have_count(0)
    expect(page.locator(".logs li")).to_have_count(1)
