/** Loads a schedule CSV for one plant; what came of it stands beside the button. */

import { html } from "htm/preact";
import { useId, useMemo, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { request } from "./api.js";
import { Control } from "./controls.js";
import { dayAndTime, instants, startOfDay, utc } from "./format.js";
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
      ${is === "asking" && file && html`<${Start} key=${file} load=${(/** @type {URLSearchParams} */ query) => load(file, query)} />`}
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
    <ul>
      ${problems.slice(0, ROWS_SHOWN).map(({ line, where, why }) => html`
        <li data-testid="row-problem">${line && html`<b>Line ${line}</b>, `}${where}: ${why}</li>
      `)}
    </ul>
    ${more > 0 && html`<p>and ${more} more</p>`}
  `;
}

/** The start is typed. */
const OWN = "own";

/**
 * The starts on offer, each once: soon, at the next quarter and full hour, at the start of the day.
 * They stand still while they are shown, so that what is chosen is what was read.
 * @param {number} present ms
 * @param {string} zone
 */
function starts(present, zone) {
  const next = [1, 15, 60].map((minutes) => Math.ceil((present + 1000) / (minutes * 60_000)) * minutes * 60_000);
  const choices = [...new Set(next)].map((at) => ({ at, text: dayAndTime(at, zone) }));
  const today = startOfDay(present, zone);
  if (today === undefined) return choices;
  return [...choices, { at: today, text: `Start of today, ${dayAndTime(today, zone)}` }];
}

/** @param {{ load: (query: URLSearchParams) => void }} props */
function Start({ load }) {
  const [signalId, startId] = [useId(), useId()];
  const choices = useMemo(() => starts(engineNow.peek(), zone.peek()), []);
  const chosen = useSignal(String(choices[0].at));
  const typed = useSignal("");
  const which = useSignal("p");
  const wrong = useSignal("");
  const press = () => {
    const found = chosen.value === OWN ? instants(typed.value, zone.peek()) : [Number(chosen.value)];
    wrong.value = found.length === 1 ? "" : complaint(typed.value, found.length);
    if (found.length !== 1) return;
    load(new URLSearchParams({ start: new Date(found[0]).toISOString(), signal: which.value }));
  };
  return html`
    <div class="row">
      <label for=${startId}>Start</label>
      <select id=${startId} value=${chosen.value}
        onChange=${(/** @type {any} */ event) => (chosen.value = event.target.value)}>
        ${choices.map(({ at, text }) => html`<option value=${String(at)} title=${utc(at)}>${text}</option>`)}
        <option value=${OWN}>Another time</option>
      </select>
      ${chosen.value === OWN && html`
        <input type="datetime-local" step="1" data-testid="upload-time" aria-label="Start in ${zone.value} time" value=${typed.value}
          onInput=${(/** @type {any} */ event) => (typed.value = event.target.value)} />
      `}
      <label for=${signalId}>Signal</label>
      <select id=${signalId} value=${which.value}
        onChange=${(/** @type {any} */ event) => (which.value = event.target.value)}>
        <option value="p">P, kW</option><option value="q">Q, kvar</option>
      </select>
      <button type="button" class="button" data-testid="upload-start" onClick=${press}>Load</button>
    </div>
    ${wrong.value && html`<p class="wrong" role="status"><${Icon} name="alert" /> ${wrong}</p>`}
  `;
}

/**
 * @param {string} typed
 * @param {number} count the instants at which the clocks show it
 */
function complaint(typed, count) {
  if (!typed) return "Give the day and the time of the start.";
  return `The clocks of ${zone.peek()} ${count ? "show this time twice" : "skip this time"}: choose another.`;
}
