/** A plant's override: how long it holds, how it is removed, and a quick one by hand. */

import { html } from "htm/preact";
import { useEffect, useId } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { put, remove, request } from "./api.js";
import { Control } from "./controls.js";
import { duration, number, utc, when } from "./format.js";
import { Icon } from "./icon.js";
import { controlsOff, engineNow, snapshot, zone } from "./state.js";

const UNITS = { p: "kW", q: "kvar" };
const NAMES = { p: "P", q: "Q" };
/** Somebody else may replace an override by a like one: its end is asked for again after this. */
const AGAIN_MS = 10_000;
const MAX_MINUTES = 24 * 60;

/** @typedef {"p" | "q"} Signal */

/** @param {any} setpoint @returns {Signal[]} */
const overridden = ({ origins }) =>
  /** @type {Signal[]} */ (["p", "q"]).filter((one) => origins[one] === "override");

/** @param {string} id @param {Signal} signal */
const pathOf = (id, signal) => `/plants/${id}/overrides/${signal}`;

/** @param {{ id: string, setpoint: any }} props */
export function OverrideLine({ id, setpoint }) {
  const signals = overridden(setpoint);
  const ends = useSignal(/** @type {Record<string, string | null>} */ ({}));
  const status = useSignal("");
  const round = signals.length && Math.floor(engineNow.value / AGAIN_MS);
  const { requested_p_kw: p, requested_q_kvar: q } = setpoint;

  useEffect(() => {
    if (signals.length === 0) status.value = "";
    for (const signal of signals) {
      request(pathOf(id, signal)).then((answer) => {
        if (answer.ok) ends.value = { ...ends.peek(), [signal]: answer.value.end };
      });
    }
  }, [id, signals.join(), p, q, round]);
  if (signals.length === 0) return null;

  const removeAll = async () => {
    status.value = "busy";
    const answers = await Promise.all(signals.map((signal) => remove(pathOf(id, signal))));
    const refusal = answers.find((answer) => !answer.ok);
    status.value = refusal && !refusal.ok ? refusal.detail : "";
  };
  const isBusy = status.value === "busy";
  return html`
    <div class="override" data-testid="override">
      <span>
        ${signals.map((signal) => html`
          <span class="part">Override ${NAMES[signal]} <b>${number(signal === "p" ? p : q, 1, { signed: true })}</b> ${UNITS[signal]}${" "}
            <${Until} end=${ends.value[signal]} /></span>
        `)}
      </span>
      <${Control} id="override-remove" label="Remove override" onPress=${removeAll}
        reason=${controlsOff.value || (isBusy ? "It is under way already." : "")} />
      ${status.value && !isBusy && html`<span class="wrong" role="status"><${Icon} name="alert" /> ${status}</span>`}
    </div>
  `;
}

/** @param {{ end: string | null | undefined }} props */
function Until({ end }) {
  if (end === undefined) return null;
  if (end === null) return html`<span data-testid="override-end" data-value="">until it is removed</span>`;
  const [at, present] = [Date.parse(end), engineNow.value];
  return html`
    <span data-testid="override-end" data-value=${end} title=${utc(at)}>until ${when(at, present, zone.value)}, ${duration((at - present) / 1000)} left</span>
  `;
}

/**
 * A number as people type it: decimal comma or point, any minus; null when it is none.
 * @param {string} text
 */
function parsed(text) {
  const plain = text.trim().replace(/[\u2212\u2013]/, "-").replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : null;
}

/**
 * @param {string} text
 * @param {{ name: string, unit: string, least: number, most: number }} about
 */
function complaint(text, { name, unit, least, most }) {
  const value = parsed(text);
  if (value === null) return `${name} must be a number.`;
  const range = `${number(least, 0)} and ${number(most, 0)} ${unit}`;
  return value < least || value > most ? `${name} must be between ${range}.` : "";
}

/** @param {{ id: string, plant: any, close: () => void }} props */
export function QuickSetpoint({ id, plant, close }) {
  const fields = useSignal({ p: "", q: "", minutes: "10" });
  const outcome = useSignal({ isWrong: false, isBusy: false, text: "" });
  const { limits: plate } = plant;

  const say = (/** @type {boolean} */ isWrong, /** @type {string} */ text) =>
    (outcome.value = { isWrong, isBusy: false, text });
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (controlsOff.value || outcome.value.isBusy) return;
    const { p, q, minutes } = fields.value;
    const wrong =
      complaint(p, { name: "P", unit: "kW", least: plate.p_min_kw, most: plate.p_max_kw }) ||
      (q.trim() && complaint(q, { name: "Q", unit: "kvar", least: plate.q_min_kvar, most: plate.q_max_kvar })) ||
      complaint(minutes, { name: "The time", unit: "min", least: 1, most: MAX_MINUTES });
    if (wrong) return say(true, wrong);
    outcome.value = { isWrong: false, isBusy: true, text: "Sent" };
    await set(Number(parsed(minutes)), { p: Number(parsed(p)), ...(q.trim() && { q: Number(parsed(q)) }) });
  };
  const set = async (/** @type {number} */ minutes, /** @type {Partial<Record<Signal, number>>} */ values) => {
    const start = engineNow.peek();
    const end = start + minutes * 60_000;
    const done = [];
    for (const [signal, value] of /** @type {[Signal, number][]} */ (Object.entries(values))) {
      const points = [{ time: new Date(start).toISOString(), value }];
      const answer = await put(pathOf(id, signal), { points, end: new Date(end).toISOString() });
      if (!answer.ok) return say(true, [...done, `${NAMES[signal]} was refused: ${answer.detail}`].join(" "));
      done.push(`${NAMES[signal]} ${number(value, 1, { signed: true })} ${UNITS[signal]} is set.`);
    }
    const { dispatching, name } = snapshot.peek().plants[id];
    const idle = dispatching ? "" : ` ${name} is not dispatching: this acts once it does.`;
    say(false, `${done.join(" ")} Until ${when(end, start, zone.value)}.${idle}`);
  };
  const { isWrong, isBusy, text } = outcome.value;
  const field = (/** @type {"p" | "q" | "minutes"} */ name, /** @type {string} */ label, /** @type {string} */ unit) => html`
    <${Field} name=${name} label=${label} unit=${unit} value=${fields.value[name]}
      onInput=${(/** @type {string} */ value) => (fields.value = { ...fields.value, [name]: value })} />
  `;
  return html`
    <form class="quick" data-testid="quick" onSubmit=${submit} aria-label="Quick setpoint for ${plant.name}">
      <div class="row">
        ${field("p", "P", "kW")} ${field("q", "Q (optional)", "kvar")} ${field("minutes", "For", "min")}
        <button type="submit" class="button primary" data-testid="quick-set"
          aria-disabled=${controlsOff.value || isBusy ? "true" : undefined}>Set</button>
      </div>
      <button type="button" class="button plain" onClick=${close} aria-label="Close the quick setpoint"><${Icon} name="cross" /></button>
      <p class=${isWrong ? "wrong" : "note"} role="status" data-testid="quick-result" data-outcome=${isWrong ? "refused" : text ? "set" : ""}>
        ${isWrong && html`<${Icon} name="alert" />${" "}`}${controlsOff.value || text || "Replaces the schedule for this time. P above 0 discharges."}
      </p>
    </form>
  `;
}

/**
 * @param {{ name: string, label: string, unit: string, value: string,
 *   onInput: (value: string) => void }} props
 */
function Field({ name, label, unit, value, onInput }) {
  const id = useId();
  return html`
    <span class="entry">
      <label for=${id}>${label}</label>
      <input type="text" id=${id} inputmode="decimal" autocomplete="off" size="6" data-testid="quick-${name}" value=${value}
        onInput=${(/** @type {any} */ event) => onInput(event.target.value)} />
      <span>${unit}</span>
    </span>
  `;
}
