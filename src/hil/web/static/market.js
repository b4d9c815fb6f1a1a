/** The page of the market API: its connection, the plan that has come, posting. */

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { effect, signal } from "@preact/signals";
import { put, remove } from "./api.js";
import { Control } from "./controls.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";
import { Day, MomentOrNever, PlanPreview, planned } from "./plan.js";
import { Posting } from "./posting.js";
import { controlsOff, plantIds, snapshot, zone } from "./state.js";

const PATH = "/schedule-api/connection";
const DONE_SHOWN_MS = 5_000;
const MAX_PASSWORD = 1000;

/**
 * @typedef {object} Wish
 * @property {string} kind "" for none
 * @property {string} word
 * @property {"idle" | "sent" | "done" | "failed"} status
 * @property {string} reason
 */

/** @type {Wish} */
const NONE = { kind: "", word: "", status: "idle", reason: "" };

/** What became of the newest wish about the connection. */
const wish = signal(NONE);

/** The question that stands open. */
const asked = signal(/** @type {"" | "password" | "disconnect"} */ (""));

const close = () => {
  asked.value = "";
};

effect(() => {
  if (controlsOff.value) close();
});

/**
 * @param {string} kind
 * @param {string} word
 * @param {Promise<import("./api.js").Answer>} answering
 */
async function follow(kind, word, answering) {
  wish.value = { kind, word, status: "sent", reason: "" };
  const answer = await answering;
  const ended = { kind, word, status: /** @type {const} */ (answer.ok ? "done" : "failed"), reason: answer.ok ? "" : answer.detail };
  wish.value = ended;
  setTimeout(() => {
    if (answer.ok && wish.peek() === ended) wish.value = NONE;
  }, DONE_SHOWN_MS);
}

const CONNECTIONS = {
  disconnected: { icon: "ring", word: "disconnected" },
  connecting: { icon: "ring", word: "connecting" },
  connected: { icon: "dot", word: "connected" },
  error: { icon: "alert", word: "error" },
};

const isConfigured = () => snapshot.value.schedule_api.today.date !== null;

/** Whether all of the page is drawn. */
export const isDrawn = () =>
  !isConfigured() || planned.value >= plantIds.value.split(" ").filter(Boolean).length;

export function Content() {
  if (!isConfigured()) return html`<${NotConfigured} />`;
  return html`
    <div class="stacked">
      <${Connection} />
      <${Plan} />
      <${Posting} />
    </div>
  `;
}

const NotConfigured = () => html`
  <section class="card" data-testid="market-empty" aria-labelledby="none-title">
    <h2 id="none-title">No market API is configured</h2>
    <p>Plans come from the manual schedules, and no measurements are posted. To use a market API, add <code>schedule_api</code> to <code>config.yaml</code> and start hil again:</p>
    <pre tabindex="0">schedule_api:
  kind: istentore
  base_url: "https://market.example/api"
  email: "bench"
  password_env: HIL_API_PASSWORD   # the name of an environment variable, never the password
  posting: {enabled: true, transports: [local, remote]}</pre>
    <p class="note"><code>kind: csv_folder</code> takes the plans from files instead. <code>measurement_series</code> of each plant names what is posted.</p>
  </section>
`;

function Connection() {
  const api = snapshot.value.schedule_api;
  const { kind, status } = wish.value;
  const { icon, word } = CONNECTIONS[/** @type {keyof typeof CONNECTIONS} */ (api.connection)];
  const isOff = api.connection === "disconnected";
  const busy = controlsOff.value || (status === "sent" ? "A request to the market API is under way." : "");
  const connectable = busy || (isOff || api.connection === "error" ? "" : `It is ${api.connection} already.`);
  const button = (/** @type {string} */ id, /** @type {string} */ label, /** @type {string} */ reason, /** @type {() => void} */ onPress) => html`
    <${Control} id=${id} label=${label} reason=${reason} cmd=${kind === id ? status : "idle"} onPress=${onPress} />
  `;
  return html`
    <section class="card" aria-labelledby="connection-title">
      <header>
        <h2 id="connection-title">Market API</h2>
        <span class="chip phase ${api.connection === "error" ? "abnormal" : ""}" data-testid="api-connection" data-value=${api.connection}>
          <${Icon} name=${icon} /> ${word}
        </span>
      </header>
      ${api.error && html`<p class="wrong" data-testid="api-error"><${Icon} name="alert" /> ${api.error}</p>`}
      <dl class="facts">
        <div data-testid="last-attempt"><dt>Plan last asked for</dt><dd><${MomentOrNever} at=${api.last_attempt} /></dd></div>
        <div data-testid="last-success"><dt>Plan last received</dt><dd><${MomentOrNever} at=${api.last_success} /></dd></div>
        <div><dt>Times in</dt><dd>${zone}</dd></div>
      </dl>
      <div class="row">
        ${button("connect", "Connect", connectable, () => (asked.value = "password"))}
        ${button("connect-again", "Connect with the held password", connectable, () => follow("connect-again", "Connect", put(PATH, {})))}
        ${button("disconnect", "Disconnect", busy || (isOff ? "It is disconnected already." : ""), () => (asked.value = "disconnect"))}
        <${WishChip} />
      </div>
    </section>
  `;
}

function WishChip() {
  const { word, status, reason } = wish.value;
  if (status === "idle") return html`<span class="cmd" data-testid="wish" data-cmd="idle"></span>`;
  const isWrong = status === "failed";
  return html`
    <span class="cmd ${isWrong ? "wrong" : ""}" data-testid="wish" data-cmd=${status}>
      ${isWrong && html`<${Icon} name="alert" />`}
      <span role="status">${word} ${status}${reason && `: ${reason}`}</span>
      ${isWrong && html`
        <button type="button" class="button plain" aria-label="Dismiss: ${word} failed" onClick=${() => (wish.value = NONE)}><${Icon} name="cross" /></button>
      `}
    </span>
  `;
}

function Plan() {
  const { today, tomorrow } = snapshot.value.schedule_api;
  return html`
    <section class="card" aria-labelledby="plan-title">
      <header><h2 id="plan-title">Plan</h2></header>
      <dl class="facts two"><${Day} word="Today" plan=${today} /><${Day} word="Tomorrow" plan=${tomorrow} /></dl>
      <div class="previews">${plantIds.value.split(" ").map((id) => html`<${PlanPreview} key=${id} id=${id} />`)}</div>
    </section>
  `;
}

/** The questions of this page; beside the page, which rests meanwhile. */
export function Questions() {
  // Who leaves the page has not answered.
  useEffect(() => close, []);
  if (asked.value === "password") return html`<${PasswordQuestion} />`;
  return asked.value === "disconnect" ? html`<${DisconnectQuestion} />` : null;
}

function PasswordQuestion() {
  // The field alone has the password, for as long as the question stands.
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const isMissing = useRef(signal(false)).current;
  const connect = () => {
    const password = field.current?.value ?? "";
    isMissing.value = password === "";
    if (isMissing.value) return field.current?.focus();
    close();
    follow("connect", "Connect", put(PATH, { password }));
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") connect();
  };
  return html`
    <${Dialog} id="password" title="Connect to the market API" focus="input" onClose=${close}>
      <p class="note">The engine keeps the password in memory until it is told to disconnect or ends; this page keeps nothing.</p>
      <label class="field">Password
        <input ref=${field} type="password" autocomplete="off" maxlength=${MAX_PASSWORD} data-testid="password-field"
          aria-invalid=${isMissing.value ? "true" : undefined} onKeyDown=${onKeyDown} />
        ${isMissing.value && html`<span class="wrong" role="status"><${Icon} name="alert" /> Give the password.</span>`}
      </label>
      <div class="row end">
        <button type="button" class="button" data-testid="password-cancel" onClick=${close}>Cancel</button>
        <button type="button" class="button primary" data-testid="password-ok" onClick=${connect}>Connect</button>
      </div>
    <//>
  `;
}

function DisconnectQuestion() {
  const isApi = snapshot.value.source === "api";
  const disconnect = () => {
    close();
    follow("disconnect", "Disconnect", remove(PATH));
  };
  return html`
    <${Dialog} id="disconnecting" title="Disconnect from the market API?" focus="[data-testid=disconnect-cancel]" onClose=${close}>
      <ul>
        <li>No plan is fetched and nothing is posted; samples that wait are kept.</li>
        <li>The password is forgotten: it must be given again to connect.</li>
        ${isApi && html`<li>The source is Market API: the plan that has come is dispatched, and 0 kW where it ends.</li>`}
      </ul>
      <div class="row end">
        <button type="button" class="button" data-testid="disconnect-cancel" onClick=${close}>Cancel</button>
        <button type="button" class="button primary" data-testid="disconnect-ok" onClick=${disconnect}>Disconnect</button>
      </div>
    <//>
  `;
}
