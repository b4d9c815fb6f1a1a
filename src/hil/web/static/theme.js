/** The theme: the system's, light or dark; kept on this machine. */

import { signal } from "@preact/signals";

const KEY = "theme";

/** "system", "light" or "dark". */
export const theme = signal(document.documentElement.dataset.theme ?? "system");

/** Counts changes of the colours, so that canvases draw anew. */
export const colourChanges = signal(0);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colourChanges.value += 1;
});

/** @param {string} wanted */
export function setTheme(wanted) {
  if (wanted === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // Storage is off: the choice holds until the page is left.
  }
  theme.value = wanted;
  colourChanges.value += 1;
}

/**
 * The colour of a token, as it is now.
 * @param {string} name
 */
export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
