/** Measurements on their way to the market API: the switch, and what waits of each plant. */

import { html } from "htm/preact";
import { CommandChip, Control } from "./controls.js";
import { isUnderWay, send, tracked } from "./commands.js";
import { ask, closedBecause } from "./confirm.js";
import { DASH, duration } from "./format.js";
import { Icon } from "./icon.js";
import { MomentOrNever } from "./plan.js";
import { controlsOff, snapshot } from "./state.js";

/** Samples of a plant in one period at most: SoC, P, Q and V. More have waited for longer than that. */
const SAMPLES_A_PERIOD = 4;

const sentence = (/** @type {string} */ text) => `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;

export function Posting() {
  const { enabled, effective, why_not: why } = snapshot.value.posting;
  const own = tracked.value[""];
  const reason = (/** @type {boolean} */ to) => {
    if (controlsOff.value) return controlsOff.value;
    if (isUnderWay(own)) return "A command for the whole site is under way.";
    return to === enabled ? `Posting is ${to ? "on" : "off"} already.` : "";
  };
  const press = (/** @type {boolean} */ to) =>
    to ? ask("posting", null, { enabled: true }) : send("posting", null, { enabled: false });
  const choice = (/** @type {boolean} */ to) => html`
    <${Control} id="posting-${to ? "on" : "off"}" label=${to ? "On" : "Off"} reason=${reason(to)}
      isPressed=${to === enabled} onPress=${() => press(to)} />
  `;
  return html`
    <section class="card" aria-labelledby="posting-title">
      <header>
        <h2 id="posting-title">Posting of measurements</h2>
        <span class="chip phase" data-testid="posting-effective" data-value=${String(effective)}>
          <${Icon} name=${effective ? "dot" : "ring"} /> ${effective ? "posting" : "not posting"}
        </span>
      </header>
      <div class="row">
        <div class="switch" role="group" aria-label="Posting" data-testid="posting" data-value=${enabled ? "on" : "off"}>
          <span class="label">Posting</span>
          <span class="segments">${choice(false)} ${choice(true)}</span>
        </div>
        ${own?.kind === "posting" && html`<${CommandChip} plant=${null} />`}
        ${closedBecause.value && html`<span class="note" role="status">${closedBecause}</span>`}
      </div>
      ${!effective && why && html`<p data-testid="posting-why">Nothing is posted now: ${sentence(why).replace(/^./, (first) => first.toLowerCase())}</p>`}
      <${Queues} />
    </section>
  `;
}

function Queues() {
  const { posting, plants } = snapshot.value;
  return html`
    <table class="stack" role="table" data-testid="queues">
      <caption class="hidden">Samples of each plant</caption>
      <thead><tr role="row">
        <th scope="col">Plant</th><th scope="col">Pending</th><th scope="col">Oldest</th><th scope="col">Sent</th>
        <th scope="col">Dropped</th><th scope="col">Set aside</th><th scope="col">Last success</th><th scope="col">Last error</th>
      </tr></thead>
      <tbody>${Object.entries(posting.plants).map(([id, one]) => html`<${Queue} key=${id} id=${id} name=${plants[id]?.name ?? id} queue=${one} />`)}</tbody>
    </table>
    <p class="note">Counted in samples of a series. Dropped: the queue was full. Set aside: the API refused the sample for good.</p>
  `;
}

/** @param {{ id: string, name: string, queue: any }} props */
function Queue({ id, name, queue }) {
  const { pending, oldest_age_s: age, sent, dropped, set_aside: aside, last_success: success, last_error: error } = queue;
  const isLate = pending > SAMPLES_A_PERIOD;
  const count = (/** @type {number} */ many, /** @type {boolean} */ isWrong) =>
    isWrong ? html`<span class="wrong"><${Icon} name="alert" /> ${many}</span>` : many;
  return html`
    <tr role="row" data-testid="queue-${id}" data-late=${String(isLate)}>
      <th scope="row" role="rowheader">${name}</th>
      <td role="cell" data-label="Pending" data-testid="pending" data-value=${pending}>
        ${isLate ? html`<span class="late"><${Icon} name="low" /> ${pending} <span>over one period</span></span>` : pending}
      </td>
      <td role="cell" data-label="Oldest">${age === null ? DASH : duration(age)}</td>
      <td role="cell" data-label="Sent">${sent}</td>
      <td role="cell" data-label="Dropped">${count(dropped, dropped > 0)}</td>
      <td role="cell" data-label="Set aside">${count(aside, aside > 0)}</td>
      <td role="cell" data-label="Last success"><${MomentOrNever} at=${success} /></td>
      <td role="cell" data-label="Last error" class="text">${error === null ? DASH : html`<span class="wrong"><${Icon} name="alert" /> ${error}</span>`}</td>
    </tr>
  `;
}
