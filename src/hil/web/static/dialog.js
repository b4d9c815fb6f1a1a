/** A question in front of the page that leaves the header, and so the emergency stop, usable. */

import { html } from "htm/preact";
import { useLayoutEffect, useRef } from "preact/hooks";

let open = 0;

/** @param {1 | -1} change */
function count(change) {
  open += change;
  const main = document.getElementById("main");
  if (main) main.inert = open > 0;
}

/**
 * Not modal: a modal dialog would disable everything else, the emergency stop included. What it asks
 * about lies in `main`, which rests meanwhile. `focus` is the CSS selector of what gets the focus.
 * @param {{ id: string, title: string, focus: string, onClose: () => void, children?: any }} props
 */
export function Dialog({ id, title, focus, onClose, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    count(1);
    dialog.current?.show();
    /** @type {HTMLElement | null} */ (dialog.current?.querySelector(focus) ?? null)?.focus();
    return () => {
      count(-1);
      before?.focus();
    };
  }, []);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") onClose();
  };
  return html`
    <div class="backdrop"></div>
    <dialog ref=${dialog} data-testid=${id} aria-labelledby="${id}-title" onKeyDown=${onKeyDown}>
      <h2 id="${id}-title">${title}</h2>
      ${children}
    </dialog>
  `;
}
