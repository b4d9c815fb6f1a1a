/** The slot below the header: what an operator must know or do first. */

import { html } from "htm/preact";
import { Acknowledge, Moment, Priority, alarms, placeOf, pressing } from "./alarms.js";
import { ask } from "./confirm.js";
import { Control } from "./controls.js";
import { dismissEstop, estopCall } from "./estop.js";
import { clock } from "./format.js";
import { Icon } from "./icon.js";
import { connection, controlsOff, lastHeard, snapshot, zone } from "./state.js";
import { tracked, isUnderWay } from "./commands.js";

export function Banner() {
  const estop = snapshot.value?.estop;
  const call = estopCall.value;
  // The latch has a line of its own; its alarm would only say it twice.
  const alarm = pressing.value.find((one) => one.kind !== "estop" || !estop?.active);
  const isCritical = alarm?.priority === "critical";
  const urgent = [
    call.is === "unconfirmed" && html`<${NotConfirmed} detail=${call.detail} />`,
    call.is === "confirmed" && html`<${Accepted} />`,
    connection.value === "lost" && html`<${Lost} />`,
    estop?.active && html`<${Latched} estop=${estop} />`,
    isCritical && html`<${AlarmLine} key=${alarm.id} alarm=${alarm} />`,
  ].filter(Boolean);
  const other = alarm && !isCritical && html`<${AlarmLine} key=${alarm.id} alarm=${alarm} />`;
  const isEmpty = urgent.length === 0 && !other;
  return html`
    <div class="banners" data-testid=${isEmpty ? undefined : "banner"}>
      <div role="alert">${urgent}</div>
      ${other}
    </div>
  `;
}

function NotConfirmed({ detail = "" }) {
  return html`
    <div class="banner loud" data-testid="banner-unconfirmed">
      <${Icon} name="critical" />
      <p><strong>NOT CONFIRMED - use the hardware stop or <code>hil estop</code></strong> ${detail}</p>
      <button type="button" class="button" onClick=${dismissEstop}>Dismiss</button>
    </div>
  `;
}

function Accepted() {
  return html`
    <div class="banner" data-testid="banner-accepted">
      <${Icon} name="critical" />
      <p><strong>The engine has taken the emergency stop.</strong> This page does not show its effect yet.</p>
      <button type="button" class="button" onClick=${dismissEstop}>Dismiss</button>
    </div>
  `;
}

function Lost() {
  const since = lastHeard.value ? ` since ${clock(lastHeard.value, zone.value)}` : "";
  return html`
    <div class="banner" data-testid="banner-lost">
      <${Icon} name="alert" />
      <p><strong>Connection lost${since}, values are old.</strong> Controls are off, except the emergency stop. The page comes back by itself; if it does not, look whether hil is running.</p>
    </div>
  `;
}

/** @param {{ estop: any }} props */
function Latched({ estop }) {
  const busy = isUnderWay(tracked.value[""]) && tracked.value[""].kind === "fleet-estop-reset";
  return html`
    <div class="banner" data-testid="banner-estop">
      <${Icon} name="critical" />
      <p><strong>Emergency stop</strong> since <${Moment} at=${estop.since} />${estop.by && ` by ${estop.by}`}. Start and Dispatch are refused until it is reset.</p>
      <${Control} id="estop-reset" label="Reset" cmd=${busy ? "sent" : "idle"}
        reason=${controlsOff.value || (busy ? "It is under way already." : "")} onPress=${() => ask("fleet-estop-reset")} />
    </div>
  `;
}

/** @param {{ alarm: any }} props */
function AlarmLine({ alarm }) {
  const more = alarms.value.length - 1;
  return html`
    <div class="banner" data-priority=${alarm.priority} data-testid="banner-alarm">
      <${Priority} alarm=${alarm} />
      <p>
        <strong>${placeOf(alarm)}: ${alarm.text}</strong> <span class="note">since <${Moment} at=${alarm.raised_at} /></span>
        <span class="todo">${alarm.action}</span>
      </p>
      ${more > 0 && html`<a href="/operate#alarms">${more} more</a>`}
      <${Acknowledge} alarm=${alarm} />
    </div>
  `;
}
