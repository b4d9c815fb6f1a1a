/** Requests to the engine: what came back, or the sentence that says why not. */

/**
 * @typedef {object} RowProblem
 * @property {string} where
 * @property {string} why
 * @property {number | null} line
 *
 * @typedef {{ ok: true, value: any } | { ok: false, status: number, detail: string, problems: RowProblem[] }} Answer
 */

/** A request is given up after this; the engine answers within milliseconds. */
const TIME_LIMIT_MS = 10_000;

/** Cuts off the requests under way. */
let cut = new AbortController();

/**
 * Give up every request under way. A browser allows six connections to a server: requests that hang
 * must not keep an emergency stop waiting for one.
 */
export function makeWay() {
  cut.abort();
  cut = new AbortController();
}

/**
 * @param {string} path below /api/v1
 * @param {RequestInit} [options]
 * @returns {Promise<Answer>}
 */
export async function request(path, options = {}) {
  try {
    const signal = AbortSignal.any([AbortSignal.timeout(TIME_LIMIT_MS), cut.signal]);
    const response = await fetch(`/api/v1${path}`, { cache: "no-store", signal, ...options });
    const body = await response.json();
    if (response.ok) return { ok: true, value: body };
    const { detail = response.statusText, problems = [] } = body;
    return { ok: false, status: response.status, detail, problems };
  } catch {
    const detail = "No answer from the server. Check that hil is running.";
    return { ok: false, status: 0, detail, problems: [] };
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
function send(method, path, body) {
  if (body === undefined) return request(path, { method });
  const headers = { "Content-Type": "application/json" };
  return request(path, { method, headers, body: JSON.stringify(body) });
}

/** @param {string} path @param {object} [body] */
export const post = (path, body) => send("POST", path, body);

/** @param {string} path @param {object} body */
export const put = (path, body) => send("PUT", path, body);

/** @param {string} path */
export const remove = (path) => send("DELETE", path);
