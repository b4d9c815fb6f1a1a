/** The operator pages: put their parts together and say, on the body, how far they are. */

import { render } from "preact";
import { html } from "htm/preact";
import { effect, signal } from "@preact/signals";
import { AlarmList } from "./alarms.js";
import { Banner } from "./banner.js";
import { PlantCard } from "./card.js";
import { followCommands } from "./commands.js";
import { Confirm } from "./confirm.js";
import { EstopPrompt } from "./estop.js";
import { drawn } from "./plot.js";
import { Footer, Header, Recent, SiteBar } from "./shell.js";
import { connection, plantIds, siteName, snapshot } from "./state.js";
import { start } from "./stream.js";
import { TABS, Tabs, followTabs, keepTitle, path } from "./tabs.js";

function Operate() {
  const ids = plantIds.value;
  return html`
    <${SiteBar} />
    <div class="cards">${ids.split(" ").map((id) => html`<${PlantCard} key=${id} id=${id} />`)}</div>
    <${AlarmList} />
    <${Recent} />
  `;
}

/**
 * @typedef {object} Shown
 * @property {any} Content
 * @property {any} [Questions] what it asks, in front of the page
 * @property {() => boolean} isDrawn
 */

/** Pages other than the first are fetched when they are opened. @type {Record<string, () => Promise<Shown>>} */
const OTHERS = {
  "/market": () => import("./market.js"),
  "/logs": () => import("./logs.js"),
};

/** The pages that have been fetched, by their path. */
const pages = signal(
  /** @type {Record<string, Shown>} */ ({
    "/operate": {
      Content: Operate,
      isDrawn: () => drawn.value >= plantIds.value.split(" ").filter(Boolean).length,
    },
  }),
);

/** Whether the newest page could not be fetched; it is tried again with the connection. */
const isMissing = signal(false);

effect(() => {
  const to = path.value;
  if (pages.peek()[to] || connection.value === "lost") return;
  OTHERS[to]().then(
    (page) => {
      pages.value = { ...pages.peek(), [to]: page };
      isMissing.value = false;
    },
    () => (isMissing.value = true),
  );
});

function Page() {
  const page = pages.value[path.value];
  if (page && snapshot.value !== null) return html`<${page.Content} key=${path.value} />`;
  if (page || !isMissing.value) return html`<p class="empty">${page ? "Waiting for the engine." : "Loading this page."}</p>`;
  return html`<p class="empty wrong" role="status">This page cannot be fetched from the server. Check that hil is running, then reload.</p>`;
}

function Questions() {
  const { Questions: Own } = pages.value[path.value] ?? {};
  return Own ? html`<${Own} />` : null;
}

const App = () => html`
  <a class="skip" href="#main">Skip to the content</a>
  <${Header} />
  <${Tabs} />
  <${Banner} />
  <main id="main" tabindex="-1" data-stale=${String(connection.value === "lost")}>
    <h1 class="hidden">${TABS.find((tab) => tab.path === path.value)?.word}</h1>
    <${Page} />
  </main>
  <${Footer} />
  <${Confirm} />
  <${Questions} />
  <${EstopPrompt} />
`;

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
followCommands();
followTabs();
start();

keepTitle(() => siteName.value);
effect(() => {
  if (snapshot.value !== null) document.body.dataset.seq = String(snapshot.value.seq);
});
effect(() => {
  if (snapshot.value === null || !pages.value[path.value]?.isDrawn()) return;
  document.fonts.ready.then(() => (document.body.dataset.ready = "true"));
});
