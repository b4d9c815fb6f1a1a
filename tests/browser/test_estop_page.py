"""The emergency stop of the page, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from browser_support import Served, Watched, kinds, latch, opened, plant, run, silenced
from hil.domain.commands import CommandKind
from hil.domain.snapshot import Estop
from web_support import FakeEngine

LOST_MS = 12_000
ESTOP = [CommandKind.FLEET_ESTOP]


def press(page: Page) -> None:
    """Put the pointer down on the emergency stop."""
    page.get_by_test_id("estop").hover()
    page.mouse.down()


@pytest.mark.parametrize("by", ["pointer", "space"])
def test_a_hold_stops_everything_once(server: Served, watched: Watched, by: str) -> None:
    page = watched.open()
    if by == "pointer":
        press(page)
    else:
        page.get_by_test_id("estop").focus()
        page.keyboard.down("Space")
        page.keyboard.down("Space")  # as the keyboard repeats it
    expect(page.get_by_test_id("estop")).to_have_attribute("data-held", "true")
    assert kinds(server) == []
    expect(page.get_by_test_id("banner-accepted")).to_be_visible()
    if by == "pointer":
        page.mouse.up()
    else:
        page.keyboard.up("Space")
    latch(server)

    expect(page.get_by_test_id("banner-estop")).to_contain_text("since 13:00:00 by ana")
    expect(page.get_by_test_id("banner-accepted")).to_have_count(0)
    expect(page.get_by_test_id("estop-prompt")).to_have_count(0)
    assert kinds(server) == ESTOP


@pytest.mark.parametrize("by", ["pointer", "space"])
def test_a_hold_that_is_given_up_sends_nothing(server: Served, watched: Watched, by: str) -> None:
    page = watched.open()
    if by == "pointer":
        press(page)
        page.wait_for_timeout(550)
        page.mouse.up()
    else:
        page.get_by_test_id("estop").focus()
        page.keyboard.down("Space")
        page.wait_for_timeout(550)
        page.keyboard.up("Space")

    expect(page.get_by_test_id("estop-hint")).to_contain_text("Released too early")
    expect(page.get_by_test_id("estop")).to_have_attribute("data-held", "false")
    page.wait_for_timeout(500)
    expect(page.get_by_test_id("estop-prompt")).to_have_count(0)
    assert kinds(server) == []


@pytest.mark.parametrize(
    "click",
    [
        lambda page: page.get_by_test_id("estop").click(),
        lambda page: page.get_by_test_id("estop").press("Space"),
        lambda page: page.get_by_test_id("estop").press("Enter"),
    ],
    ids=["click", "space", "enter"],
)
def test_a_click_asks_and_the_stop_has_the_focus(
    server: Served, watched: Watched, click: Callable[[Page], None]
) -> None:
    page = watched.open()
    click(page)
    expect(page.get_by_test_id("estop-prompt").get_by_role("button")).to_have_count(2)
    expect(page.get_by_test_id("estop-now")).to_be_focused()
    page.get_by_test_id("estop-cancel").click()
    expect(page.get_by_test_id("estop-prompt")).to_have_count(0)
    expect(page.get_by_test_id("estop")).to_be_focused()
    assert kinds(server) == []

    click(page)
    page.get_by_test_id("estop-now").click()
    expect(page.get_by_test_id("banner-accepted")).to_be_visible()
    assert kinds(server) == ESTOP


def test_the_stop_works_while_the_stream_is_dead(server: Served, watched: Watched) -> None:
    page = watched.open()
    server.do(server.server.config.app.state.feed.end)  # type: ignore[union-attr] # our application
    expect(page.get_by_test_id("banner-lost")).to_be_visible(timeout=LOST_MS)
    expect(page.get_by_test_id("source-api")).to_have_attribute("aria-disabled", "true")
    press(page)

    expect(page.get_by_test_id("banner-accepted")).to_contain_text("taken the emergency stop")
    assert kinds(server) == ESTOP


def test_the_stop_works_over_an_open_question(server: Served, watched: Watched) -> None:
    page = watched.open()
    page.get_by_test_id("transport-remote").click()
    expect(page.get_by_test_id("confirm")).to_be_visible()
    press(page)

    expect(page.get_by_test_id("banner-accepted")).to_be_visible()
    assert kinds(server) == ESTOP


def test_a_stop_that_nobody_takes_is_not_confirmed(browser: Browser) -> None:
    server = Served(FakeEngine())
    server.start()
    with opened(server, browser) as watched:
        page = watched.open()
        server.stop()
        press(page)
        alert = page.get_by_test_id("banner-unconfirmed")
        expect(alert).to_contain_text(
            "NOT CONFIRMED - use the hardware stop or hil estop", timeout=6_000
        )
        page.mouse.up()
        alert.get_by_role("button").click()
        expect(alert).to_have_count(0)


def test_a_stop_that_is_taken_late_is_said_to_be(server: Served, watched: Watched) -> None:
    with silenced(server) as (line, url):
        watched.url = url
        page = watched.open()
        line.clear()  # nothing comes through, and nothing says so
        press(page)
        expect(page.get_by_test_id("banner-unconfirmed")).to_be_visible(timeout=6_000)
        line.set()
        expect(page.get_by_test_id("banner-accepted")).to_be_visible(timeout=6_000)

    assert set(kinds(server)) == set(ESTOP)


def test_the_stop_does_not_wait_for_requests_that_hang(server: Served, watched: Watched) -> None:
    page = watched.open()
    server.do(server.engine.may_measure.clear)
    page.evaluate(
        "async () => { const { request } = await import('/static/api.js');"
        " const query = 'start=2026-01-15T12:00:00Z&end=2026-01-15T12:10:00Z';"
        " const path = `/plants/lib/measurements?${query}&points=`;"
        " for (let k = 1; k < 9; k += 1) request(path + k); }"
    )
    press(page)
    expect(page.get_by_test_id("banner-accepted")).to_be_visible()
    server.do(server.engine.may_measure.set)

    assert kinds(server) == ESTOP


def test_a_latched_stop_refuses_starts_until_it_is_reset(server: Served, watched: Watched) -> None:
    run(server)
    latch(server)
    page = watched.open()
    said = "The emergency stop is latched: reset it first."
    expect(plant(page, "vrfb").get_by_text(said).first).to_be_attached()
    for control in (
        plant(page, "vrfb").get_by_test_id("btn-start"),
        page.get_by_test_id("fleet-start"),
    ):
        expect(control).to_have_attribute("aria-disabled", "true")
    for name in ("btn-stop", "btn-pause"):
        expect(plant(page).get_by_test_id(name)).not_to_have_attribute("aria-disabled", "true")
    page.get_by_test_id("estop-reset").click()
    expect(page.get_by_test_id("confirm")).to_contain_text("No plant starts by itself.")
    expect(page.get_by_test_id("confirm-cancel")).to_be_focused()
    page.get_by_test_id("confirm-ok").click()
    expect(page.get_by_test_id("cmd").first).to_have_attribute("data-cmd", "queued")
    server.do(lambda: server.engine.publish(estop=Estop()))

    expect(page.get_by_test_id("banner-estop")).to_have_count(0)
    assert kinds(server) == [CommandKind.FLEET_ESTOP_RESET]
