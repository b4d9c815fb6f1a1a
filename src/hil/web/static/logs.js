/** The page of the log: today's as it is written, or an earlier day's. */

import { html } from "htm/preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { signal, useSignal } from "@preact/signals";
import { put, request } from "./api.js";
import { Control } from "./controls.js";
import { Icon } from "./icon.js";
import { MAX_LINES, Tail } from "./tail.js";
import { controlsOff, zone } from "./state.js";

const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
const POLL_MS = 2_000;
/** Typing rests this long before the log is searched. */
const TYPED_MS = 300;
const MAX_TEXT = 200;
/** Lines that a poll asks for; when more have come, all are read again. */
const POLLED = 200;
const DONE_SHOWN_MS = 5_000;
/** Within so many pixels of its end the log counts as read to the end. */
const AT_END_PX = 24;

/** Signs of the levels that are not normal. */
const SIGNS = { WARNING: "low", ERROR: "high", CRITICAL: "critical" };

const wasShown = signal(false);

/** Whether the log has been shown, or that it cannot be. */
export const isDrawn = () => wasShown.value;

/** @typedef {import("./tail.js").Line} Line */

/**
 * @typedef {object} Shown
 * @property {Line[]} lines
 * @property {any} page the newest answer without its lines; null before the first
 * @property {string} error why the newest answer is missing
 */

export function Content() {
  const file = useSignal("today");
  const level = useSignal("");
  const text = useSignal("");
  const shown = useSignal(/** @type {Shown} */ ({ lines: [], page: null, error: "" }));
  /** Whether the end is in view: then new lines are shown, else counted. */
  const isAtEnd = useSignal(true);
  const fresh = useSignal(0);
  const follow = useRef(/** @type {ReturnType<typeof followLog> | null} */ (null));

  useEffect(() => {
    isAtEnd.value = true;
    fresh.value = 0;
    const query = new URLSearchParams({ file: file.value });
    if (level.value) query.set("level", level.value);
    if (text.value) query.set("text", text.value);
    follow.current = followLog(query, shown, isAtEnd, fresh);
    return follow.current.stop;
  }, [file.value, level.value, text.value]);

  const { lines, page, error } = shown.value;
  const isFiltered = Boolean(level.value || text.value);
  return html`
    <section class="logpage" aria-label="Log">
      <${Filters} file=${file} level=${level} text=${text} page=${page} />
      ${error && html`<p class="wrong" role="status" data-testid="logs-error"><${Icon} name="alert" /> ${page ? "The lines below may be old" : "The log cannot be shown"}: ${error}</p>`}
      <${Lines} lines=${lines} isAtEnd=${isAtEnd} onEnd=${() => follow.current?.showAll()} />
      ${fresh.value > 0 && html`
        <button type="button" class="button primary fresh" data-testid="logs-new" data-value=${fresh} onClick=${() => {
          isAtEnd.value = true;
          follow.current?.showAll();
          document.getElementById("log-lines")?.focus();
        }}>${fresh} new, show</button>
      `}
      ${page && lines.length === 0 && html`<p class="empty" data-testid="logs-empty">${isFiltered ? "No line matches: choose another level or text." : "Nothing was logged on this day."}</p>`}
      <p class="note" data-testid="logs-count" data-value=${lines.length}>
        ${page && html`${lines.length === 1 ? "1 line" : `${lines.length} lines`} of ${page.date}, times in ${zone}.`}
        ${lines.length >= MAX_LINES && ` These are the newest; the file has older ones.`}
        ${page && !page.complete && " Only the end of the file was searched: older lines may match as well."}
      </p>
    </section>
  `;
}

/** A line's time of day as the file has it, the site's. @param {string} time ISO 8601 with an offset */
const timeOf = (time) => {
  const [, whole = time, ms = ".000"] = /T(\d\d:\d\d:\d\d)(\.\d{3})?/.exec(time) ?? [];
  return whole + ms;
};

/** @param {Line} line */
const view = (line) =>
  (line.view ??= html`
    <li key=${line.key} data-level=${line.level ?? ""}>
      <time title=${line.time ?? ""}>${line.time ? timeOf(line.time) : ""}</time>
      <span class="level">${line.level && line.level in SIGNS && html`<${Icon} name=${SIGNS[/** @type {keyof typeof SIGNS} */ (line.level)]} />`} ${line.level ?? ""}</span>
      <span class="text">${line.text}</span>
    </li>
  `);

/**
 * @param {{ lines: Line[], isAtEnd: import("@preact/signals").Signal<boolean>, onEnd: () => void }} props
 */
function Lines({ lines, isAtEnd, onEnd }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    if (isAtEnd.peek() && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = /** @type {HTMLElement} */ (box.current);
    const isEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    if (isEnd && !isAtEnd.peek()) onEnd();
    isAtEnd.value = isEnd;
  };
  return html`
    <div class="logs" id="log-lines" ref=${box} tabindex="0" role="region" aria-label="Lines of the log" data-testid="logs" onScroll=${onScroll}>
      <ol>${lines.map(view)}</ol>
    </div>
  `;
}

/**
 * Read the log, and go on while it is today's; a hidden page rests.
 * @param {URLSearchParams} query
 * @param {import("@preact/signals").Signal<Shown>} shown
 * @param {import("@preact/signals").Signal<boolean>} isAtEnd
 * @param {import("@preact/signals").Signal<number>} fresh
 */
function followLog(query, shown, isAtEnd, fresh) {
  const tail = new Tail();
  const isLive = query.get("file") === "today";
  let isOver = false;
  let isBusy = false;
  let isFirst = true;
  const read = (/** @type {number} */ count) => request(`/logs?${new URLSearchParams([...query, ["tail", String(count)]])}`);

  const show = (/** @type {Partial<Shown>} */ change) => {
    shown.value = { ...shown.peek(), ...change };
    wasShown.value = true;
  };
  const take = async () => {
    const isWhole = isFirst;
    let answer = await read(isWhole ? MAX_LINES : POLLED);
    if (answer.ok && !isWhole && !tail.joins(answer.value, POLLED)) answer = await read(MAX_LINES);
    if (isOver) return;
    if (!answer.ok) return show(isFirst ? { error: answer.detail, lines: [], page: null } : { error: answer.detail });
    const { lines, ...page } = answer.value;
    const count = tail.take(answer.value);
    if (isFirst || isAtEnd.peek() || count === Infinity) {
      fresh.value = 0;
      show({ lines: tail.lines, page, error: "" });
    } else {
      fresh.value = Math.min(MAX_LINES, fresh.peek() + count);
      show({ page, error: "" });
    }
    isFirst = false;
  };
  const poll = async () => {
    if (isBusy || document.hidden || !(isLive || isFirst)) return;
    isBusy = true;
    await take();
    isBusy = false;
  };
  poll();
  const timer = setInterval(poll, POLL_MS);
  document.addEventListener("visibilitychange", poll);
  return {
    showAll() {
      fresh.value = 0;
      show({ lines: tail.lines });
    },
    stop() {
      isOver = true;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", poll);
    },
  };
}

/** @typedef {import("@preact/signals").Signal<string>} Text */

/** @param {{ file: Text, level: Text, text: Text, page: any }} props */
function Filters({ file, level, text, page }) {
  const typing = useRef(0);
  const onInput = (/** @type {any} */ event) => {
    clearTimeout(typing.current);
    typing.current = setTimeout(() => (text.value = event.target.value), TYPED_MS);
  };
  useEffect(() => () => clearTimeout(typing.current), []);
  const choose = (/** @type {Text} */ what) => (/** @type {any} */ event) => (what.value = event.target.value);
  // Today is the first of them once it has a line.
  const days = /** @type {any[]} */ (page?.files ?? []);
  const earlier = days.filter(({ date }) => file.value !== "today" || date !== page.date);
  return html`
    <div class="filters">
      <label>Day <select data-testid="logs-day" value=${file} onChange=${choose(file)}>
        <option value="today">Today, live</option>
        ${earlier.map(({ date, bytes }) => html`<option key=${date} value=${date}>${date} (${size(bytes)})</option>`)}
      </select></label>
      <label>Show <select data-testid="logs-level" value=${level} onChange=${choose(level)}>
        <option value="">every level</option>
        ${LEVELS.slice(1).map((one, k) => html`<option key=${one} value=${one}>${k === LEVELS.length - 2 ? `${one} only` : `${one} and above`}</option>`)}
      </select></label>
      <label>With the text <input type="text" autocomplete="off" spellcheck="false" maxlength=${MAX_TEXT} data-testid="logs-text" onInput=${onInput} /></label>
      <span class="spring"></span>
      ${page && html`<${LevelSwitch} present=${page.level} />`}
    </div>
  `;
}

/** @param {number} bytes */
const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** What is logged from now on. @param {{ present: string }} props */
function LevelSwitch({ present }) {
  const wanted = useSignal(present);
  const level = useSignal(present);
  const wish = useSignal({ status: "idle", reason: "" });
  useEffect(() => {
    if (wanted.peek() === level.peek()) wanted.value = present;
    level.value = present;
  }, [present]);
  const press = async () => {
    wish.value = { status: "sent", reason: "" };
    const answer = await put("/logs/level", { level: wanted.peek() });
    if (answer.ok) level.value = answer.value.level;
    const ended = answer.ok ? { status: "done", reason: "" } : { status: "failed", reason: answer.detail };
    wish.value = ended;
    if (answer.ok) setTimeout(() => wish.peek() === ended && (wish.value = { status: "idle", reason: "" }), DONE_SHOWN_MS);
  };
  const { status, reason } = wish.value;
  const same = wanted.value === level.value ? `${wanted.value} and above is logged already.` : "";
  const isWrong = status === "failed";
  return html`
    <span class="row runtime" data-testid="log-level" data-value=${level}>
      <label>Logged from now on <select value=${wanted} data-testid="log-level-choice" onChange=${(/** @type {any} */ event) => (wanted.value = event.target.value)}>
        ${LEVELS.map((one, k) => html`<option key=${one} value=${one}>${k === LEVELS.length - 1 ? `${one} only` : `${one} and above`}</option>`)}
      </select></label>
      <${Control} id="log-level-set" label="Set" cmd=${status}
        reason=${controlsOff.value || (status === "sent" ? "It is under way already." : same)} onPress=${press} />
      ${status !== "idle" && html`
        <span class="cmd ${isWrong ? "wrong" : ""}" role="status" data-testid="log-level-cmd" data-cmd=${status}>${isWrong && html`<${Icon} name="alert" />`} ${status}${reason && `: ${reason}`}</span>
      `}
    </span>
  `;
}
