/** The site's two switches: where schedules come from, and which plants are spoken to. */

import { html } from "htm/preact";
import { isUnderWay, tracked, valueWord } from "./commands.js";
import { ask } from "./confirm.js";
import { Control } from "./controls.js";
import { Icon } from "./icon.js";
import { controlsOff, snapshot } from "./state.js";

const SWITCHES = {
  source: { label: "Source", choices: ["manual", "api"] },
  transport: { label: "Transport", choices: ["local", "remote"] },
};

/** @param {{ kind: "source" | "transport" }} props */
export function Switch({ kind }) {
  const { label, choices } = SWITCHES[kind];
  const { [kind]: present, switching } = snapshot.value;
  const own = tracked.value[""];
  const to = switching?.kind === kind ? switching.to : null;
  const reason = (/** @type {string} */ choice) => {
    if (controlsOff.value) return controlsOff.value;
    if (switching) return `The ${switching.kind} is being switched.`;
    if (isUnderWay(own)) return "A command for all plants is under way.";
    return choice === present ? `${label} is ${valueWord(choice)} already.` : "";
  };
  return html`
    <div class="switch" role="group" aria-label=${label} data-testid=${kind} data-value=${present} data-switching=${to ?? ""}>
      <span class="label">${label}</span>
      <span class="segments">
        ${choices.map((choice) => html`
          <${Control} id="${kind}-${choice}" label=${valueWord(choice)} reason=${reason(choice)}
            isPressed=${choice === present} onPress=${() => ask(kind, null, { to: choice })} />
        `)}
      </span>
      ${to && html`<span class="chip" role="status"><${Icon} name="ring" /> switching to <b>${valueWord(to)}</b></span>`}
    </div>
  `;
}
