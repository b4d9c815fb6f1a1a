/** When a reading is too old to stand for the present: after three of the plant's own periods. */

const PERIODS = 3;
/** Until the period is known, and for the usual one of 2 s. */
const UNKNOWN_LIMIT_MS = 6_000;
/** Pictures come twice and the page's clock ticks once a second: below this, ages would flicker. */
const LEAST_LIMIT_MS = 3_000;
const SPACINGS = 5;

/**
 * The limits of all plants. The state does not tell the measurement period, and a fixed limit would
 * call a plant old that is read every 10 s; so the period is the median spacing of the last
 * readings, which a single pause does not move.
 */
export class AgeLimits {
  /** @type {Map<string, { at: number, spacings: number[] }>} */
  #seen = new Map();

  /**
   * @param {string} id of the plant
   * @param {number} at the time of its newest reading, ms
   */
  take(id, at) {
    const seen = this.#seen.get(id);
    if (!seen || at < seen.at) this.#seen.set(id, { at, spacings: [] });
    else if (at > seen.at) {
      const spacings = [...seen.spacings, at - seen.at].slice(-SPACINGS);
      this.#seen.set(id, { at, spacings });
    }
  }

  /** @param {string} id of the plant @returns {number} ms */
  of(id) {
    const sorted = [...(this.#seen.get(id)?.spacings ?? [])].sort((a, b) => a - b);
    if (sorted.length < 3) return UNKNOWN_LIMIT_MS;
    return Math.max(LEAST_LIMIT_MS, PERIODS * sorted[Math.floor(sorted.length / 2)]);
  }
}
