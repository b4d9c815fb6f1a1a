/** Buttons that ask for something, and the chip that says what became of it. */

import { html } from "htm/preact";
import { useId } from "preact/hooks";
import { dismiss, isUnderWay, send, shownCommand, tracked, wordOf } from "./commands.js";
import { duration } from "./format.js";
import { Icon } from "./icon.js";
import { controlsOff, engineNow } from "./state.js";

/**
 * A button that always can be reached; when it cannot act now, its reason stands beside it.
 * @param {{ id: string, label: any, reason: string, cmd?: string, kind?: string,
 *   isPressed?: boolean, isOpen?: boolean, onPress: () => void }} props
 */
export function Control({ id, label, reason, cmd = "idle", kind = "", isPressed, isOpen, onPress }) {
  const why = useId();
  return html`
    <span class="control">
      <button type="button" class="button ${kind}" data-testid=${id} data-cmd=${cmd}
        aria-pressed=${isPressed === undefined ? undefined : String(isPressed)}
        aria-expanded=${isOpen === undefined ? undefined : String(isOpen)}
        aria-disabled=${reason ? "true" : undefined} aria-describedby=${reason ? why : undefined}
        onClick=${() => reason || onPress()}>${label}</button>
      ${reason && html`<span class="why" id=${why}>${reason}</span>`}
    </span>
  `;
}

/**
 * A button that sends one command of a plant at once.
 * @param {{ kind: string, plant: string, impossible: string, label?: any }} props
 */
export function CommandButton({ kind, plant, impossible, label = wordOf(kind) }) {
  const own = tracked.value[plant];
  const mine = own?.kind === kind ? own : undefined;
  const busy = isUnderWay(mine) ? "It is under way already." : "";
  return html`<${Control} id="btn-${kind}" label=${label} cmd=${mine?.status ?? "idle"}
    reason=${controlsOff.value || busy || impossible} onPress=${() => send(kind, plant)} />`;
}

const STATUS_WORDS = { sent: "sent", queued: "queued", running: "running", done: "done" };

/**
 * What became of the newest command: of a plant, or of the whole site (null).
 * @param {{ plant: string | null }} props
 */
export function CommandChip({ plant }) {
  const one = shownCommand(plant);
  if (!one) return html`<span class="cmd" data-testid="cmd" data-cmd="idle"></span>`;
  const { kind, asked, status, reason, since, by } = one;
  const word = wordOf(kind, asked);
  const isWrong = status === "failed" || status === "rejected";
  const elapsed = since && isUnderWay(one) ? (engineNow.value - Date.parse(since)) / 1000 : null;
  return html`
    <span class="cmd ${isWrong ? "wrong" : ""}" data-testid="cmd" data-cmd=${status}>
      ${isWrong && html`<${Icon} name="alert" />`}
      <span role="status">${word} ${isWrong ? status : STATUS_WORDS[status]}${isWrong && reason ? `: ${reason}` : ""}</span>
      ${elapsed !== null && html`<span>${duration(elapsed)}</span>`}
      ${by && html`<span>by ${by}</span>`}
      ${isWrong && html`
        <button type="button" class="button plain" onClick=${() => dismiss(plant)}
          aria-label="Dismiss: ${word} ${status}"><${Icon} name="cross" /></button>
      `}
    </span>
  `;
}
