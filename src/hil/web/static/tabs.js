/** The pages of the shell: which one is shown, by its URL, and the links between them. */

import { html } from "htm/preact";
import { effect, signal } from "@preact/signals";

/** Every page, in the order of the tabs; the key that follows "g" opens it. */
export const TABS = [
  { path: "/operate", word: "Operate", key: "o" },
  { path: "/market", word: "API & posting", key: "m" },
  { path: "/logs", word: "Logs", key: "l" },
];

/** How long a "g" waits for its second key. */
const CHORD_MS = 1_500;

const shownPath = () => TABS.find(({ path }) => path === location.pathname)?.path ?? TABS[0].path;

/** The path of the page that is shown. */
export const path = signal(shownPath());

/** @param {URL} target a page of the shell, perhaps with a part of it */
function go(target) {
  history.pushState(null, "", target);
  path.value = shownPath();
  // Plots take their place one frame after the page does, and push down what follows them.
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => reveal(target.hash))));
}

/** Bring a part of the new page into view, or its beginning; the keyboard goes on from there. */
function reveal(/** @type {string} */ hash) {
  const part = hash ? document.getElementById(hash.slice(1)) : null;
  if (part === null) scrollTo(0, 0);
  else part.scrollIntoView();
  (part ?? document.getElementById("main"))?.focus({ preventScroll: true });
}

/** @param {MouseEvent} event */
function onClick(event) {
  const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!isPlain || event.defaultPrevented || link === null || link.target) return;
  const target = new URL(link.href);
  const isOurs = target.origin === location.origin && TABS.some((tab) => tab.path === target.pathname);
  // A part of the page that is shown is the browser's own business.
  if (!isOurs || (target.pathname === location.pathname && target.hash)) return;
  event.preventDefault();
  if (target.pathname !== location.pathname) go(target);
}

/** "g" and then a page's letter, outside of fields and questions; no key sends a command. */
function chords() {
  let until = 0;
  return (/** @type {KeyboardEvent} */ event) => {
    const isTyped = event.target instanceof Element && event.target.closest("input, select, textarea, dialog");
    if (isTyped || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const isSecond = event.timeStamp < until;
    until = event.key === "g" ? event.timeStamp + CHORD_MS : 0;
    const tab = isSecond && TABS.find(({ key }) => key === event.key);
    if (tab && tab.path !== path.peek()) go(new URL(tab.path, location.href));
  };
}

/** Follow links, keys, and the browser's back and forward. */
export function followTabs() {
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", chords());
  addEventListener("popstate", () => (path.value = shownPath()));
}

/** Name the browser's tab: the site, the page, the product. @param {() => string} site */
export function keepTitle(site) {
  const product = document.title;
  effect(() => {
    const { word } = /** @type {any} */ (TABS.find((tab) => tab.path === path.value));
    document.title = [site(), word, product].filter(Boolean).join(" · ");
  });
}

export const Tabs = () => html`
  <nav class="tabs" aria-label="Pages">
    ${TABS.map(({ path: to, word, key }) => html`
      <a href=${to} data-testid="tab-${to.slice(1)}" aria-current=${to === path.value ? "page" : undefined}
        title="${word} (keys: g, then ${key})">${word}</a>
    `)}
  </nav>
`;
