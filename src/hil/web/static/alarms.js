/** The alarms: which comes first, how one is acknowledged, and their list. */

import { html } from "htm/preact";
import { useId } from "preact/hooks";
import { computed, signal, useSignal } from "@preact/signals";
import { post } from "./api.js";
import { Control } from "./controls.js";
import { when, utc } from "./format.js";
import { Icon } from "./icon.js";
import { controlsOff, engineNow, snapshot, zone } from "./state.js";

/** Alarms shown at once; the worst come first. */
const SHOWN = 50;
const NOTE_LENGTH = 500;

const PRIORITIES = ["critical", "high", "low"];
const STATES = ["active", "acknowledged", "cleared"];

/**
 * An alarm has two facts, active and acknowledged; one that is neither is not listed.
 * @param {any} alarm
 * @returns {"active" | "acknowledged" | "cleared"}
 */
function stateOf(alarm) {
  if (alarm.cleared_at) return "cleared";
  return alarm.acked_at ? "acknowledged" : "active";
}

/** The alarms of the picture: active first, then the worst, then the newest. */
export const alarms = computed(() =>
  [...(snapshot.value?.alarms ?? [])].sort(
    (a, b) =>
      STATES.indexOf(stateOf(a)) - STATES.indexOf(stateOf(b)) ||
      PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority) ||
      Date.parse(b.raised_at) - Date.parse(a.raised_at),
  ),
);

/** Those that nobody has acknowledged and that are active. */
export const pressing = computed(() => alarms.value.filter((one) => stateOf(one) === "active"));

/** By alarm: "sent" until it is answered, else why it was refused. */
const acks = signal(/** @type {Record<string, string>} */ ({}));

/**
 * @param {string} id
 * @param {string} note
 */
async function acknowledge(id, note) {
  acks.value = { ...acks.peek(), [id]: "sent" };
  const text = note.trim();
  const answer = await post(`/alarms/${encodeURIComponent(id)}/ack`, text ? { note: text } : {});
  const { [id]: _, ...rest } = acks.peek();
  acks.value = answer.ok ? rest : { ...rest, [id]: answer.detail };
}

/** @param {{ alarm: any, note?: string }} props */
export function Acknowledge({ alarm, note = "" }) {
  const ack = acks.value[alarm.id];
  const reason = controlsOff.value || (ack === "sent" ? "It is under way already." : "");
  return html`
    <${Control} id="ack" label="Acknowledge" reason=${reason} cmd=${ack === "sent" ? "sent" : "idle"}
      onPress=${() => acknowledge(alarm.id, note)} />
    ${ack && ack !== "sent" && html`<span class="wrong" role="status"><${Icon} name="alert" /> ${ack}</span>`}
  `;
}

/** Priority by shape, colour and word. @param {{ alarm: any }} props */
export const Priority = ({ alarm }) => html`
  <span class="priority" data-priority=${alarm.priority}><${Icon} name=${alarm.priority} /> ${alarm.priority}</span>
`;

/** @param {any} alarm */
export const placeOf = (alarm) => snapshot.value.plants[alarm.plant]?.name ?? alarm.plant ?? "Site";

/** @param {{ at: string }} props */
export const Moment = ({ at }) => html`
  <time title=${utc(Date.parse(at))}>${when(Date.parse(at), engineNow.peek(), zone.value)}</time>
`;

/** How many there are, in the header; a way to the list. */
export function AlarmCount() {
  const [all, open] = [alarms.value.length, pressing.value.length];
  if (all === 0) return null;
  const worst = open > 0 ? pressing.value[0].priority : "";
  return html`
    <a class="chip count" href="/operate#alarms" data-testid="alarm-count" data-value=${all} data-priority=${worst}>
      ${worst && html`<${Icon} name=${worst} />`} Alarms <b>${all}</b>
    </a>
  `;
}

export function AlarmList() {
  const all = alarms.value;
  return html`
    <section class="alarms" id="alarms" aria-labelledby="alarms-title" tabindex="-1">
      <h2 id="alarms-title">Alarms <span class="note">${all.length || ""}${all.length ? `, times in ${zone}` : ""}</span></h2>
      ${all.length === 0 && html`<p class="note">No alarms.</p>`}
      <ol>${all.slice(0, SHOWN).map((one) => html`<${Row} key=${one.id} alarm=${one} />`)}</ol>
      ${all.length > SHOWN && html`<p class="note">and ${all.length - SHOWN} more</p>`}
    </section>
  `;
}

/** @param {{ alarm: any }} props */
function Row({ alarm }) {
  const state = stateOf(alarm);
  return html`
    <li data-testid="alarm-${alarm.id}" data-state=${state}>
      <${Priority} alarm=${alarm} />
      <span class="since"><${Moment} at=${alarm.raised_at} /></span>
      <span class="place">${placeOf(alarm)}</span>
      <div class="what"><p>${alarm.text}</p><p class="note">${alarm.action}</p></div>
      <div class="state">
        <p>${state === "cleared" ? html`cleared <${Moment} at=${alarm.cleared_at} />` : "active"}${!alarm.acked_at && ", not acknowledged"}</p>
        ${alarm.acked_at && html`
          <p class="note">acknowledged <${Moment} at=${alarm.acked_at} />${alarm.acked_by && ` by ${alarm.acked_by}`}${alarm.note && `: ${alarm.note}`}</p>
        `}
      </div>
      ${!alarm.acked_at && html`<${AckForm} alarm=${alarm} />`}
    </li>
  `;
}

/** @param {{ alarm: any }} props */
function AckForm({ alarm }) {
  const note = useSignal("");
  const isOpen = useSignal(false);
  const id = useId();
  return html`
    <div class="row acks">
      ${isOpen.value
        ? html`
            <label class="hidden" for=${id}>Note on the acknowledgement</label>
            <input type="text" id=${id} placeholder="What was seen or done" maxlength=${NOTE_LENGTH} autocomplete="off"
              data-testid="ack-note" value=${note} ref=${focusOnce}
              onInput=${(/** @type {any} */ event) => (note.value = event.target.value)} />
          `
        : html`<button type="button" class="button quiet" data-testid="ack-with-note" onClick=${() => (isOpen.value = true)}>Add a note</button>`}
      <${Acknowledge} alarm=${alarm} note=${note.value} />
    </div>
  `;
}

/** @param {HTMLElement | null} input */
function focusOnce(input) {
  input?.focus();
}
