/** Values and times as an operator reads them; unknown is a dash, never 0. */

export const DASH = "—";
const MINUS = "\u2212";

/**
 * A number with a fixed count of decimals.
 * @param {number | null | undefined} value
 * @param {number} digits
 * @param {{ signed?: boolean }} [options]
 */
export function number(value, digits, { signed = false } = {}) {
  if (value === null || value === undefined) return DASH;
  const size = Math.abs(value).toFixed(digits);
  if (Number(size) === 0) return size;
  if (value < 0) return MINUS + size;
  return signed ? `+${size}` : size;
}

/**
 * Which way active power flows, in words; empty when none flows or it is unknown.
 * @param {number | null | undefined} kw
 */
export function direction(kw) {
  if (kw === null || kw === undefined || Math.abs(kw) < 0.05) return "";
  return kw > 0 ? "discharging" : "charging";
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {string} zone
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(zone, options) {
  const key = zone + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options });
    formats.set(key, found);
  }
  return found;
}

/**
 * The time of day in the site's zone, such as 12:04:06.
 * @param {number} ms
 * @param {string} zone
 */
export function clock(ms, zone) {
  return format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

/**
 * Hours and minutes in the site's zone.
 * @param {number} ms
 * @param {string} zone
 */
export function minutes(ms, zone) {
  return format(zone, { hour: "2-digit", minute: "2-digit" }).format(ms);
}

/**
 * A calendar day as people write it, such as 15 Jan.
 * @param {string} date ISO 8601, without a time
 */
export function day(date) {
  return format("UTC", { day: "numeric", month: "short" }).format(Date.parse(`${date}T12:00Z`));
}

/**
 * Day and time in the site's zone, with seconds where there are some.
 * @param {number} ms
 * @param {string} zone
 */
export function dayAndTime(ms, zone) {
  const day = format(zone, { day: "numeric", month: "short" }).format(ms);
  return `${day} ${ms % 60_000 < 1000 ? minutes(ms, zone) : clock(ms, zone)}`;
}

/**
 * A time that may be of another day than today's: then with the day.
 * @param {number} ms
 * @param {number} today any moment of the present day, ms
 * @param {string} zone
 */
export function when(ms, today, zone) {
  const day = (/** @type {number} */ at) => format(zone, { dateStyle: "short" }).format(at);
  return day(ms) === day(today) ? clock(ms, zone) : dayAndTime(ms, zone);
}

/**
 * The same instant in UTC, for tooltips.
 * @param {number} ms
 */
export function utc(ms) {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/**
 * A span of time, in the unit that fits.
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  return `${Math.floor(whole / 3600)} h`;
}

const DAY_MS = 86_400_000;

/** What the site's clocks show at an instant, as the ms of the same digits in UTC. */
const shown = (/** @type {number} */ ms, /** @type {string} */ zone) => {
  const { year, month, day, hour, minute, second } = Object.fromEntries(
    format(zone, {
      year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    }).formatToParts(ms).map(({ type, value }) => [type, Number(value)]),
  );
  return Date.UTC(year, month - 1, day, hour, minute, second);
};

/**
 * The instants at which the site's clocks show a time: none when they skip it, two when they show
 * it twice.
 * @param {string} local such as 2026-10-25T02:30
 * @param {string} zone
 */
export function instants(local, zone) {
  const wall = Date.parse(`${local}Z`);
  if (Number.isNaN(wall)) return [];
  const near = [wall - DAY_MS, wall + DAY_MS];
  const offsets = new Set(near.map((ms) => shown(ms, zone) - ms));
  return [...offsets].map((offset) => wall - offset).filter((ms) => shown(ms, zone) === wall);
}

/**
 * The first instant of the site's day; undefined when the clocks skip midnight.
 * @param {number} ms any moment of the day
 * @param {string} zone
 */
export function startOfDay(ms, zone) {
  const day = new Date(shown(Math.floor(ms / 1000) * 1000, zone)).toISOString().slice(0, 10);
  return instants(`${day}T00:00`, zone).sort((a, b) => a - b)[0];
}
