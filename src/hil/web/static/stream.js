/** Follows the engine's events: notices a dead stream, comes back by itself, rests when hidden. */

import { request } from "./api.js";
import { now } from "./now.js";
import { connection, hear, lastEventAt, snapshot, take, tick } from "./state.js";

const LOST_AFTER_MS = 5_000;
/** Pause between attempts; also how long one attempt may stay silent before the next. */
const RETRY_MS = 3_000;
const WATCH_MS = 500;

/** @type {EventSource | null} */
let source = null;
let openedAt = 0;
/** Since when the page has been waiting for an event. */
let waitingSince = now();

/** Read the state once, then follow it. */
export async function start() {
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : open()));
  setInterval(watch, WATCH_MS);
  if (!document.hidden) open();
  const answer = await request("/state");
  if (answer.ok && snapshot.peek() === null) take(answer.value);
}

function open() {
  source?.close();
  openedAt = waitingSince = now();
  connect();
}

function connect() {
  source = new EventSource("/api/v1/stream");
  source.addEventListener("state", (event) => {
    take(JSON.parse(event.data));
    connection.value = "live";
  });
  source.addEventListener("ping", (event) => {
    hear(JSON.parse(event.data).time);
    connection.value = "live";
  });
  source.addEventListener("end", drop);
  source.addEventListener("error", drop);
}

/** A browser allows six connections to a server: a hidden tab must not hold one. */
function rest() {
  drop();
  connection.value = "connecting";
}

function drop() {
  source?.close();
  source = null;
}

function watch() {
  const time = now();
  if (Math.floor(time / 1000) !== Math.floor(tick.peek() / 1000)) tick.value = time;
  if (document.hidden) return;
  const silent = time - Math.max(lastEventAt(), waitingSince);
  if (silent > LOST_AFTER_MS) connection.value = "lost";
  // A stream that died without a sign stays "open" for ever: after silence take a new one.
  const dead = source === null || silent > LOST_AFTER_MS;
  if (dead && time - openedAt > RETRY_MS) {
    drop();
    openedAt = time;
    connect();
  }
}
