/** Asks before a command that touches the whole site or its equipment, and names what it will do. */

import { html } from "htm/preact";
import { computed, effect, signal } from "@preact/signals";
import { send, valueWord } from "./commands.js";
import { Dialog } from "./dialog.js";
import { controlsOff, siteName, snapshot } from "./state.js";

/**
 * @typedef {object} Asked
 * @property {string} kind
 * @property {string | null} plant
 * @property {any} asked what will come with the command
 * @property {string} facts that the answer relies on
 *
 * @typedef {object} Question
 * @property {string} title
 * @property {string[]} consequences
 * @property {string} action
 * @property {boolean} [typed] the site's name must be typed
 * @property {boolean} [noted] a note may be added
 * @property {string} [force] what "force" does, when it may be asked for
 */

/** The question that stands open; null when none does. */
const asked = signal(/** @type {Asked | null} */ (null));

const BLANK = { name: "", note: "", force: false };

/** What has been typed into the question. */
const answer = signal(BLANK);

/** Why the last question was closed by itself; empty otherwise. */
export const closedBecause = signal("");

/** The facts that an answer relies on: when they change, the question is asked anew. */
const facts = computed(() => {
  const { transport, source, switching, estop, posting, plants = {} } = snapshot.value ?? {};
  const each = Object.values(plants).map((p) => [p.phase, p.dispatching, p.recording, p.in_service]);
  return JSON.stringify([transport, source, switching, estop?.active, posting?.enabled, each]);
});

/**
 * @param {string} kind
 * @param {string | null} [plant]
 * @param {any} [what] what will come with the command
 */
export function ask(kind, plant = null, what = null) {
  closedBecause.value = "";
  answer.value = BLANK;
  asked.value = { kind, plant, asked: what, facts: facts.peek() };
}

effect(() => {
  const [one, present, off] = [asked.value, facts.value, controlsOff.value];
  if (one === null) return;
  // A plant that changes meanwhile is no reason to ask anew whether all shall stop.
  const isSame = one.kind === "fleet-stop" || one.facts === present;
  if (isSame && !off) return;
  closedBecause.value = off || "The state changed while you were asked. Look again, then repeat.";
  asked.value = null;
});

const words = new Intl.ListFormat("en-GB");

/** @param {any[]} plants */
const list = (plants) => words.format(plants.map((plant) => plant.name)) || "no plant";

const everyPlant = () => /** @type {any[]} */ (Object.values(snapshot.value.plants));

/** What every switch does first. */
function stopsFirst() {
  const on = everyPlant().filter((plant) => plant.phase !== "stopped");
  return on.length
    ? `Safe-stops ${list(on)}: zero power first, then disable. A failed stop fails the switch.`
    : "Every plant is stopped already.";
}

/** @returns {Question} */
function startAll() {
  const { source, transport } = snapshot.value;
  const all = everyPlant();
  const out = all.filter((plant) => !plant.in_service);
  return {
    title: "Start all plants?",
    consequences: [
      `Records and starts ${list(all.filter((plant) => plant.in_service))} on the ${transport} transport.`,
      `Each follows its ${source === "api" ? "market API" : "manual"} schedule at once.`,
      ...(out.length ? [`Leaves out ${list(out)}: out of service.`] : []),
    ],
    action: "Start all",
    typed: transport === "remote",
  };
}

/** @returns {Question} */
function stopAll() {
  const all = everyPlant();
  const recording = all.filter((plant) => plant.recording);
  return {
    title: "Stop all plants?",
    consequences: [
      `Safe-stops ${list(all)}: zero power first, then disable.`,
      ...(recording.length ? [`Then stops recording, now on for ${list(recording)}.`] : []),
    ],
    action: "Stop all",
  };
}

/** @param {string} to @returns {Question} */
function switchSource(to) {
  const from = to === "api" ? "the market API" : "the manual schedules";
  return {
    title: `Switch the source to ${valueWord(to)}?`,
    consequences: [
      stopsFirst(),
      `Setpoints then come from ${from}. Nothing starts again by itself.`,
    ],
    action: "Switch the source",
  };
}

/** @param {string} to @returns {Question} */
function switchTransport(to) {
  const recording = everyPlant().filter((plant) => plant.recording);
  const last = snapshot.value.commands.recent.find((/** @type {any} */ one) => one.kind === "transport");
  return {
    title: `Switch the transport to ${valueWord(to)}?`,
    consequences: [
      stopsFirst(),
      recording.length ? `Recording stops for ${list(recording)}.` : "No plant is recording.",
      to === "remote"
        ? "Commands then go to the real plants."
        : "Commands then go to the emulated plants on this machine.",
    ],
    action: "Switch the transport",
    typed: to === "remote",
    force:
      last?.status === "failed"
        ? "Switch even if a safe stop fails again. The plant may stay on; this is recorded."
        : undefined,
  };
}

/** @returns {Question} */
function switchPostingOn() {
  const { source, transport, posting } = snapshot.value;
  const pending = /** @type {any[]} */ (Object.values(posting.plants)).reduce((sum, one) => sum + one.pending, 0);
  return {
    title: "Switch posting on?",
    consequences: [
      `Measurements of the ${transport === "remote" ? "real" : "emulated"} plants are sent to the market API.`,
      ...(source === "api" ? [] : ["This begins once the source is Market API."]),
      ...(pending ? [`${pending} samples that wait are sent first.`] : []),
    ],
    action: "Switch posting on",
  };
}

/** @returns {Question} */
function resetEstop() {
  return {
    title: "Reset the emergency stop?",
    consequences: [
      "Start and Dispatch are possible again.",
      "No plant starts by itself.",
      "Make sure that the cause is gone and nobody works at the plants.",
    ],
    action: "Reset",
  };
}

/** @param {string} id @param {boolean} inService @returns {Question} */
function serve(id, inService) {
  const { name, phase } = snapshot.value.plants[id];
  if (inService) {
    return {
      title: `Put ${name} into service?`,
      consequences: [`Start and Start all include ${name} again. It does not start by itself.`],
      action: "Put into service",
      noted: true,
    };
  }
  return {
    title: `Take ${name} out of service?`,
    consequences: [
      `Start all leaves ${name} out and Start is refused.`,
      ...(phase === "stopped" ? [] : [`${name} is ${phase}: this does not stop it.`]),
    ],
    action: "Take out of service",
    noted: true,
  };
}

/** @param {Asked} one @returns {Question} */
function questionOf({ kind, plant, asked: what }) {
  switch (kind) {
    case "fleet-start":
      return startAll();
    case "fleet-stop":
      return stopAll();
    case "source":
      return switchSource(what.to);
    case "transport":
      return switchTransport(what.to);
    case "posting":
      return switchPostingOn();
    case "service":
      return serve(/** @type {string} */ (plant), what.in_service);
    default:
      return resetEstop();
  }
}

/** The dialog, when something is asked. */
export function Confirm() {
  const one = asked.value;
  if (one === null) return null;
  const { title, consequences, action, typed, noted, force } = questionOf(one);
  const isReady = !typed || answer.value.name === siteName.value;
  const close = () => (asked.value = null);
  const confirm = () => {
    if (!isReady) return;
    const { note, force: isForced } = answer.peek();
    const extra = { ...(noted && { note: note.trim() || null }), ...(isForced && { force: true }) };
    close();
    send(one.kind, one.plant, one.asked && { ...one.asked, ...extra });
  };
  const set = (/** @type {object} */ change) => (answer.value = { ...answer.peek(), ...change });
  return html`
    <${Dialog} key=${one.kind} id="confirm" title=${title} focus="[data-testid=confirm-cancel]" onClose=${close}>
      <ul>${consequences.map((text) => html`<li>${text}</li>`)}</ul>
      ${force && html`
        <label class="tick"><input type="checkbox" data-testid="confirm-force" checked=${answer.value.force}
          onChange=${(/** @type {any} */ event) => set({ force: event.target.checked })} /> ${force}</label>
      `}
      ${typed && html`
        <label class="field"><span>These are real plants. Type the site's name, <b>${siteName}</b>, to go on.</span>
          <input type="text" autocomplete="off" data-testid="confirm-name" value=${answer.value.name}
            onInput=${(/** @type {any} */ event) => set({ name: event.target.value })} />
        </label>
      `}
      ${noted && html`
        <label class="field">Note (optional)
          <input type="text" autocomplete="off" maxlength="500" data-testid="confirm-note" value=${answer.value.note}
            onInput=${(/** @type {any} */ event) => set({ note: event.target.value })} />
        </label>
      `}
      <div class="row end">
        <button type="button" class="button" data-testid="confirm-cancel" onClick=${close}>Cancel</button>
        <button type="button" class="button primary" data-testid="confirm-ok"
          aria-disabled=${isReady ? undefined : "true"} onClick=${confirm}>${action}</button>
      </div>
    <//>
  `;
}
