/** Loads a schedule CSV for one plant; what came of it stands beside the button. */

import { html } from "htm/preact";
import { useId, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { request } from "./api.js";
import { Control } from "./controls.js";
import { dayAndTime, utc } from "./format.js";
import { Icon } from "./icon.js";
import { controlsOff, engineNow, zone } from "./state.js";

/** Rows that fit beside a button; the rest is counted. */
const ROWS_SHOWN = 8;

/** The offsets form counts from a start, which is asked for; it begins with this column. */
const HOURS_FORM = /^\uFEFF?[^\r\n]*\bhours\b/i;

/**
 * @typedef {object} Outcome
 * @property {"busy" | "asking" | "loaded" | "refused"} is
 * @property {string} text
 * @property {import("./api.js").RowProblem[]} [problems]
 * @property {string[]} [notes] on what was loaded
 * @property {File} [file]
 */

/** @param {{ plant: string, name: string }} props */
export function Upload({ plant, name }) {
  const outcome = useSignal(/** @type {Outcome | null} */ (null));
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));

  const load = async (/** @type {File} */ file, /** @type {URLSearchParams} */ query) => {
    outcome.value = { is: "busy", text: `Loading ${file.name}` };
    const answer = await request(`/plants/${plant}/schedules/manual/csv?${query}`, {
      method: "POST",
      headers: { "Content-Type": "text/csv" },
      body: file,
    });
    outcome.value = answer.ok
      ? { is: "loaded", text: `Loaded ${file.name}: ${extent(answer.value)}`, notes: answer.value.notes }
      : { is: "refused", text: `${file.name} was not loaded: ${answer.detail}`, problems: answer.problems };
  };
  const choose = async (/** @type {any} */ event) => {
    const [file] = event.target.files;
    event.target.value = ""; // so that the same file can be chosen again once it is mended
    if (!file) return;
    if (!HOURS_FORM.test(await file.slice(0, 400).text())) return load(file, new URLSearchParams());
    outcome.value = { is: "asking", text: `${file.name} counts hours from a start.`, file };
  };

  return html`
    <div class="upload">
      <${Control} id="btn-upload" reason=${controlsOff.value} onPress=${() => input.current?.click()}
        label=${html`<${Icon} name="upload" /> Load schedule CSV`} />
      <input ref=${input} type="file" accept=".csv,.txt,.tsv,text/csv" hidden
        data-testid="upload-file" aria-label="Schedule CSV for ${name}" onChange=${choose} />
      ${outcome.value && html`<${Result} outcome=${outcome.value} load=${load} close=${() => (outcome.value = null)} />`}
    </div>
  `;
}

/** @param {{ points: { time: string }[], end: string | null }} schedule */
function extent({ points, end }) {
  if (points.length === 0) return "no points";
  const time = (/** @type {string} */ iso) => dayAndTime(Date.parse(iso), zone.peek());
  const last = end ?? points[points.length - 1].time;
  return `${points.length} points, ${time(points[0].time)} to ${time(last)} ${zone.peek()}`;
}

/**
 * @param {{ outcome: Outcome, close: () => void,
 *   load: (file: File, query: URLSearchParams) => Promise<void> }} props
 */
function Result({ outcome, load, close }) {
  const { is, text, problems = [], notes = [], file } = outcome;
  const isWrong = is === "refused";
  return html`
    <div class="outcome ${isWrong ? "wrong" : ""}" data-testid="upload-result" data-outcome=${is}>
      <p role="status">${isWrong && html`<${Icon} name="alert" />`} ${text}</p>
      ${notes.map((note) => html`<p class="note" data-testid="upload-note">${note}</p>`)}
      ${problems.length > 0 && html`<${Rows} problems=${problems} />`}
      ${is === "asking" && file && html`<${Start} load=${(/** @type {URLSearchParams} */ query) => load(file, query)} />`}
      ${is !== "busy" && html`
        <button type="button" class="button plain" onClick=${close} aria-label="Dismiss"><${Icon} name="cross" /></button>
      `}
    </div>
  `;
}

/** @param {{ problems: import("./api.js").RowProblem[] }} props */
function Rows({ problems }) {
  const more = problems.length - ROWS_SHOWN;
  return html`
    <table>
      <thead><tr><th scope="col">Line</th><th scope="col">Where</th><th scope="col">What is wrong</th></tr></thead>
      <tbody>
        ${problems.slice(0, ROWS_SHOWN).map(({ line, where, why }) => html`
          <tr data-testid="row-problem"><td>${line ?? ""}</td><td>${where}</td><td>${why}</td></tr>
        `)}
      </tbody>
    </table>
    ${more > 0 && html`<p>and ${more} more</p>`}
  `;
}

const STARTS = [1, 15, 60];

/** @param {{ load: (query: URLSearchParams) => void }} props */
function Start({ load }) {
  const [signalId, startId] = [useId(), useId()];
  const every = useSignal(1);
  const which = useSignal("p");
  const next = (/** @type {number} */ minutes) =>
    Math.ceil((engineNow.value + 1000) / (minutes * 60_000)) * minutes * 60_000;
  const press = () => {
    const start = new Date(next(every.value)).toISOString();
    load(new URLSearchParams({ start, signal: which.value }));
  };
  return html`
    <div class="row">
      <label for=${startId}>Start</label>
      <select id=${startId} value=${String(every.value)}
        onChange=${(/** @type {any} */ event) => (every.value = Number(event.target.value))}>
        ${STARTS.map((minutes) => html`
          <option value=${String(minutes)} title=${utc(next(minutes))}>${dayAndTime(next(minutes), zone.value)}</option>
        `)}
      </select>
      <label for=${signalId}>Signal</label>
      <select id=${signalId} value=${which.value}
        onChange=${(/** @type {any} */ event) => (which.value = event.target.value)}>
        <option value="p">P, kW</option><option value="q">Q, kvar</option>
      </select>
      <button type="button" class="button" data-testid="upload-start" onClick=${press}>Load</button>
    </div>
  `;
}
