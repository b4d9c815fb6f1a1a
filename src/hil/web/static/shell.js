/** What surrounds the plants: header, banner, the site's chips and controls, recent commands. */

import { html } from "htm/preact";
import { CommandChip, Control } from "./controls.js";
import { isUnderWay, tracked, wordOf } from "./commands.js";
import { ask, closedBecause } from "./confirm.js";
import { DASH, clock, utc } from "./format.js";
import { Icon, Logo } from "./icon.js";
import { connection, controlsOff, engineNow, lastHeard, siteName, snapshot, zone } from "./state.js";
import { setTheme, theme } from "./theme.js";

export const Header = () => html`
  <header class="top">
    <${Logo} />
    <strong class="site">${siteName}</strong>
    <${SiteClock} />
    <${ConnectionChip} />
    <label class="theme">Theme
      <select value=${theme} onChange=${(/** @type {any} */ event) => setTheme(event.target.value)}>
        <option value="system">System</option><option value="light">Light</option><option value="dark">Dark</option>
      </select>
    </label>
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

export function Banner() {
  if (connection.value !== "lost") return html`<div role="alert"></div>`;
  const since = lastHeard.value ? ` since ${clock(lastHeard.value, zone.value)}` : "";
  return html`
    <div role="alert">
      <p class="banner" data-testid="banner">
        <${Icon} name="alert" />
        <span><strong>Connection lost${since}, values are old.</strong> Controls are off. The page comes back by itself; if it does not, look whether hil is running.</span>
      </p>
    </div>
  `;
}

/** @param {string} kind */
function fleetReason(kind) {
  const plants = /** @type {any[]} */ (Object.values(snapshot.value.plants));
  if (isUnderWay(tracked.value[""])) return "A command for all plants is under way.";
  if (kind === "fleet-stop") {
    const idle = plants.every((plant) => plant.phase === "stopped" && !plant.recording);
    return idle ? "All plants are stopped." : "";
  }
  const isOn = plants.every((plant) => plant.phase === "running" || !plant.in_service);
  return isOn ? "Every plant in service is running." : "";
}

export function SiteBar() {
  const { source, transport, commands } = snapshot.value;
  const button = (/** @type {string} */ kind, /** @type {string} */ label) => html`
    <${Control} id=${kind} label=${label} reason=${controlsOff.value || fleetReason(kind)}
      cmd=${tracked.value[""]?.kind === kind ? tracked.value[""].status : "idle"} onPress=${() => ask(kind)} />
  `;
  return html`
    <section class="sitebar" aria-label="Site">
      <span class="chip" data-testid="source" data-value=${source}>Source <b>${source === "api" ? "market API" : source}</b></span>
      <span class="chip" data-testid="transport" data-value=${transport}>Transport <b>${transport}</b></span>
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
            <span>${one.plant ? `${wordOf(one.kind)} ${plants[one.plant]?.name ?? one.plant}` : wordOf(one.kind)}</span>
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
