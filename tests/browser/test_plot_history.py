"""What the plots make of recorded and live rows, in a real browser."""

from typing import Any

from browser_support import Watched

HISTORY = """
async ([recorded, live]) => {
  const { History } = await import("/static/history.js");
  const history = new History();
  const at = (s) => new Date(1768478400000 + 1000 * s).toISOString();
  const shown = (rows) => rows.map(([, value]) => value);
  const last = { last: shown(recorded) };
  history.load({
    time: recorded.map(([s]) => at(s)),
    signals: { p_setpoint_kw: last, p_poi_kw: last, soc_pu: last },
  });
  for (const [s, value] of live) {
    history.add({ time: at(s), p_setpoint_kw: value, p_poi_kw: value, soc_pu: value });
  }
  return history.times.map((time, k) => [time - 1768478400, history.columns.poi[k]]);
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
