"""What the plots make of recorded and live rows, in a real browser."""

from dataclasses import replace
from typing import Any

from playwright.sync_api import expect

from browser_support import Served, Watched, plant
from web_support import LIB

HISTORY = """
async ([recorded, live]) => {
  const { History } = await import("/static/history.js");
  const history = new History(["p_poi_kw", "meter_p"]);
  const at = (s) => new Date(1768478400000 + 1000 * s).toISOString();
  const shown = (rows) => rows.map(([, value]) => value);
  const last = { last: shown(recorded) };
  history.load({
    time: recorded.map(([s]) => at(s)),
    signals: { p_poi_kw: last },
  });
  for (const [s, value] of live) {
    history.add({ time: at(s), p_poi_kw: value, extra: { meter_p: value } });
  }
  return history.times.map((time, k) => [time - 1768478400, history.columns.p_poi_kw[k]]);
}
"""


def rows_of(watched: Watched, recorded: list[Any], live: list[Any]) -> list[list[Any]]:
    page = watched.open()
    rows: list[list[Any]] = page.evaluate(HISTORY, [recorded, live])
    return rows


def test_a_recorded_row_holds_until_the_next_however_far_that_is(watched: Watched) -> None:
    recorded = [[0, 0], [2, -33], [300, -33], [302, None], [400, 5]]
    assert rows_of(watched, recorded, [[402, 6]]) == [*recorded, [402, 6]]


def test_live_rows_that_stay_away_break_the_line(watched: Watched) -> None:
    live = [[2 * k, 1] for k in range(6)]
    rows = rows_of(watched, [], [*live, [40, 2]])
    assert rows[:6] == live
    assert rows[6][1] is None
    assert rows[7] == [40, 2]


def test_further_signals_have_values_and_plots(server: Served, watched: Watched) -> None:
    page = watched.open()
    card = plant(page)
    expect(card.get_by_test_id("extra-lib")).to_have_count(0)
    measured = server.engine.picture.plants[LIB].measurement
    assert measured is not None
    extra = {"meter_p": -12.5, "temperature": None}
    measured = replace(measured, extra=extra)
    server.do(lambda: server.engine.publish_plant(LIB, measurement=measured))

    more = card.get_by_test_id("extra-lib")
    expect(more.get_by_text("Further signals (2)")).to_be_visible()
    more.get_by_text("Further signals (2)").click()
    expect(more.get_by_test_id("extra-lib-meter_p")).to_have_attribute("data-value", "-12.5")
    expect(more.get_by_test_id("extra-lib-temperature")).to_have_text("\u2014")
    expect(more.get_by_test_id("plot-lib-meter_p").locator("canvas")).to_be_visible()
