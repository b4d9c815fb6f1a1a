/** Asks before a command that touches the whole site, and names what it will do. */

import { html } from "htm/preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { computed, effect, signal } from "@preact/signals";
import { send } from "./commands.js";
import { controlsOff, siteName, snapshot } from "./state.js";

/** The question that stands open; null when none does. */
const asked = signal(/** @type {{ kind: string, facts: string } | null} */ (null));

/** Why the last question was closed by itself; empty otherwise. */
export const closedBecause = signal("");

/** The facts that an answer relies on: when they change, the question is asked anew. */
const facts = computed(() => {
  const { transport, source, plants = {} } = snapshot.value ?? {};
  const each = Object.values(plants).map((p) => [p.phase, p.dispatching, p.recording, p.in_service]);
  return JSON.stringify([transport, source, each]);
});

/** @param {string} kind */
export function ask(kind) {
  closedBecause.value = "";
  asked.value = { kind, facts: facts.peek() };
}

effect(() => {
  const [one, present, off] = [asked.value, facts.value, controlsOff.value];
  if (one === null || (one.facts === present && !off)) return;
  closedBecause.value = off || "The state changed while you were asked. Look again, then repeat.";
  asked.value = null;
});

const words = new Intl.ListFormat("en-GB");

/** @param {any[]} plants */
const list = (plants) => words.format(plants.map((plant) => plant.name)) || "no plant";

/** @param {string} kind */
function question(kind) {
  const { plants, source, transport } = snapshot.value;
  const all = /** @type {any[]} */ (Object.values(plants));
  if (kind === "fleet-stop") {
    return {
      title: "Stop all plants?",
      consequences: [
        `Safe-stops ${list(all)}: zero power first, then disable.`,
        `Then stops recording, now on for ${list(all.filter((plant) => plant.recording))}.`,
      ],
      action: "Stop all",
      typed: false,
    };
  }
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

/** The dialog, when something is asked. */
export function Confirm() {
  const one = asked.value;
  return one && html`<${Question} key=${one.kind} kind=${one.kind} />`;
}

const typedName = signal("");

/** @param {{ kind: string }} props */
function Question({ kind }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const cancel = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useLayoutEffect(() => {
    typedName.value = "";
    const opened = dialog.current;
    opened?.showModal();
    cancel.current?.focus();
    return () => opened?.close(); // gives the focus back to the button that asked
  }, []);
  const { title, consequences, action, typed } = question(kind);
  const ready = !typed || typedName.value === siteName.value;
  const close = () => (asked.value = null);
  const confirm = () => {
    if (!ready) return;
    close();
    send(kind, null);
  };
  return html`
    <dialog ref=${dialog} data-testid="confirm" aria-labelledby="confirm-title" onClose=${close}>
      <h2 id="confirm-title">${title}</h2>
      <ul>${consequences.map((text) => html`<li>${text}</li>`)}</ul>
      ${typed && html`
        <label class="field">These are real plants. Type the site's name, ${siteName}, to go on.
          <input type="text" autocomplete="off" value=${typedName}
            onInput=${(/** @type {any} */ event) => (typedName.value = event.target.value)} />
        </label>
      `}
      <div class="row end">
        <button ref=${cancel} type="button" class="button" data-testid="confirm-cancel" onClick=${close}>Cancel</button>
        <button type="button" class="button primary" data-testid="confirm-ok"
          aria-disabled=${ready ? undefined : "true"} onClick=${confirm}>${action}</button>
      </div>
    </dialog>
  `;
}
