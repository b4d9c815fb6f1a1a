/** The emergency stop: held for 0.8 s, or pressed and confirmed; it needs no picture and no stream. */

import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { effect, signal } from "@preact/signals";
import { makeWay, post } from "./api.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";
import { now } from "./now.js";
import { snapshot } from "./state.js";

const HOLD_MS = 800;
/** A press that ends before this is a click; one that ends later was a hold, given up. */
const CLICK_MS = 400;
const CONFIRM_MS = 3_000;
/** An attempt that failed is repeated after this, while there is time to confirm it. */
const AGAIN_MS = 300;
const HINT_MS = 4_000;

/**
 * @typedef {object} Call
 * @property {"idle" | "sent" | "confirmed" | "unconfirmed"} is
 * @property {string} detail why it is not confirmed
 * @property {number | null} seq of the picture that stood when it was sent
 */

/** @type {Call} */
const IDLE = { is: "idle", detail: "", seq: null };

/** What became of the stop that this page sent. */
export const estopCall = signal(IDLE);
const prompted = signal(false);
const hint = signal("");

export const dismissEstop = () => (estopCall.value = IDLE);

/** Send the stop; say so when nobody has taken it within 3 s. */
export async function stopAll() {
  const seq = snapshot.peek()?.seq ?? null;
  const until = now() + CONFIRM_MS;
  estopCall.value = { is: "sent", detail: "", seq };
  setTimeout(() => {
    if (estopCall.peek().is === "sent") estopCall.value = { ...estopCall.peek(), is: "unconfirmed" };
  }, CONFIRM_MS);
  makeWay();
  while (now() < until) {
    const answer = await post("/fleet/estop");
    if (answer.ok) {
      estopCall.value = { is: "confirmed", detail: "", seq };
      return;
    }
    if (estopCall.peek().is !== "confirmed") {
      estopCall.value = { ...estopCall.peek(), detail: answer.detail };
    }
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

// A newer picture with the latch on says it better than the answer does.
effect(() => {
  const { is, seq } = estopCall.value;
  const picture = snapshot.value;
  if (is !== "idle" && picture?.estop.active && picture.seq !== seq) dismissEstop();
});

/** Follows one press from its begin to its end. */
class Press {
  /** @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;
  #began = 0;
  /** The click that follows this press means nothing. */
  skipsClick = false;
  isHeld = signal(false);

  /** @param {number} at ms, of the event */
  begin(at) {
    this.cancel();
    hint.value = "";
    this.#began = at;
    this.skipsClick = false;
    this.isHeld.value = true;
    this.#timer = setTimeout(() => {
      this.cancel();
      this.skipsClick = true;
      stopAll();
    }, HOLD_MS);
  }

  /** @param {number} at ms, of the event @returns {boolean} whether it was a click */
  end(at) {
    if (this.#timer === null) return false;
    this.cancel();
    this.skipsClick = at - this.#began >= CLICK_MS;
    if (this.skipsClick) {
      hint.value = "Released too early: nothing was sent. Hold for 0.8 s.";
      setTimeout(() => (hint.value = ""), HINT_MS);
    }
    return !this.skipsClick;
  }

  cancel() {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.isHeld.value = false;
  }
}

export function EstopButton() {
  const press = useRef(/** @type {Press | null} */ (null));
  press.current ??= new Press();
  const one = press.current;
  const prompt = () => (prompted.value = true);
  const onPointerDown = (/** @type {any} */ event) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId); // a hand that slips still holds
    one.begin(event.timeStamp);
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.type === "keydown") one.skipsClick = false;
    if (event.key !== " ") return;
    event.preventDefault(); // a release would click
    if (event.type === "keyup") {
      if (one.end(event.timeStamp)) prompt();
    } else if (!event.repeat) one.begin(event.timeStamp);
  };
  const { is } = estopCall.value;
  return html`
    <div class="estop">
      <button type="button" class="stop" data-testid="estop" data-cmd=${is} data-held=${String(one.isHeld.value)}
        aria-label="Emergency stop. Hold: stop and disable all plants" aria-describedby="estop-caption"
        onPointerDown=${onPointerDown} onPointerUp=${(/** @type {any} */ event) => one.end(event.timeStamp)}
        onPointerCancel=${() => one.cancel()} onBlur=${() => one.cancel()}
        onContextMenu=${(/** @type {any} */ event) => event.preventDefault()}
        onKeyDown=${onKey} onKeyUp=${onKey} onClick=${() => one.skipsClick || prompt()}>
        <span class="fill" aria-hidden="true"></span>
        <span class="words"><${Icon} name="critical" /> ${is === "sent" ? "Stop sent" : "HOLD: STOP + DISABLE ALL"}</span>
      </button>
      <span class="caption" id="estop-caption">Software stop; does not replace the hardware emergency stop</span>
      <span class="hint" role="status" data-testid="estop-hint">${hint}</span>
    </div>
  `;
}

/** The two-button prompt that a plain click or tap opens. */
export function EstopPrompt() {
  if (!prompted.value) return null;
  const close = () => (prompted.value = false);
  const confirm = () => {
    close();
    stopAll();
  };
  // The focus is on the stop, not on Cancel: here the quick answer is the safe one.
  return html`
    <${Dialog} id="estop-prompt" title="Stop and disable all plants now?" focus=".stop" onClose=${close}>
      <p>Writes zero and disables every plant at once, ahead of everything else. Start and Dispatch stay refused until the stop is reset.</p>
      <p class="note">This is a software stop. It does not replace the hardware emergency stop.</p>
      <div class="row end">
        <button type="button" class="button" data-testid="estop-cancel" onClick=${close}>Cancel</button>
        <button type="button" class="stop now" data-testid="estop-now" onClick=${confirm}>
          <span class="words"><${Icon} name="critical" /> Stop and disable all</span>
        </button>
      </div>
    <//>
  `;
}
