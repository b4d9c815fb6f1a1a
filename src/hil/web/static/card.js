/** One plant: what it does, why, and what can be asked of it. */

import { html } from "htm/preact";
import { useComputed, useSignal } from "@preact/signals";
import { ask } from "./confirm.js";
import { CommandButton, CommandChip, Control } from "./controls.js";
import { dayAndTime, direction, duration, minutes, number, utc } from "./format.js";
import { Icon } from "./icon.js";
import { OverrideLine, QuickSetpoint } from "./override.js";
import { ExtraSignals } from "./extra.js";
import { PlantPlots } from "./plot.js";
import { LATCHED, controlsOff, engineNow, isOld, snapshot, zone } from "./state.js";
import { Upload } from "./upload.js";

const ORIGINS = {
  manual: "manual schedule",
  api: "market API",
  override: "override",
  stale: "stale schedule: 0 kW",
  none: "no schedule",
  safe_stop: "safe stop",
};
const LIMITS = {
  deadband: "deadband",
  nameplate: "nameplate",
  pq_circle: "PQ circle",
  soc: "SoC",
  soc_unknown: "SoC unknown",
  ramp: "ramp",
};
const ABNORMAL_WRITES = ["clamped", "lost", "refused", "unknown"];
const ABNORMAL_ORIGINS = ["stale"];

/** @param {{ id: string }} props */
export function PlantCard({ id }) {
  const state = useComputed(() => snapshot.value?.plants[id]);
  const old = useComputed(() => isOld(id, state.value?.measurement ?? null));
  const plant = state.value;
  if (!plant) return null;
  const isStale = plant.link.status !== "ok" || old.value;
  return html`
    <article class="card" data-testid="plant-${id}" data-stale=${String(isStale)} aria-labelledby="name-${id}">
      <header>
        <h2 id="name-${id}">${plant.name}</h2>
        ${!plant.in_service && html`<span class="chip abnormal"><${Icon} name="alert" /> out of service</span>`}
        <${Age} plant=${plant} isStale=${isStale} />
        <${PhaseChip} phase=${plant.phase} dispatching=${plant.dispatching} />
      </header>
      <${Power} plant=${plant} />
      <${Facts} plant=${plant} />
      <div class="row controls">
        <${Buttons} id=${id} plant=${plant} />
        <${CommandChip} plant=${id} />
      </div>
      <${OverrideLine} id=${id} setpoint=${plant.setpoint} />
      <${PlantPlots} id=${id} name=${plant.name} plate=${plant.limits} />
      <${ExtraSignals} id=${id} plant=${plant} />
      <${CardFooter} id=${id} plant=${plant} />
    </article>
  `;
}

/** @param {{ id: string, plant: any }} props */
function CardFooter({ id, plant }) {
  const isOpen = useSignal(false);
  const { in_service: inService, name, setpoint } = plant;
  return html`
    <footer class="row">
      <${Upload} plant=${id} name=${name} />
      <${Control} id="btn-quick" label="Quick setpoint" reason=${controlsOff.value} isOpen=${isOpen.value}
        onPress=${() => (isOpen.value = !isOpen.value)} />
      <span class="spring"></span>
      <${Control} id="btn-service" kind="quiet" label=${inService ? "Take out of service" : "Put into service"} reason=${controlsOff.value}
        onPress=${() => ask("service", id, { in_service: !inService })} />
      <${Next} setpoint=${setpoint} />
      ${isOpen.value && html`<${QuickSetpoint} id=${id} plant=${plant} close=${() => (isOpen.value = false)} />`}
    </footer>
  `;
}

/** @param {{ phase: string, dispatching: boolean }} props */
function PhaseChip({ phase, dispatching }) {
  const paused = phase === "running" && !dispatching;
  const name = phase === "unknown" ? "question" : phase === "stopped" ? "ring" : "dot";
  return html`
    <span class="chip phase" data-testid="phase" data-phase=${phase}>
      <${Icon} name=${name} /> ${phase}${paused ? ", paused" : ""}
    </span>
  `;
}

/** How old the values are, when they are not of now. @param {{ plant: any, isStale: boolean }} props */
function Age({ plant, isStale }) {
  if (!isStale) return null;
  const { measurement } = plant;
  const age = measurement && (engineNow.value - Date.parse(measurement.time)) / 1000;
  const text = measurement ? `old ${duration(age)}` : "no values yet";
  return html`<span class="chip abnormal" data-testid="age"><${Icon} name="alert" /> ${text}</span>`;
}

/** @param {{ plant: any }} props */
function Power({ plant }) {
  const { measurement, setpoint, limits } = plant;
  const p = measurement?.p_poi_kw ?? null;
  const soc = measurement?.soc_pu ?? null;
  const energy = soc === null ? null : soc * limits.capacity_kwh;
  return html`
    <div class="heroes">
      <div class="hero">
        <span class="label">Active power</span>
        <span class="value"><b data-testid="p-poi" data-value=${p ?? ""}>${number(p, 1, { signed: true })}</b> kW</span>
        <span class="note">${direction(p) || (p === null ? "unknown" : "no flow")}</span>
        <${Setpoint} setpoint=${setpoint} />
      </div>
      <div class="hero">
        <span class="label">State of charge</span>
        <span class="value"><b data-testid="soc" data-value=${soc ?? ""}>${number(soc === null ? null : soc * 100, 1)}</b> %</span>
        <span class="note">${number(energy, 0)} of ${number(limits.capacity_kwh, 0)} kWh</span>
        <span class="bar" aria-hidden="true"><span style=${{ width: `${Math.min(100, (soc ?? 0) * 100)}%` }}></span></span>
      </div>
    </div>
  `;
}

/** @param {{ setpoint: any }} props */
function Setpoint({ setpoint }) {
  const { p_kw: p, requested_p_kw: asked, write } = setpoint;
  const isWrong = ABNORMAL_WRITES.includes(write.status);
  const readback = write.readback_p_kw === null ? "" : `, device holds ${number(write.readback_p_kw, 1, { signed: true })} kW`;
  return html`
    <span class="note">set <b data-testid="p-set" data-value=${p ?? ""}>${number(p, 1, { signed: true })}</b> kW${asked !== null && asked !== p && html`<span>, asked ${number(asked, 1, { signed: true })} kW</span>`}
      ${write.status !== "none" && html`,${" "}
        <span class=${isWrong ? "wrong" : ""} data-testid="write" data-value=${write.status}>
          ${isWrong && html`<${Icon} name="alert" />${" "}`}${write.status}${isWrong ? readback : ""}
        </span>
      `}
    </span>
  `;
}

/** @param {{ plant: any }} props */
function Facts({ plant }) {
  const { measurement, setpoint, link, session } = plant;
  const { discharged, charged } = measurement?.energy_since_start_kwh ?? {};
  const q = measurement?.q_poi_kvar ?? null;
  const limited = setpoint.limited_by.map((/** @type {keyof typeof LIMITS} */ one) => LIMITS[one] ?? one);
  const staleOrigin = ABNORMAL_ORIGINS.includes(setpoint.origin);
  return html`
    <dl class="facts">
      <${Fact} name="Reactive power" id="q-poi" raw=${q}>${number(q, 1, { signed: true })} kvar<//>
      <${Fact} name="Voltage" id="v-poi" raw=${measurement?.v_poi_kV}>${number(measurement?.v_poi_kV, 3)} kV<//>
      <${Fact} name="Energy since start" raw=${discharged}>
        ${number(discharged, 1)} out, ${number(charged, 1)} in kWh
      <//>
      <${Fact} name="Link" id="link" raw=${link.status}><${LinkWords} link=${link} /><//>
      <${Fact} name="Origin" id="origin" raw=${setpoint.origin}>
        <span class=${staleOrigin ? "wrong" : ""}>
          ${staleOrigin && html`<${Icon} name="alert" />`}
          ${ORIGINS[/** @type {keyof typeof ORIGINS} */ (setpoint.origin)] ?? setpoint.origin}
        </span>
      <//>
      <${Fact} name="Limited by" id="limited-by" raw=${setpoint.limited_by.join(" ")}>
        ${limited.join(", ") || "nothing"}
      <//>
      <${Fact} name="Recording" id="recording" raw=${plant.recording} wide>
        ${plant.recording ? html`<${Session} session=${session} />` : "off"}
      <//>
    </dl>
  `;
}

/** @param {{ name: string, id?: string, raw: any, wide?: boolean, children?: any }} props */
function Fact({ name, id, raw, wide = false, children }) {
  return html`
    <div class=${wide ? "wide" : ""}><dt>${name}</dt>
      <dd data-testid=${id} data-value=${raw === null || raw === undefined ? "" : String(raw)}>${children}</dd></div>
  `;
}

/** @param {{ session: any }} props */
function Session({ session }) {
  if (!session) return "on";
  const since = Date.parse(session.since);
  return html`<span title=${utc(since)}>on since ${minutes(since, zone.value)} to ${session.file}</span>`;
}

/** @param {{ link: any }} props */
function LinkWords({ link }) {
  const { status, consecutive_failures: failures, last_error: error } = link;
  if (status === null) return "not tried yet";
  if (status === "ok") return "ok";
  return html`
    <span class="wrong" title=${error}>
      <${Icon} name="alert" /> ${status}${failures > 1 ? ` ×${failures}` : ""}
    </span>
    ${error && html`<span class="detail">${error}</span>`}
  `;
}

/** @param {{ setpoint: any }} props */
function Next({ setpoint }) {
  const { next, origin } = setpoint;
  if (next) {
    const at = Date.parse(next.at);
    return html`
      <span class="note" title=${utc(at)} data-testid="next" data-value=${next.p_kw}>
        Next ${dayAndTime(at, zone.value)}: ${number(next.p_kw, 1, { signed: true })} kW
      </span>
    `;
  }
  return origin === "none" && html`<span class="note">No schedule in force: load a CSV to give one.</span>`;
}

/** @param {{ id: string, plant: any }} props */
function Buttons({ id, plant }) {
  const { phase, dispatching, recording, in_service: inService } = plant;
  const name = plant.name;
  const latched = snapshot.value.estop.active ? LATCHED : "";
  const isOn = ["starting", "running", "stopping"].includes(phase);
  const start =
    latched ||
    (!inService && `${name} is out of service: put it into service first.`) ||
    (phase === "unknown" && `${name} is in an unknown state: stop it first.`) ||
    (isOn && `${name} is ${phase}.`) ||
    "";
  const stop = phase === "stopped" ? `${name} is stopped.` : "";
  const toggle = dispatching ? "pause" : "dispatch";
  const gate = (!dispatching && latched) || (phase === "running" ? "" : `${name} must be running.`);
  const record = recording ? "stop-recording" : "record";
  return html`
    <${CommandButton} kind="start" plant=${id} impossible=${start} />
    <${CommandButton} kind="stop" plant=${id} impossible=${stop} />
    <${CommandButton} kind=${toggle} plant=${id} impossible=${gate} />
    <${CommandButton} kind=${record} plant=${id} impossible="" />
  `;
}
