"""The operator page in a real browser, over a real server and an engine that plays a script."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from browser_support import Served, Watched, opened, plant, run, silenced
from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.errors import Impossible
from hil.domain.phase import Phase
from hil.domain.plant import Transport
from hil.domain.snapshot import Link, LinkStatus
from web_support import LIB, VRFB, FakeEngine, measured

MAX_BYTES = 200_000
MAX_REQUESTS = 60
LOST_MS = 12_000
MAX_GROWTH_BYTES = 5_000_000

# Gives the page as many pictures, 2 s apart, as if the stream had brought them.
PLAY = """async (count) => {
  const { snapshot, take } = await import('/static/state.js');
  const spent = [];
  for (let k = 0; k < count; k += 1) {
    const next = structuredClone(snapshot.value);
    const at = new Date(Date.parse(next.time) + 2000).toISOString();
    next.seq += 1;
    next.time = at;
    for (const plant of Object.values(next.plants)) {
      const values = { time: at, p_poi_kw: (k * 7) % 500, soc_pu: (k % 900) / 900 };
      Object.assign(plant.measurement, values);
    }
    const began = performance.now();
    take(next);
    spent.push(performance.now() - began);
    if (k % 50 === 0) await new Promise((done) => requestAnimationFrame(done));
  }
  return spent;
}"""


def test_a_first_visit_is_small_quiet_and_stays_at_home(watched: Watched) -> None:
    page = watched.open()
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').filter((one) => !one.name.includes('/stream'))"
        ".concat(performance.getEntriesByType('navigation')).map((one) => one.transferSize)"
    )

    assert sum(sizes) <= MAX_BYTES, sizes
    assert len(watched.requests) <= MAX_REQUESTS
    assert watched.complaints == []
    assert page.evaluate("document.fonts.check('14px \"DM Sans Variable\"')")


def test_a_planted_violation_would_be_seen(server: Served, browser: Browser) -> None:
    with opened(server, browser) as watched:
        page = watched.open()
        page.evaluate("document.body.setAttribute('style', 'color: red')")
        page.wait_for_timeout(200)

        assert watched.violations()


def test_values_are_shown_and_kept_as_facts(server: Served, watched: Watched) -> None:
    reading = measured(server.engine.picture.time, p_kw=-412.04, soc_pu=0.542, set_kw=-420)
    run(server, measurement=reading)
    card = plant(watched.open())

    expect(card.get_by_test_id("p-poi")).to_have_text("\u2212412.0")
    expect(card.get_by_test_id("p-poi")).to_have_attribute("data-value", "-412.04")
    expect(card.get_by_test_id("soc")).to_have_text("54.2")
    expect(card.get_by_test_id("phase")).to_have_attribute("data-phase", "running")
    expect(card).to_contain_text("charging")
    expect(card.get_by_test_id("plot-lib-p").locator("canvas")).to_have_count(1)
    expect(watched.page.get_by_test_id("clock")).to_have_text("13:00:00 Europe/Madrid")


def test_what_is_unknown_is_a_dash(server: Served, watched: Watched) -> None:
    server.do(lambda: server.engine.publish_plant(VRFB, measurement=None, link=Link()))
    card = plant(watched.open(), "vrfb")

    for name in ("p-poi", "soc", "q-poi", "v-poi"):
        expect(card.get_by_test_id(name)).to_contain_text("—")
        expect(card.get_by_test_id(name)).to_have_attribute("data-value", "")
    expect(card.get_by_test_id("age")).to_contain_text("no values yet")


def test_a_plant_that_does_not_answer_is_marked(server: Served, watched: Watched) -> None:
    page = watched.open()
    link = Link(
        status=LinkStatus.TIMEOUT, age_s=14, consecutive_failures=4, last_error="no answer in 1 s"
    )
    server.do(lambda: server.engine.publish_plant(LIB, link=link))
    card = plant(page)

    expect(card).to_have_attribute("data-stale", "true")
    expect(card.get_by_test_id("link")).to_contain_text("timeout ×4")
    expect(card.get_by_test_id("link")).to_have_attribute("data-value", "timeout")
    expect(card.get_by_test_id("age")).to_contain_text("old")
    expect(plant(page, "vrfb")).to_have_attribute("data-stale", "false")


def test_start_sends_one_post_and_its_chip_follows(server: Served, watched: Watched) -> None:
    page = watched.open()
    card, chip = plant(page), plant(page).get_by_test_id("cmd")
    expect(chip).to_have_attribute("data-cmd", "idle")
    card.get_by_test_id("btn-start").dblclick()
    expect(chip).to_have_attribute("data-cmd", "queued")
    expect(card.get_by_test_id("btn-start")).to_have_attribute("aria-disabled", "true")
    expect(card.get_by_test_id("phase")).to_have_attribute("data-phase", "stopped")

    [command] = server.engine.submitted
    assert (command.kind, command.plant, command.by) == (CommandKind.START, LIB, "local")
    server.do(lambda: server.engine.settle(command, CommandStatus.RUNNING))
    expect(chip).to_have_attribute("data-cmd", "running")
    server.do(lambda: server.engine.settle(command, CommandStatus.DONE))
    run(server)
    expect(chip).to_have_attribute("data-cmd", "done")
    expect(card.get_by_test_id("phase")).to_have_attribute("data-phase", "running")
    expect(chip).to_have_attribute("data-cmd", "idle", timeout=9_000)
    posts = [request for request in watched.requests if request.endswith("/start")]
    assert len(posts) == 1


def test_a_failure_stays_until_it_is_dismissed(server: Served, watched: Watched) -> None:
    run(server)
    page = watched.open()
    card, chip = plant(page), plant(page).get_by_test_id("cmd")
    card.get_by_test_id("btn-stop").click()
    expect(chip).to_have_attribute("data-cmd", "queued")
    [command] = server.engine.submitted
    server.do(
        lambda: server.engine.settle(command, CommandStatus.FAILED, "LIB does not go to zero")
    )
    expect(chip).to_contain_text("Stop failed: LIB does not go to zero")
    chip.get_by_role("button").click()

    expect(chip).to_have_attribute("data-cmd", "idle")


def test_a_refusal_is_shown_with_its_sentence(server: Served, watched: Watched) -> None:
    page = watched.open()
    server.engine.refuse = Impossible("LIB still has a safe stop to deliver.")
    plant(page).get_by_test_id("btn-start").click()

    chip = plant(page).get_by_test_id("cmd")
    expect(chip).to_have_attribute("data-cmd", "rejected")
    expect(chip).to_contain_text("LIB still has a safe stop to deliver.")


def test_what_is_impossible_says_why_and_sends_nothing(server: Served, watched: Watched) -> None:
    page = watched.open()
    stop = plant(page).get_by_test_id("btn-stop")
    expect(stop).to_have_attribute("aria-disabled", "true")
    stop.click(force=True)
    page.keyboard.press("Enter")

    expect(plant(page).get_by_text("LIB is stopped.")).to_be_visible()
    assert server.engine.submitted == []


def test_start_all_asks_first_and_cancel_has_the_focus(server: Served, watched: Watched) -> None:
    page = watched.open()
    page.get_by_test_id("fleet-start").click()
    dialog = page.get_by_test_id("confirm")
    expect(dialog).to_contain_text("Records and starts LIB and VRFB on the local transport.")
    expect(page.get_by_test_id("confirm-cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert server.engine.submitted == []

    page.get_by_test_id("fleet-start").click()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_test_id("fleet-start").click()
    page.get_by_test_id("confirm-ok").click()
    expect(page.get_by_test_id("fleet-start")).to_have_attribute("data-cmd", "queued")
    assert [one.kind for one in server.engine.submitted] == [CommandKind.FLEET_START]


def test_the_dialog_closes_when_the_state_changes_under_it(
    server: Served, watched: Watched
) -> None:
    page = watched.open()
    page.get_by_test_id("fleet-start").click()
    expect(page.get_by_test_id("confirm")).to_be_visible()
    run(server)

    expect(page.get_by_test_id("confirm")).to_have_count(0)
    expect(page.get_by_text("The state changed while you were asked.")).to_be_visible()
    assert server.engine.submitted == []


def test_starting_real_plants_needs_the_sites_name(server: Served, watched: Watched) -> None:
    server.do(lambda: server.engine.publish(transport=Transport.REMOTE))
    page = watched.open()
    page.get_by_test_id("fleet-start").click()
    page.get_by_test_id("confirm-ok").click(force=True)
    assert server.engine.submitted == []
    page.get_by_role("textbox").fill("HIL bench")
    page.get_by_test_id("confirm-ok").click()

    expect(page.get_by_test_id("fleet-start")).to_have_attribute("data-cmd", "queued")


def test_a_lost_connection_is_unmistakable_and_comes_back(browser: Browser) -> None:
    first = Served(FakeEngine())
    first.start()
    with opened(first, browser) as watched:
        page = watched.open()
        first.stop()
        banner = page.get_by_test_id("banner")
        expect(banner).to_contain_text(
            "Connection lost since 13:00:00, values are old", timeout=LOST_MS
        )
        expect(page.get_by_test_id("conn")).to_have_attribute("data-value", "lost")
        expect(page.locator("main")).to_have_attribute("data-stale", "true")
        for name in ("btn-start", "btn-record", "btn-upload"):
            control = plant(page).get_by_test_id(name)
            expect(control).to_have_attribute("aria-disabled", "true")

        second = Served(FakeEngine())
        second.start(first.port)
        try:
            expect(banner).to_have_count(0, timeout=LOST_MS)
            expect(page.get_by_test_id("conn")).to_have_attribute("data-value", "live")
            expect(plant(page).get_by_test_id("btn-start")).not_to_have_attribute(
                "aria-disabled", "true"
            )
        finally:
            second.stop()


def test_a_line_that_dies_in_silence_is_noticed(server: Served, watched: Watched) -> None:
    with silenced(server) as (line, url):
        watched.url = url
        page = watched.open()
        line.clear()  # the connections stay open and nothing comes through, as behind a firewall
        expect(page.get_by_test_id("banner")).to_be_visible(timeout=LOST_MS)
        expect(page.get_by_test_id("conn")).to_have_attribute("data-value", "lost")
        line.set()
        expect(page.get_by_test_id("banner")).to_have_count(0, timeout=LOST_MS)


def test_nothing_scrolls_sideways_at_320_pixels(server: Served, watched: Watched) -> None:
    watched.page.set_viewport_size({"width": 320, "height": 640})
    link = Link(status=LinkStatus.TIMEOUT, last_error="no answer from 192.168.100.200:5021 in 1 s")
    server.do(lambda: server.engine.publish_plant(LIB, link=link, phase=Phase.UNKNOWN))
    page = watched.open()

    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_focus_survives_twenty_events(server: Served, watched: Watched) -> None:
    page = watched.open()
    button = plant(page).get_by_test_id("btn-record")
    button.focus()
    for _ in range(20):
        before = page.evaluate("document.body.dataset.seq")
        run(server, recording=server.engine.picture.seq % 2 == 0)
        page.wait_for_selector(f'body:not([data-seq="{before}"])')

    focused = page.evaluate("document.activeElement.dataset.testid")
    assert focused in {"btn-record", "btn-stop-recording"}


def test_two_thousand_events_cost_no_memory(watched: Watched) -> None:
    page = watched.open()
    session = page.context.new_cdp_session(page)

    def counted() -> dict[str, float]:
        session.send("HeapProfiler.collectGarbage")
        metrics = session.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in metrics}

    session.send("Performance.enable")
    page.evaluate(PLAY, 200)  # caches and compiled code come with the first events
    before = counted()
    spent_ms = page.evaluate(PLAY, 2_000)
    after = counted()

    assert after["JSHeapUsedSize"] - before["JSHeapUsedSize"] < MAX_GROWTH_BYTES
    assert abs(after["Nodes"] - before["Nodes"]) < 20
    assert len(spent_ms) == 2_000


def test_a_hidden_tab_gives_its_connection_back(server: Served, watched: Watched) -> None:
    page = watched.open()
    feed = server.server.config.app.state.feed  # type: ignore[union-attr] # our application
    assert feed._readers == 1
    _hide(page, hidden=True)
    for _ in range(100):
        if feed._readers == 0:
            break
        page.wait_for_timeout(50)
    assert feed._readers == 0
    _hide(page, hidden=False)

    expect(page.get_by_test_id("conn")).to_have_attribute("data-value", "live")


def _hide(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        "(hidden) => { Object.defineProperty(document, 'hidden', "
        "{ value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_and_can_be_chosen(
    server: Served, browser: Browser, scheme: Any
) -> None:
    backgrounds = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 21)"}
    with opened(server, browser, color_scheme=scheme) as watched:
        page = watched.open()
        expect(page.locator("body")).to_have_css("background-color", backgrounds[scheme])
        other = "dark" if scheme == "light" else "light"
        page.get_by_label("Theme").select_option(other)
        expect(page.locator("body")).to_have_css("background-color", backgrounds[other])
        page.reload()
        expect(page.locator("body")).to_have_css("background-color", backgrounds[other])


def test_the_api_page_works_under_the_same_policy(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.url}/api/docs")
    page.get_by_text("/api/v1/plants/{plant}/measurements", exact=True).click()

    opened_route = page.locator("details[open]")
    expect(opened_route.get_by_text("start (query, required)")).to_be_visible()
    assert watched.complaints == []
