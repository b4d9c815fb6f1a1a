/** What surrounds the plants: header, the site's controls, recent commands. */

import { html } from "htm/preact";
import { AlarmCount } from "./alarms.js";
import { CommandChip, Control } from "./controls.js";
import { isUnderWay, tracked, wordOf } from "./commands.js";
import { ask, closedBecause } from "./confirm.js";
import { EstopButton } from "./estop.js";
import { DASH, clock, utc } from "./format.js";
import { Icon, Logo } from "./icon.js";
import { LATCHED, connection, controlsOff, engineNow, siteName, snapshot, zone } from "./state.js";
import { Switch } from "./switches.js";
import { setTheme, theme } from "./theme.js";

export const Header = () => html`
  <header class="top">
    <${Logo} />
    <strong class="site">${siteName}</strong>
    <${SiteClock} />
    <${ConnectionChip} />
    <${AlarmCount} />
    <label class="theme">Theme
      <select value=${theme} onChange=${(/** @type {any} */ event) => setTheme(event.target.value)}>
        <option value="system">System</option><option value="light">Light</option><option value="dark">Dark</option>
      </select>
    </label>
    <${EstopButton} />
  </header>
`;

function SiteClock() {
  if (!snapshot.value) return html`<time>${DASH}</time>`;
  const ms = engineNow.value;
  return html`
    <time title=${utc(ms)} data-testid="clock">${clock(ms, zone.value)} <span>${zone}</span></time>
  `;
}

const CONNECTIONS = {
  live: { icon: "dot", word: "Live" },
  connecting: { icon: "ring", word: "Connecting" },
  lost: { icon: "alert", word: "Connection lost" },
};

function ConnectionChip() {
  const { icon, word } = CONNECTIONS[connection.value];
  return html`
    <span class="chip ${connection.value === "lost" ? "critical" : ""}" data-testid="conn" data-value=${connection.value}>
      <${Icon} name=${icon} /> ${word}
    </span>
  `;
}

/** @param {string} kind */
function fleetReason(kind) {
  const plants = /** @type {any[]} */ (Object.values(snapshot.value.plants));
  const own = tracked.value[""];
  // A stop goes ahead of whatever is under way, so that only another one keeps it from being sent.
  if (isUnderWay(own) && (kind !== "fleet-stop" || own.kind === kind)) {
    return "A command for all plants is under way.";
  }
  if (kind === "fleet-stop") {
    const idle = plants.every((plant) => plant.phase === "stopped" && !plant.recording);
    return idle ? "All plants are stopped." : "";
  }
  if (snapshot.value.estop.active) return LATCHED;
  if (snapshot.value.switching) return `The ${snapshot.value.switching.kind} is being switched.`;
  const isOn = plants.every((plant) => plant.phase === "running" || !plant.in_service);
  return isOn ? "Every plant in service is running." : "";
}

export function SiteBar() {
  const { commands } = snapshot.value;
  const button = (/** @type {string} */ kind, /** @type {string} */ label) => html`
    <${Control} id=${kind} label=${label} reason=${controlsOff.value || fleetReason(kind)}
      cmd=${tracked.value[""]?.kind === kind ? tracked.value[""].status : "idle"} onPress=${() => ask(kind)} />
  `;
  return html`
    <section class="sitebar" aria-label="Site">
      <${Switch} kind="source" />
      <${Switch} kind="transport" />
      <span class="chip" data-testid="queue" data-value=${commands.queued.length}>Queue <b>${commands.queued.length}</b></span>
      <span class="spring"></span>
      <${CommandChip} plant=${null} />
      ${closedBecause.value && html`<span class="note" role="status">${closedBecause}</span>`}
      ${button("fleet-start", "Start all")} ${button("fleet-stop", "Stop all")}
    </section>
  `;
}

/** Commands shown below the plants; the audit trail has the rest. */
const RECENT_SHOWN = 8;

export function Recent() {
  const { commands, plants } = snapshot.value;
  const recent = commands.recent.slice(0, RECENT_SHOWN);
  if (recent.length === 0) return null;
  return html`
    <section class="recent" aria-labelledby="recent-title">
      <h2 id="recent-title">Recent commands <span class="note">times in ${zone}</span></h2>
      <ol>
        ${recent.map((/** @type {any} */ one) => html`
          <li key=${one.id}>
            <time title=${utc(Date.parse(one.queued_at))}>${clock(Date.parse(one.queued_at), zone.value)}</time>
            <span>${wordOf(one.kind, one.asked)}${one.plant && ` ${plants[one.plant]?.name ?? one.plant}`}${one.asked?.force && ", forced"}${one.asked?.note && `: ${one.asked.note}`}</span>
            <span class=${one.status === "done" ? "" : "wrong"}>
              ${one.status !== "done" && html`<${Icon} name="alert" />`} ${one.status}${one.error ? `: ${one.error}` : ""}
            </span>
            <span class="note">by ${one.by}</span>
          </li>
        `)}
      </ol>
    </section>
  `;
}

export const Footer = () => html`
  <footer class="bottom note">
    <span>HIL Scheduler ${snapshot.value?.engine.version ?? ""}</span>
    <span>Times in ${zone}; P above 0 is discharging.</span>
    <a href="/api/docs">HTTP API</a>
  </footer>
`;
