/** The market's plan: how much of each day has come, and a small preview of each plant's. */

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { effect, signal, useSignal } from "@preact/signals";
import uPlot from "uplot";
import { Moment } from "./alarms.js";
import { request } from "./api.js";
import { day, dayAndTime, minutes, number, startOfDay, utc } from "./format.js";
import { Icon } from "./icon.js";
import { connection, engineNow, snapshot, zone } from "./state.js";
import { colour, colourChanges } from "./theme.js";

/** How many previews have been drawn, or shown to be empty. */
export const planned = signal(0);

const FONT = '12px "DM Figures", "DM Sans Variable", sans-serif';
const HEIGHT = 120;
/** Ranges named for each plant; the rest is counted. */
const RANGES_SHOWN = 6;
const USUAL_PERIOD_S = 900;
const HOUR_S = 3600;
const DAY_MS = 86_400_000;

/**
 * @typedef {{ time: string, p_kw: number | null, q_kvar: number | null }} Point
 * @typedef {{ times: number[], p: (number | null)[] }} Columns
 */

/**
 * The plan as columns for a plot. A setpoint holds for one period, the least spacing of them: where
 * the next one is missing the lines break.
 * @param {Point[]} points in order
 * @returns {Columns}
 */
export function columnsOf(points) {
  /** @type {Columns} */
  const columns = { times: [], p: [] };
  const add = (/** @type {number} */ time, /** @type {number | null} */ p) => {
    columns.times.push(time);
    columns.p.push(p);
  };
  const times = points.map(({ time }) => Date.parse(time) / 1000);
  const spacings = times.slice(1).map((time, k) => time - times[k]);
  const held = spacings.length ? Math.min(...spacings) : USUAL_PERIOD_S;
  points.forEach(({ p_kw: p }, k) => {
    add(times[k], p);
    if ((times[k + 1] ?? Infinity) <= times[k] + held) return;
    add(times[k] + held, null);
  });
  return columns;
}

/** Where in the columns a moment lies; null before the first. @param {number[]} times @param {number} at */
function indexAt(times, at) {
  const k = times.findIndex((time) => time > at);
  const index = k === -1 ? times.length - 1 : k - 1;
  return index < 0 ? null : index;
}

/** Today and tomorrow, as far as the days have a beginning. */
function span() {
  const present = engineNow.peek();
  const start = startOfDay(present, zone.peek()) ?? present - DAY_MS / 2;
  return [start, startOfDay(start + 2.5 * DAY_MS, zone.peek()) ?? start + 2 * DAY_MS].map((ms) => ms / 1000);
}

/** @param {{ word: string, plan: any }} props */
export function Day({ word, plan }) {
  const { date, points, expected, complete, missing } = plan;
  const part = Object.entries(missing);
  const state = points === 0 ? "none" : complete ? "complete" : "part";
  return html`
    <div data-testid="day-${word.toLowerCase()}" data-value=${state}>
      <dt>${word}, ${day(date)}</dt>
      <dd>
        ${state === "part" && html`<span class="wrong"><${Icon} name="alert" /> incomplete</span>, `}
        ${points === 0 ? "not come yet" : html`<b>${points}</b> of ${expected} periods`}${state === "complete" && ", complete"}
        ${part.map(([id, ranges]) => html`<${Missing} key=${id} id=${id} ranges=${ranges} />`)}
      </dd>
    </div>
  `;
}

/** @param {{ id: string, ranges: [string, string][] }} props */
function Missing({ id, ranges }) {
  // What is over cannot be dispatched any more: what comes is named first.
  const coming = ranges.filter(([, to]) => Date.parse(to) > engineNow.peek());
  const named = (coming.length ? coming : ranges).slice(0, RANGES_SHOWN);
  const more = ranges.length - named.length;
  return html`
    <span class="detail" data-testid="missing-${id}">
      ${snapshot.value.plants[id]?.name ?? id} lacks ${named.map(([from, to], k) => html`
        ${k > 0 && ", "}<span title="${utc(Date.parse(from))} to ${utc(Date.parse(to))}">${minutes(Date.parse(from), zone.value)}–${minutes(Date.parse(to), zone.value)}</span>
      `)}${more > 0 && ` and ${more} more`}
    </span>
  `;
}

/** @param {{ at: string | null }} props */
export const MomentOrNever = ({ at }) => (at === null ? "none since the start" : html`<${Moment} at=${at} />`);

/** @param {{ id: string }} props */
export function PlanPreview({ id }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plan = useSignal(/** @type {{ points: Point[], error: string, isRead: boolean }} */ ({ points: [], error: "", isRead: false }));
  const at = useSignal(/** @type {number | null} */ (null));
  const isOpen = useSignal(false);
  const { name } = snapshot.value.plants[id];
  const { points, error, isRead } = plan.value;
  const columns = columnsOf(points);
  const k = at.value ?? indexAt(columns.times, engineNow.value / 1000);
  const known = k === null ? undefined : columns.times[k];

  useEffect(() => keepDrawn(id, /** @type {HTMLElement} */ (place.current), plan, at), [id]);
  return html`
    <figure class="plots" data-testid="plan-${id}" data-value=${points.length}>
      <figcaption>
        <strong>${name}</strong>
        <span title=${known === undefined ? "" : utc(known * 1000)}>${at.value === null || known === undefined ? "now" : dayAndTime(known * 1000, zone.value)}</span>
        <span class="key key-setpoint">P ${number(k === null ? null : columns.p[k], 1, { signed: true })} kW</span>
      </figcaption>
      <div class="plot" ref=${place} role="img"
        aria-label="Plan of ${name}, today and tomorrow: active power in kW. The table below has the values."></div>
      ${error && html`<p class="wrong" role="status"><${Icon} name="alert" /> The plan of ${name} cannot be shown: ${error}</p>`}
      ${isRead && !error && points.length === 0 && html`<p class="empty">Nothing of the plan has come yet.</p>`}
      ${points.length > 0 && html`
        <details onToggle=${(/** @type {any} */ event) => (isOpen.value = event.target.open)}>
          <summary>View as table</summary>
          ${isOpen.value && html`<${Table} name=${name} points=${points} />`}
        </details>
      `}
    </figure>
  `;
}

/** @param {{ name: string, points: Point[] }} props */
const Table = ({ name, points }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label="Plan of ${name}">
    <table>
      <thead><tr><th scope="col">From, ${zone}</th><th scope="col">P, kW</th><th scope="col">Q, kvar</th></tr></thead>
      <tbody>${points.map(({ time, p_kw: p, q_kvar: q }) => html`
        <tr><td title=${utc(Date.parse(time))}>${dayAndTime(Date.parse(time), zone.value)}</td><td>${number(p, 1, { signed: true })}</td><td>${number(q, 1, { signed: true })}</td></tr>
      `)}</tbody>
    </table>
  </div>
`;

/**
 * Each value as a level line until the next row; nothing where there is none.
 * @param {uPlot} plot
 */
function heldPath(plot) {
  const [times, values] = plot.data;
  const path = new Path2D();
  let isOn = false;
  values.forEach((value, k) => {
    const after = times[k + 1];
    const isShown = value !== null && value !== undefined && after !== undefined;
    if (isShown) {
      const [from, to, y] = [plot.valToPos(times[k], "x", true), plot.valToPos(after, "x", true), plot.valToPos(value, "y", true)];
      if (isOn) path.lineTo(from, y);
      else path.moveTo(from, y);
      path.lineTo(to, y);
    }
    isOn = isShown;
  });
  return { stroke: path };
}

/** @param {uPlot} plot */
function drawNow(plot) {
  const x = plot.valToPos(engineNow.peek() / 1000, "x", true);
  const { left, top, width, height } = plot.bbox;
  if (x < left || x > left + width) return;
  plot.ctx.fillStyle = colour("--accent");
  plot.ctx.fillRect(x, top, 1.5 * devicePixelRatio, height);
}

/** @param {(index: number | null) => void} onCursor @returns {uPlot.Options} */
function options(onCursor) {
  const axis = {
    stroke: () => colour("--muted"),
    font: FONT,
    grid: { stroke: () => colour("--grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: 300,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 20, 0, 0],
    tzDate: (s) => uPlot.tzDate(new Date(s * 1000), zone.peek()),
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: () => /** @type {[number, number]} */ (span()) },
      y: { range: (_, low, high) => powerRange(low ?? 0, high ?? 0) },
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 56,
        incrs: [3, 6, 12, 24].map((hours) => hours * HOUR_S),
        values: (_, splits) => splits.map((at) => tickOf(at * 1000)),
      },
      { ...axis, size: 76, space: 26, values: (_, splits) => splits.map((y) => `${number(y, 0)} kW`) },
    ],
    series: [
      {},
      { stroke: () => colour("--series-setpoint"), width: 1.5, points: { show: false }, paths: heldPath },
    ],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)], draw: [drawNow] },
  };
}

/** @param {number} low @param {number} high @returns {[number, number]} */
function powerRange(low, high) {
  const [bottom, top] = [Math.min(low, 0), Math.max(high, 0)];
  const pad = Math.max((top - bottom) * 0.12, (10 - (top - bottom)) / 2);
  return [bottom - pad, top + pad];
}

/** Midnight is named by its day. @param {number} ms */
function tickOf(ms) {
  const time = minutes(ms, zone.peek());
  return time === "00:00" ? dayAndTime(ms, zone.peek()).replace(" 00:00", "") : time;
}

/**
 * Keep a preview at the newest plan, its place's width and the theme; returns what ends it.
 * @param {string} id
 * @param {HTMLElement} place
 * @param {import("@preact/signals").Signal<{ points: Point[], error: string, isRead: boolean }>} plan
 * @param {import("@preact/signals").Signal<number | null>} at
 */
function keepDrawn(id, place, plan, at) {
  const plot = new uPlot(options((index) => (at.value = index)), [[], []], place);
  let shown = "";
  const fill = async () => {
    const answer = await request(`/plants/${id}/schedules/api`);
    plan.value = answer.ok
      ? { points: answer.value.points, error: "", isRead: true }
      : { points: plan.peek().points, error: answer.detail, isRead: true };
    if (!answer.ok) shown = "";
    planned.value += 1;
  };
  const stops = [
    effect(() => {
      const { today, tomorrow, last_success: success } = snapshot.value.schedule_api;
      const version = JSON.stringify([success, today.date, today.points, tomorrow.points, snapshot.value.engine.started_at]);
      if (connection.value !== "live" || version === shown) return;
      shown = version;
      fill();
    }),
    effect(() => {
      const { times, p } = columnsOf(plan.value.points);
      plot.setData([times, p]);
    }),
    effect(() => {
      // The line of the present moves on; a pixel is more than a minute.
      void [colourChanges.value, Math.floor(engineNow.value / 60_000), zone.value];
      plot.redraw(true, true);
    }),
  ];
  const sizes = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width > 0) plot.setSize({ width, height: HEIGHT });
  });
  sizes.observe(place);
  return () => {
    stops.forEach((stop) => stop());
    sizes.disconnect();
    plot.destroy();
  };
}
