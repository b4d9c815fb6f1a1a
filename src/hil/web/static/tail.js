/** The newest lines of a log, put together from answers that overlap. */

/** Lines that are kept, and so drawn, at most. */
export const MAX_LINES = 2_000;

/**
 * @typedef {{ key: number, time: string | null, level: string | null, text: string, view?: any }} Line
 * @typedef {{ date: string, lines: { time: string | null, level: string | null, text: string }[] }} Answer
 */

/** @param {Answer["lines"][number]} a @param {Answer["lines"][number]} b */
const isSame = (a, b) => a.time === b.time && a.level === b.level && a.text === b.text;

export class Tail {
  /** @type {Line[]} the oldest first */
  lines = [];
  #date = "";
  #next = 0;

  /**
   * How many of an answer's lines are known: its first ones are the last that are held.
   * @param {Answer} answer
   */
  #known({ date, lines }) {
    if (date !== this.#date) return 0;
    for (let count = Math.min(lines.length, this.lines.length); count > 0; count -= 1) {
      const start = this.lines.length - count;
      if (lines.slice(0, count).every((line, k) => isSame(line, this.lines[start + k]))) return count;
    }
    return 0;
  }

  /**
   * Whether nothing lies between what is held and this answer, which is the end of the log.
   * @param {Answer} answer
   * @param {number} asked how many lines were asked for
   */
  joins(answer, asked) {
    return answer.lines.length < asked || this.#known(answer) > 0;
  }

  /**
   * Go on with an answer that joins; of another day, or without a known line, it begins anew.
   * @param {Answer} answer
   * @returns {number} the lines that are new; Infinity when all are
   */
  take(answer) {
    const known = this.#known(answer);
    const isOther = known === 0 && (answer.date !== this.#date || this.lines.length > 0);
    const fresh = answer.lines.slice(known).map((line) => ({ ...line, key: this.#next++ }));
    this.#date = answer.date;
    if (fresh.length) this.lines = [...(isOther ? [] : this.lines), ...fresh].slice(-MAX_LINES);
    else if (isOther) this.lines = [];
    return isOther ? Infinity : fresh.length;
  }
}
