"""Switches, alarms, overrides and old values on the page, in a real browser."""

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from browser_support import Served, Watched, kinds, latch, plant, run
from hil.domain.alarms import AlarmKind
from hil.domain.commands import CommandKind, CommandStatus
from hil.domain.errors import Impossible
from hil.domain.phase import Phase
from hil.domain.plant import Source, Transport
from hil.domain.schedule import Signal
from hil.domain.snapshot import Switching
from web_support import LIB, NOON, VRFB, alarm, measured


def test_a_source_switch_names_its_consequences(server: Served, watched: Watched) -> None:
    run(server)
    page = watched.open()
    page.get_by_test_id("source-api").click()
    dialog = page.get_by_test_id("confirm")
    expect(dialog).to_contain_text("Safe-stops LIB: zero power first, then disable.")
    expect(dialog).to_contain_text("Setpoints then come from the market API.")
    expect(page.get_by_test_id("confirm-cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_test_id("source-api")).to_be_focused()
    page.get_by_test_id("source-api").click()
    page.get_by_test_id("confirm-ok").click()
    source = page.get_by_test_id("source")
    expect(page.get_by_test_id("source-api")).to_have_attribute("aria-disabled", "true")
    expect(source).to_have_attribute("data-value", "manual")
    server.do(lambda: server.engine.publish(switching=Switching(kind="source", to="api")))
    expect(source).to_have_attribute("data-switching", "api")
    expect(source).to_contain_text("switching to Market API")
    server.do(lambda: server.engine.publish(switching=None, source=Source.API))

    expect(page.get_by_test_id("source-api")).to_have_attribute("aria-pressed", "true")
    [command] = server.engine.submitted
    assert (command.kind, command.asked) == (CommandKind.SOURCE, {"to": "api"})


def test_real_plants_need_the_sites_name(server: Served, watched: Watched) -> None:
    run(server, recording=True)
    page = watched.open()
    page.get_by_test_id("transport-remote").click()
    expect(page.get_by_test_id("confirm")).to_contain_text("Recording stops for LIB.")
    for wrong in ("", "hil bench", "HIL"):
        page.get_by_test_id("confirm-name").fill(wrong)
        page.get_by_test_id("confirm-ok").click(force=True)
    assert kinds(server) == []
    page.get_by_test_id("confirm-name").fill("HIL bench")
    page.get_by_test_id("confirm-ok").click()
    expect(page.get_by_test_id("cmd").first).to_have_attribute("data-cmd", "queued")

    [command] = server.engine.submitted
    assert (command.kind, command.asked) == (CommandKind.TRANSPORT, {"to": "remote"})


def test_a_switch_that_failed_can_be_forced(server: Served, watched: Watched) -> None:
    server.do(lambda: server.engine.publish(transport=Transport.REMOTE))
    page = watched.open()
    page.get_by_test_id("transport-local").click()
    expect(page.get_by_test_id("confirm-force")).to_have_count(0)
    page.get_by_test_id("confirm-ok").click()
    expect(page.get_by_test_id("cmd").first).to_have_attribute("data-cmd", "queued")
    [first] = server.engine.submitted
    why = "LIB did not stop"
    server.do(lambda: server.engine.settle(first, CommandStatus.FAILED, why))
    expect(page.get_by_test_id("cmd").first).to_contain_text(f"failed: {why}")
    page.get_by_test_id("transport-local").click()
    page.get_by_test_id("confirm-force").check()
    page.get_by_test_id("confirm-ok").click()
    expect(page.get_by_test_id("cmd").first).to_have_attribute("data-cmd", "queued")

    assert server.engine.submitted[1].asked == {"to": "local", "force": True}


def test_a_switch_that_is_refused_says_why(server: Served, watched: Watched) -> None:
    page = watched.open()
    server.engine.refuse = Impossible("No market API is configured. Add schedule_api first.")
    page.get_by_test_id("source-api").click()
    page.get_by_test_id("confirm-ok").click()

    expect(page.get_by_test_id("cmd").first).to_contain_text("No market API is configured.")
    expect(page.get_by_test_id("source")).to_have_attribute("data-value", "manual")


def test_stop_all_is_possible_while_something_else_is_under_way(
    server: Served, watched: Watched
) -> None:
    run(server)
    page = watched.open()
    page.get_by_test_id("fleet-start").click()
    page.get_by_test_id("confirm-ok").click()
    expect(page.get_by_test_id("fleet-start")).to_have_attribute("aria-disabled", "true")
    page.get_by_test_id("fleet-stop").click()
    page.get_by_test_id("confirm-ok").click()
    expect(page.get_by_test_id("fleet-stop")).to_have_attribute("data-cmd", "queued")

    assert kinds(server) == [CommandKind.FLEET_START, CommandKind.FLEET_STOP]


def test_stop_all_stays_asked_when_a_plant_changes(server: Served, watched: Watched) -> None:
    run(server)
    page = watched.open()
    page.get_by_test_id("fleet-stop").click()
    dialog = page.get_by_test_id("confirm")
    expect(dialog).to_contain_text("Safe-stops LIB and VRFB")
    expect(dialog).not_to_contain_text("recording")
    server.do(lambda: server.engine.publish_plant(VRFB, phase=Phase.UNKNOWN, recording=True))
    expect(dialog).to_contain_text("Then stops recording, now on for VRFB.")
    page.get_by_test_id("confirm-ok").click()
    expect(page.get_by_test_id("fleet-stop")).to_have_attribute("data-cmd", "queued")

    assert kinds(server) == [CommandKind.FLEET_STOP]


def raise_alarms(server: Served) -> None:
    """Three active alarms, the worst in the middle, and one that is over but not acknowledged."""
    shown = (
        alarm("low", AlarmKind.WRITE_CLAMPED),
        alarm("worst", AlarmKind.SELF_DISABLED, plant=VRFB),
        alarm("high", AlarmKind.LINK_LOST),
        alarm("over", AlarmKind.FOUND_ENABLED, cleared_at=NOON),
    )
    server.do(lambda: server.engine.publish(alarms=shown))


def test_the_worst_alarm_is_acknowledged_and_the_next_follows(
    server: Served, watched: Watched
) -> None:
    page = watched.open()
    expect(page.get_by_test_id("banner")).to_have_count(0)
    raise_alarms(server)
    banner = page.get_by_test_id("banner")
    expect(banner).to_contain_text("VRFB: The plant disabled itself while running since 13:00:00")
    expect(banner).to_contain_text("It is not enabled again: press Stop, then Start.")
    expect(banner).to_contain_text("3 more")
    rows = page.locator("#alarms li")
    ids = rows.evaluate_all("(rows) => rows.map((row) => row.dataset.testid)")
    assert ids == ["alarm-worst", "alarm-high", "alarm-low", "alarm-over"]
    banner.get_by_test_id("ack").click()

    expect(banner).to_contain_text("LIB: The plant does not answer")
    expect(page.get_by_test_id("alarm-worst")).to_have_attribute("data-state", "acknowledged")
    expect(page.get_by_test_id("alarm-worst")).to_contain_text("acknowledged 13:00:00 by local")
    assert server.engine.picture.alarms[1].note is None


def test_an_alarm_is_acknowledged_with_a_note(server: Served, watched: Watched) -> None:
    page = watched.open()
    raise_alarms(server)
    row = page.get_by_test_id("alarm-high")
    row.get_by_test_id("ack-with-note").click()
    expect(row.get_by_test_id("ack-note")).to_be_focused()
    page.keyboard.type("cable was out")
    server.do(server.engine.publish)  # a new picture leaves what is being typed alone
    page.keyboard.type(" again")
    row.get_by_test_id("ack").click()
    expect(row).to_contain_text("by local: cable was out again")
    page.get_by_test_id("alarm-over").get_by_test_id("ack").click()

    expect(page.get_by_test_id("alarm-over")).to_have_count(0)
    expect(page.get_by_test_id("alarm-count")).to_have_attribute("data-value", "3")


def test_an_acknowledgement_that_is_refused_says_why(server: Served, watched: Watched) -> None:
    page = watched.open()
    raise_alarms(server)
    row = page.get_by_test_id("alarm-low")
    page.route("**/ack", lambda route: route.fulfill(status=404, json={"detail": "It is gone."}))
    row.get_by_test_id("ack").click()

    expect(row).to_contain_text("It is gone.")


def test_a_quick_setpoint_is_set_shown_and_removed(server: Served, watched: Watched) -> None:
    run(server)
    page = watched.open()
    card = plant(page)
    card.get_by_test_id("btn-quick").click()
    card.get_by_test_id("quick-p").fill("\u2212150,5")
    card.get_by_test_id("quick-minutes").fill("15")
    card.get_by_test_id("quick-set").click()
    expect(card.get_by_test_id("quick-result")).to_contain_text(
        "P \u2212150.5 kW is set. Until 13:15"
    )
    series = server.engine.overrides[LIB, Signal.P].series
    assert series.values == (-150.5, None)
    assert series.times[1] - series.times[0] == timedelta(minutes=15)
    assert server.engine.overrides[LIB, Signal.Q].etag == "v0"
    expect(card.get_by_test_id("origin")).to_have_attribute("data-value", "override")
    expect(card.get_by_test_id("override-end")).to_contain_text("until 13:15")
    card.get_by_test_id("override-remove").click()

    expect(card.get_by_test_id("override")).to_have_count(0)
    assert server.engine.overrides[LIB, Signal.P].series.values == ()


def test_a_quick_setpoint_may_have_both_signals(server: Served, watched: Watched) -> None:
    page = watched.open()
    card = plant(page)
    card.get_by_test_id("btn-quick").click()
    card.get_by_test_id("quick-p").fill("100")
    card.get_by_test_id("quick-q").fill("-20")
    page.keyboard.press("Enter")
    expect(card.get_by_test_id("quick-result")).to_contain_text("Q \u221220.0 kvar is set.")
    expect(card.get_by_test_id("quick-result")).to_contain_text("LIB is not dispatching")
    card.get_by_test_id("override-remove").click()
    expect(card.get_by_test_id("override")).to_have_count(0)

    assert [one.series.values for one in server.engine.overrides.values()] == [()] * 4


def test_a_quick_setpoint_that_is_wrong_is_not_sent(server: Served, watched: Watched) -> None:
    card = plant(watched.open())
    card.get_by_test_id("btn-quick").click()
    for (p, q, minutes), said in (
        (("", "", "10"), "P must be a number."),
        (("1e3", "", "10"), "P must be a number."),
        (("1000.1", "", "10"), "P must be between"),
        (("1", "x", "10"), "Q must be a number."),
        (("1", "-601", "10"), "Q must be between"),
        (("1", "", "0"), "The time must be between 1 and 1440 min."),
    ):
        card.get_by_test_id("quick-p").fill(p)
        card.get_by_test_id("quick-q").fill(q)
        card.get_by_test_id("quick-minutes").fill(minutes)
        card.get_by_test_id("quick-set").click()
        expect(card.get_by_test_id("quick-result")).to_contain_text(said)

    assert server.engine.written_by == []


def test_a_plant_is_taken_out_of_service_with_a_note(server: Served, watched: Watched) -> None:
    page = watched.open()
    card = plant(page)
    card.get_by_test_id("btn-service").click()
    expect(page.get_by_test_id("confirm")).to_contain_text("Start all leaves LIB out")
    page.get_by_test_id("confirm-note").fill("fan, ordered")
    page.get_by_test_id("confirm-ok").click()
    expect(card.get_by_test_id("cmd")).to_contain_text("Take out of service queued")
    server.do(lambda: server.engine.publish_plant(LIB, in_service=False))

    expect(card.get_by_test_id("btn-start")).to_have_attribute("aria-disabled", "true")
    expect(card.get_by_test_id("btn-service")).to_have_text("Put into service")
    [command] = server.engine.submitted
    assert command.asked == {"in_service": False, "note": "fan, ordered"}


def test_a_reading_that_does_not_change_is_old(server: Served, watched: Watched) -> None:
    page = watched.open()
    engine = server.engine
    expect(plant(page)).to_have_attribute("data-stale", "false")

    def seven_seconds_later() -> None:
        now = NOON + timedelta(seconds=7)
        fresh = replace(
            engine.picture.plants[VRFB], measurement=measured(now, p_kw=0, soc_pu=0.5, set_kw=0)
        )
        engine.publish(time=now, plants={**engine.picture.plants, VRFB: fresh})

    server.do(seven_seconds_later)

    expect(plant(page)).to_have_attribute("data-stale", "true")
    expect(plant(page).get_by_test_id("age")).to_contain_text("old 7 s")
    expect(plant(page, "vrfb")).to_have_attribute("data-stale", "false")


def test_old_is_three_periods_of_the_plant(watched: Watched) -> None:
    page = watched.open()
    seen_ms = [
        [0],
        [0, 2_000, 4_000],
        [0, 10_000, 20_000, 30_000],
        [0, 2_000, 4_000, 64_000, 66_000, 68_000],
        [0, 500, 1_000, 1_500],
        [0, 10_000, 20_000, 30_000, 5_000],
    ]
    limits_ms = page.evaluate(
        "async (all) => { const { AgeLimits } = await import('/static/age.js');"
        " return all.map((times) => { const limits = new AgeLimits();"
        " times.forEach((at) => limits.take('lib', at)); return limits.of('lib'); }); }",
        seen_ms,
    )

    assert limits_ms == [6_000, 6_000, 30_000, 6_000, 3_000, 6_000]


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_scrolls_sideways_when_much_is_wrong(
    server: Served, watched: Watched, width: int
) -> None:
    watched.page.set_viewport_size({"width": width, "height": 700})
    raise_alarms(server)
    latch(server)
    server.do(lambda: server.engine.publish_plant(VRFB, phase=Phase.UNKNOWN, in_service=False))
    page = watched.open()
    plant(page).get_by_test_id("btn-quick").click()

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.get_by_test_id("estop")).to_be_in_viewport(ratio=1)
