/** The last minutes of one plant as columns for a plot: bounded, in order, null where unknown. */

export const SPAN_S = 900;
/** At 10 rows a second the span would hold 9,000; a plot of 600 pixels needs no more than this. */
const MAX_ROWS = 2_000;
/** Rows further apart than this many usual steps, and at least this long, are not connected. */
const GAP_STEPS = 3;
const MIN_GAP_S = 6;

/**
 * @typedef {(number | null)[]} Column
 */

export class History {
  /**
   * @param {string[]} signals by their name in the API; in its units
   */
  constructor(signals) {
    this.signals = signals;
    /** @type {number[]} seconds since the epoch, rising */
    this.times = [];
    /** @type {Record<string, Column>} */
    this.columns = this.#empty();
    /** @type {number[]} seconds between the newest live rows */
    this.steps = [];
  }

  /**
   * Put recorded rows before those that came live. Each holds until the next one, however far
   * that is: where nothing is known the answer has a row of nulls.
   * @param {any} buckets the body of GET measurements
   */
  load(buckets) {
    const { times, columns } = this;
    this.times = [];
    this.columns = this.#empty();
    buckets.time.forEach((/** @type {string} */ time, /** @type {number} */ k) => {
      this.#append(Date.parse(time) / 1000, (name) => buckets.signals[name]?.last[k]);
    });
    this.#trim(this.times.at(-1) ?? 0);
    times.forEach((time, k) => this.#append(time, (name) => columns[name][k]));
  }

  /**
   * Take a live reading; one that is known already changes nothing.
   * @param {any} measurement of the picture, or null
   */
  add(measurement) {
    if (measurement === null) return;
    const time = Date.parse(measurement.time) / 1000;
    const last = this.times.at(-1) ?? -Infinity;
    if (time <= last) return;
    // Never connect over a gap: one empty row breaks the lines.
    if (time - last > this.#gap()) this.#append(last + 0.001, () => null);
    this.steps = [...this.steps.slice(-11), time - last];
    this.#append(time, (name) => measurement[name] ?? measurement.extra?.[name]);
    this.#trim(time);
  }

  #empty() {
    return Object.fromEntries(this.signals.map((name) => [name, /** @type {Column} */ ([])]));
  }

  #gap() {
    if (this.steps.length < 3) return Infinity;
    const usual = [...this.steps].sort((a, b) => a - b)[Math.floor(this.steps.length / 2)] ?? 0;
    return Math.max(MIN_GAP_S, GAP_STEPS * usual);
  }

  /**
   * @param {number} time
   * @param {(name: string) => number | null | undefined} valueOf
   */
  #append(time, valueOf) {
    if (time <= (this.times.at(-1) ?? -Infinity)) return;
    this.times.push(time);
    for (const name of this.signals) this.columns[name].push(valueOf(name) ?? null);
  }

  /** @param {number} newest */
  #trim(newest) {
    // One row before the span stays: a step that holds since then begins at the left edge.
    let old = Math.max(0, this.times.length - MAX_ROWS);
    while ((this.times[old + 1] ?? Infinity) < newest - SPAN_S) old += 1;
    if (old === 0) return;
    this.times.splice(0, old);
    for (const column of Object.values(this.columns)) column.splice(0, old);
  }
}
