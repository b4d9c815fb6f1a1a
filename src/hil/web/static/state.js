/** What the page knows: the newest picture, how the connection is, and the site's time. */

import { computed, signal } from "@preact/signals";
import { AgeLimits } from "./age.js";
import { now } from "./now.js";

/** The newest picture of the engine; null before the first. */
export const snapshot = signal(/** @type {any} */ (null));

/** "connecting" until the first event, "live", or "lost" after 5 s without one. */
export const connection = signal(/** @type {"connecting" | "live" | "lost"} */ ("connecting"));

/** The page's clock, renewed each second, so that ages and elapsed times count on. */
export const tick = signal(now());

/** The engine's time at the newest event, and the page's at that moment, in ms. */
const heard = signal({ engine: 0, page: 0 });

export const zone = computed(() => snapshot.value?.site.timezone ?? "UTC");
export const siteName = computed(() => snapshot.value?.site.name ?? "");
export const plantIds = computed(() => Object.keys(snapshot.value?.plants ?? {}).join(" "));

/** When the engine was last heard, by its own clock, in ms. */
export const lastHeard = computed(() => heard.value.engine);

/** The page's clock at the newest event; 0 before the first. */
export const lastEventAt = () => heard.peek().page;

/** Why no control works at the moment; empty when they do. */
export const controlsOff = computed(() =>
  connection.value === "live" ? "" : "No connection to the engine.",
);

const ageLimits = new AgeLimits();

/** Why nothing starts while the emergency stop is latched. */
export const LATCHED = "The emergency stop is latched: reset it first.";

/** @param {any} picture */
export function take(picture) {
  for (const [id, { measurement }] of Object.entries(picture.plants)) {
    if (measurement !== null) ageLimits.take(id, Date.parse(measurement.time));
  }
  snapshot.value = picture;
  hear(picture.time);
}

/** @param {string} time the engine's, ISO 8601 */
export function hear(time) {
  heard.value = { engine: Date.parse(time), page: now() };
}

/**
 * The engine's time now in ms; it stands still while nothing is heard.
 */
export const engineNow = computed(() => {
  const { engine, page } = heard.value;
  if (connection.value === "lost") return engine;
  return engine + Math.max(0, tick.value - page);
});

/**
 * Whether a plant's newest reading is too old to stand for the present.
 * @param {string} id
 * @param {any} measurement of the picture, or null
 */
export const isOld = (id, measurement) =>
  measurement !== null && engineNow.value - Date.parse(measurement.time) > ageLimits.of(id);
