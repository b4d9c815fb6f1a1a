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

/** @param {number | null | undefined} share per unit */
const percent = (share) => (typeof share === "number" ? share * 100 : null);

export class History {
  constructor() {
    /** @type {number[]} seconds since the epoch, rising */
    this.times = [];
    /** @type {Record<"set" | "poi" | "soc", Column>} kW, kW and percent */
    this.columns = { set: [], poi: [], soc: [] };
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
    this.columns = { set: [], poi: [], soc: [] };
    const { p_setpoint_kw: set, p_poi_kw: poi, soc_pu: soc } = buckets.signals;
    buckets.time.forEach((/** @type {string} */ time, /** @type {number} */ k) => {
      this.#append(Date.parse(time) / 1000, set?.last[k], poi?.last[k], percent(soc?.last[k]));
    });
    this.#trim(this.times.at(-1) ?? 0);
    times.forEach((time, k) => this.#append(time, columns.set[k], columns.poi[k], columns.soc[k]));
  }

  /**
   * Take a live reading; one that is known already changes nothing.
   * @param {any} measurement of the picture, or null
   */
  add(measurement) {
    if (measurement === null) return;
    const { time, p_setpoint_kw: set, p_poi_kw: poi, soc_pu: soc } = measurement;
    this.push(Date.parse(time) / 1000, set, poi, soc);
  }

  /**
   * @param {number} time
   * @param {number | null | undefined} set kW
   * @param {number | null | undefined} poi kW
   * @param {number | null | undefined} soc per unit
   */
  push(time, set, poi, soc) {
    const last = this.times.at(-1) ?? -Infinity;
    if (time <= last) return;
    // Never connect over a gap: one empty row breaks the lines.
    if (time - last > this.#gap()) this.#append(last + 0.001, null, null, null);
    this.steps = [...this.steps.slice(-11), time - last];
    this.#append(time, set, poi, percent(soc));
    this.#trim(time);
  }

  #gap() {
    if (this.steps.length < 3) return Infinity;
    const usual = [...this.steps].sort((a, b) => a - b)[Math.floor(this.steps.length / 2)] ?? 0;
    return Math.max(MIN_GAP_S, GAP_STEPS * usual);
  }

  /**
   * @param {number} time
   * @param {number | null | undefined} set
   * @param {number | null | undefined} poi
   * @param {number | null | undefined} soc percent
   */
  #append(time, set, poi, soc) {
    if (time <= (this.times.at(-1) ?? -Infinity)) return;
    this.times.push(time);
    this.columns.set.push(set ?? null);
    this.columns.poi.push(poi ?? null);
    this.columns.soc.push(soc ?? null);
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
