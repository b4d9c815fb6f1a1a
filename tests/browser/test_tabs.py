"""The pages of the shell: their URLs, and what stays in place on each of them."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from browser_support import Served, Watched, latch, opened
from web_support import alarm

PAGES = {"operate": "Operate", "market": "API & posting", "logs": "Logs"}


def is_shown(page: Page, name: str) -> None:
    """The page of this name is the one that is shown, by its URL, its tab and its heading."""
    expect(page).to_have_url(re.compile(f"/{name}$"))
    expect(page.locator("nav [aria-current]")).to_have_text(PAGES[name])
    expect(page.locator("h1")).to_have_text(PAGES[name])
    expect(page).to_have_title(f"HIL bench · {PAGES[name]} · HIL Scheduler")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_an_address_and_the_whole_shell(watched: Watched, name: str) -> None:
    page = watched.open(f"/{name}")

    is_shown(page, name)
    expect(page.get_by_test_id("estop")).to_be_visible()
    expect(page.get_by_test_id("conn")).to_have_attribute("data-value", "live")
    assert watched.complaints == []


def test_tabs_keep_one_stream_and_follow_back_and_forward(watched: Watched) -> None:
    page = watched.open()
    page.evaluate("document.body.dataset.mark = 'same'")
    for name in ("market", "logs", "operate", "logs"):
        page.get_by_test_id(f"tab-{name}").click()
        is_shown(page, name)
    page.go_back()
    is_shown(page, "operate")
    page.go_back()
    is_shown(page, "logs")
    page.go_forward()
    is_shown(page, "operate")

    expect(page.get_by_test_id("plant-lib").locator("canvas")).to_have_count(2)
    assert page.evaluate("document.body.dataset.mark") == "same"
    assert len([url for url in watched.requests if url.endswith("/stream")]) == 1
    assert watched.complaints == []


def test_a_page_that_cannot_be_fetched_says_so_and_comes_with_the_connection(
    server: Served, browser: Browser
) -> None:
    with opened(server, browser) as watched:
        page = watched.open()
        page.route("**/static/logs.js", lambda route: route.abort())
        page.get_by_test_id("tab-logs").click()
        expect(page.locator("main")).to_contain_text("This page cannot be fetched")
        expect(page.get_by_test_id("estop")).to_be_visible()
        page.get_by_test_id("tab-operate").click()
        is_shown(page, "operate")
        page.unroute("**/static/logs.js")
        page.get_by_test_id("tab-logs").click()

        expect(page.get_by_test_id("logs")).to_contain_text("engine started")


def test_a_reload_stays_on_the_page(watched: Watched) -> None:
    page = watched.open("/operate")
    page.get_by_test_id("tab-logs").click()
    is_shown(page, "logs")
    page.reload()

    is_shown(page, "logs")


def test_keys_open_pages_but_not_from_a_field(watched: Watched) -> None:
    page = watched.open("/operate")
    page.keyboard.press("m")
    is_shown(page, "operate")
    for key, name in (("m", "market"), ("o", "operate"), ("l", "logs")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        is_shown(page, name)
        expect(page.locator("main")).to_be_focused()
    page.get_by_test_id("logs-text").press_sequentially("gm")

    is_shown(page, "logs")


def test_the_banner_and_the_way_to_the_alarms_are_on_every_page(
    server: Served, watched: Watched
) -> None:
    server.do(lambda: server.engine.publish(alarms=(alarm("a"),)))
    latch(server)
    page = watched.open("/logs")

    expect(page.get_by_test_id("banner-estop")).to_be_visible()
    expect(page.get_by_test_id("banner-alarm")).to_be_visible()
    page.get_by_test_id("alarm-count").click()
    expect(page).to_have_url(re.compile("/operate#alarms$"))
    expect(page.locator("#alarms")).to_be_in_viewport()
    page.go_back()
    is_shown(page, "logs")


@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways(watched: Watched, name: str) -> None:
    page = watched.open(f"/{name}")
    for width in (320, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
