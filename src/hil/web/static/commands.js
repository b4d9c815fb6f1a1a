/** Commands that this page sent, followed from the click to their end. */

import { effect, signal } from "@preact/signals";
import { post, put as putTo, request } from "./api.js";
import { now } from "./now.js";
import { snapshot, tick } from "./state.js";

/**
 * @typedef {object} Tracked
 * @property {string} kind
 * @property {string | null} plant
 * @property {any} asked what comes with it, null for most
 * @property {"sent" | "queued" | "running" | "done" | "failed" | "rejected"} status
 * @property {string | null} id known after the 202
 * @property {string} reason
 * @property {string | null} since the engine's time from which to count
 * @property {number} at the page's time of the newest change, ms
 */

/** How long "done" stays to be seen. */
const DONE_SHOWN_MS = 5_000;
/** A command that the picture does not show is asked for after this. */
const ASK_AFTER_MS = 3_000;

const WORDS = {
  start: "Start",
  stop: "Stop",
  dispatch: "Dispatch",
  pause: "Pause",
  record: "Record",
  "stop-recording": "Stop recording",
  "fleet-start": "Start all",
  "fleet-stop": "Stop all",
  "fleet-estop": "Emergency stop",
  "fleet-estop-reset": "Reset emergency stop",
};

/** Words of a switch's choices. */
const VALUES = { manual: "Manual", api: "Market API", local: "Local", remote: "Remote" };

/** @param {string} value of a source or transport */
export const valueWord = (value) => VALUES[/** @type {keyof typeof VALUES} */ (value)] ?? value;

/** The newest command of each plant, by its id; of the whole site by "". */
export const tracked = signal(/** @type {Record<string, Tracked>} */ ({}));

/**
 * What a command does, in words.
 * @param {string} kind
 * @param {any} [asked] what came with it
 */
export function wordOf(kind, asked) {
  if (kind === "source" || kind === "transport") return `Switch ${kind} to ${valueWord(asked?.to)}`;
  if (kind === "posting") return `Posting ${asked?.enabled ? "on" : "off"}`;
  if (kind === "service") return asked?.in_service ? "Put into service" : "Take out of service";
  if (kind === "connection") return asked?.connected ? "Connect to the market API" : "Disconnect from the market API";
  if (kind === "fault") {
    const faults = (asked?.faults ?? []).map((/** @type {any} */ one) => one.kind).join(", ");
    return `Fault ${faults} ${asked?.on ? "on" : "off"}`;
  }
  return WORDS[/** @type {keyof typeof WORDS} */ (kind)] ?? kind;
}

/** @param {Tracked | undefined} one */
export const isUnderWay = (one) =>
  one !== undefined && ["sent", "queued", "running"].includes(one.status);

/**
 * Send a command and follow it.
 * @param {string} kind
 * @param {string | null} plant
 * @param {any} [asked] what comes with it
 */
export async function send(kind, plant, asked = null) {
  const sent = { kind, plant, asked, status: /** @type {const} */ ("sent"), id: null, reason: "" };
  put({ ...sent, since: null, at: now() });
  const answer = await sendTo(kind, plant, asked);
  if (answer.ok) {
    put(fromEngine(answer.value));
    reconcile();
  } else {
    put({ ...sent, status: "rejected", reason: answer.detail, since: null, at: now() });
  }
}

/**
 * @param {string} kind
 * @param {string | null} plant
 * @param {any} asked
 */
function sendTo(kind, plant, asked) {
  if (kind === "source") return putTo("/source", { source: asked.to });
  if (kind === "transport") {
    const { to, ...rest } = asked;
    return putTo("/transport", { transport: to, ...rest });
  }
  if (kind === "posting") return putTo("/posting", asked);
  if (kind === "service") return putTo(`/plants/${plant}/service`, asked);
  return post(plant === null ? `/fleet/${kind.replace("fleet-", "")}` : `/plants/${plant}/${kind}`);
}

/** @param {string | null} plant */
export function dismiss(plant) {
  const { [plant ?? ""]: _, ...rest } = tracked.peek();
  tracked.value = rest;
}

/**
 * What to show of a plant's commands: the one sent here, else one that somebody else sent.
 * @param {string | null} plant
 * @returns {(Tracked & { by?: string }) | undefined}
 */
export function shownCommand(plant) {
  const own = tracked.value[plant ?? ""];
  if (own) return own;
  const { running = [], queued = [] } = snapshot.value?.commands ?? {};
  const other = [...running, ...queued].find((one) => one.plant === plant);
  return other && { ...fromEngine(other), by: other.by };
}

/** @param {Tracked} one */
function put(one) {
  tracked.value = { ...tracked.peek(), [one.plant ?? ""]: one };
}

/** @param {any} command @returns {Tracked} */
function fromEngine(command) {
  const { kind, plant, asked, status, id, error } = command;
  const since = command.started_at ?? command.queued_at;
  return { kind, plant, asked, status, id, reason: error ?? "", since, at: now() };
}

/** Bring what is followed up to the newest picture. */
function reconcile() {
  const { running = [], queued = [], recent = [] } = snapshot.peek()?.commands ?? {};
  for (const one of Object.values(tracked.peek())) {
    if (one.id === null || !isUnderWay(one)) continue;
    const found = [...recent, ...running, ...queued].find((other) => other.id === one.id);
    if (found && found.status !== one.status) put(fromEngine(found));
    else if (!found && now() - one.at > ASK_AFTER_MS) ask(one);
  }
}

/** @param {Tracked} one */
async function ask(one) {
  put({ ...one, at: now() });
  const answer = await request(`/commands/${one.id}`);
  if (tracked.peek()[one.plant ?? ""]?.id !== one.id) return;
  if (answer.ok) put(fromEngine(answer.value));
  else if (answer.status === 404) {
    put({ ...one, status: "failed", reason: "The engine does not know it any more.", at: now() });
  }
}

/** Follow the pictures; let "done" go after a while. */
export function followCommands() {
  effect(() => {
    if (snapshot.value !== null) reconcile();
  });
  effect(() => {
    for (const one of Object.values(tracked.peek())) {
      if (one.status === "done" && tick.value - one.at > DONE_SHOWN_MS) dismiss(one.plant);
    }
    void tick.value;
  });
}
