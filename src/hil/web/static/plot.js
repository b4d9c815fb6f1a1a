/** The live plots of one plant: active power, and the state of charge below it. */

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { effect, signal, useComputed, useSignal } from "@preact/signals";
import uPlot from "uplot";
import { request } from "./api.js";
import { DASH, clock, minutes, number, utc } from "./format.js";
import { History, SPAN_S } from "./history.js";
import { connection, engineNow, snapshot, zone } from "./state.js";
import { colour, colourChanges } from "./theme.js";

/** How many plots have been drawn with data or shown to be empty. */
export const drawn = signal(0);

const [SET, POI, SOC] = ["p_setpoint_kw", "p_poi_kw", "soc_pu"];
/** @param {number | null | undefined} share per unit */
const percent = (share) => (typeof share === "number" ? share * 100 : null);

const FONT = '12px "DM Figures", "DM Sans Variable", sans-serif';
const POINTS = 900;

/**
 * A scale that includes zero and never magnifies noise.
 * @param {number | null} low
 * @param {number | null} high
 * @param {number} least the smallest span
 * @returns {[number, number]}
 */
function powerRange(low, high, least) {
  const [bottom, top] = [Math.min(low ?? 0, 0), Math.max(high ?? 0, 0)];
  const pad = Math.max((top - bottom) * 0.12, (least - (top - bottom)) / 2);
  return [bottom - pad, top + pad];
}

/**
 * @param {number | null} low percent
 * @param {number | null} high percent
 * @returns {[number, number]}
 */
function socRange(low, high) {
  const [bottom, top] = [low ?? 0, high ?? 100];
  const pad = Math.max((top - bottom) * 0.15, (4 - (top - bottom)) / 2);
  return [Math.max(0, bottom - pad), Math.min(100, top + pad)];
}

/** As many decimals as tell the splits apart. @param {number[]} splits */
const decimals = ([first = 0, second = 1]) => (Math.abs(second - first) < 1 ? 1 : 0);

/**
 * @param {{ height: number, series: uPlot.Series[], range: uPlot.Range.Function, sync: string,
 *   unit: string, onCursor: (index: number | null) => void }} given
 * @returns {uPlot.Options}
 */
export function options({ height, series, range, sync, unit, onCursor }) {
  const axis = {
    stroke: () => colour("--muted"),
    font: FONT,
    grid: { stroke: () => colour("--grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: 300,
    height,
    legend: { show: false },
    padding: [8, 20, 0, 0],
    cursor: { sync: { key: sync }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: () => [engineNow.peek() / 1000 - SPAN_S, engineNow.peek() / 1000] },
      y: { range },
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 70,
        incrs: [60, 180, 300],
        values: (_, splits) => splits.map((at) => minutes(at * 1000, zone.peek())),
      },
      { ...axis, size: 64, space: 26, values: (_, splits) => splits.map((y) => `${number(y, decimals(splits))} ${unit}`) },
    ],
    series: [{}, ...series],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
  };
}

/** A value holds until the next one, as in a recording that keeps only what is new. */
export const held = () => /** @type {any} */ (uPlot.paths.stepped)({ align: 1 });

/** @param {{ id: string, name: string, plate: any }} props */
export function PlantPlots({ id, name, plate }) {
  const power = useRef(/** @type {HTMLDivElement | null} */ (null));
  const charge = useRef(/** @type {HTMLDivElement | null} */ (null));
  const at = useSignal(/** @type {number | null} */ (null));
  const rows = useSignal({ count: 0 });
  const history = useRef(new History([SET, POI, SOC]));

  useEffect(() => {
    const onCursor = (/** @type {number | null} */ index) => (at.value = index);
    const least = 0.05 * (plate.p_max_kw - plate.p_min_kw);
    const plots = [
      new uPlot(
        options({
          height: 150,
          sync: id,
          unit: "kW",
          onCursor,
          range: (_, low, high) => powerRange(low, high, least),
          series: [
            {
              stroke: () => colour("--series-setpoint"),
              width: 1.5,
              points: { show: false },
              paths: held(),
            },
            { stroke: () => colour("--series-actual"), width: 2, points: { show: false }, paths: held() },
          ],
        }),
        [[], [], []],
        /** @type {HTMLElement} */ (power.current),
      ),
      new uPlot(
        options({
          height: 92,
          sync: id,
          unit: "%",
          onCursor,
          range: (_, low, high) => socRange(low, high),
          series: [
            { stroke: () => colour("--series-soc"), width: 2, points: { show: false }, paths: held() },
          ],
        }),
        [[], []],
        /** @type {HTMLElement} */ (charge.current),
      ),
    ];
    const shown = [
      { plot: plots[0], signals: [SET, POI] },
      { plot: plots[1], signals: [SOC] },
    ];
    const stop = keepDrawn(id, history.current, shown, rows);
    return () => {
      stop();
      plots.forEach((plot) => plot.destroy());
    };
  }, []);

  const legend = useComputed(() => {
    void rows.value;
    const { times, columns } = history.current;
    const k = at.value ?? times.length - 1;
    const time = times[k];
    return {
      when: time === undefined ? DASH : clock(time * 1000, zone.value),
      utc: time === undefined ? "" : utc(time * 1000),
      set: number(columns[SET][k], 1, { signed: true }),
      poi: number(columns[POI][k], 1, { signed: true }),
      soc: number(percent(columns[SOC][k]), 1),
    };
  });
  const { when, utc: utcText, set, poi, soc } = legend.value;
  return html`
    <figure class="plots">
      <figcaption>
        <span>Last 15 min, <span title=${utcText}>${when} ${zone}</span></span>
        <span class="key key-setpoint">Setpoint ${set} kW</span>
        <span class="key key-actual">POI ${poi} kW</span>
        <span class="key key-soc">SoC ${soc} %</span>
      </figcaption>
      <div class="plot" ref=${power} data-testid="plot-${id}-p" role="img"
        aria-label="Active power of ${name} in kW over the last 15 minutes: setpoint and power at the grid connection"></div>
      <div class="plot" ref=${charge} data-testid="plot-${id}-soc" role="img"
        aria-label="State of charge of ${name} in percent over the last 15 minutes"></div>
      ${rows.value.count === 0 && html`<p class="empty">No readings yet: they come with the first answer of the plant.</p>`}
    </figure>
  `;
}

/**
 * Keep the plots at the newest readings, the card's width and the theme; returns what ends it.
 * @param {string} id
 * @param {History} history
 * @param {{ plot: uPlot, signals: string[] }[]} shown
 * @param {import("@preact/signals").Signal<{ count: number }>} rows renewed at each drawing
 */
export function keepDrawn(id, history, shown, rows) {
  const plots = shown.map(({ plot }) => plot);
  const draw = () => {
    const { times, columns } = history;
    for (const { plot, signals } of shown) {
      const values = signals.map((name) => (name === SOC ? columns[name].map(percent) : columns[name]));
      plot.setData([times, ...values]);
    }
    rows.value = { count: times.length };
  };
  /** @type {string | null} */
  let engine = null;
  const fill = async () => {
    const end = engineNow.peek();
    const query = new URLSearchParams({
      start: new Date(end - SPAN_S * 1000).toISOString(),
      end: new Date(end + 1000).toISOString(),
      points: String(POINTS),
    });
    const answer = await request(`/plants/${id}/measurements?${query}`);
    if (answer.ok) history.load(answer.value);
    draw();
    if (shown.some(({ signals }) => signals.includes(SOC))) drawn.value += 1;
  };
  const stops = [
    effect(() => {
      // Each new connection may have missed readings, and a new engine has its own.
      const started = snapshot.value?.engine.started_at ?? null;
      const live = connection.value === "live" ? started : null;
      if (live !== null && live !== engine) fill();
      engine = live;
    }),
    effect(() => {
      history.add(snapshot.value?.plants[id]?.measurement ?? null);
      draw();
    }),
    effect(() => {
      void colourChanges.value;
      plots.forEach((plot) => plot.redraw(false, true));
    }),
  ];
  const sizes = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width > 0) plots.forEach((plot) => plot.setSize({ width, height: plot.height }));
  });
  sizes.observe(/** @type {Element} */ (plots[0].root.parentElement));
  return () => {
    stops.forEach((stop) => stop());
    sizes.disconnect();
  };
}
