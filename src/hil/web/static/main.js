/** The operator pages: put their parts together and say, on the body, how far they are. */

import { render } from "preact";
import { html } from "htm/preact";
import { effect } from "@preact/signals";
import { AlarmList } from "./alarms.js";
import { Banner } from "./banner.js";
import { PlantCard } from "./card.js";
import { followCommands } from "./commands.js";
import { Confirm } from "./confirm.js";
import { EstopPrompt } from "./estop.js";
import { Logs, logsDrawn } from "./logs.js";
import { Market, MarketQuestions, isMarketDrawn } from "./market.js";
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

/** What each path shows, and whether all of it is drawn. @type {Record<string, { show: any, isDrawn: () => boolean }>} */
const PAGES = {
  "/operate": { show: Operate, isDrawn: () => drawn.value >= plantIds.value.split(" ").filter(Boolean).length },
  "/market": { show: Market, isDrawn: isMarketDrawn },
  "/logs": { show: Logs, isDrawn: () => logsDrawn.value },
};

function Page() {
  if (snapshot.value === null) return html`<p class="empty">Waiting for the engine.</p>`;
  return html`<${PAGES[path.value].show} key=${path.value} />`;
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
  <${MarketQuestions} />
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
  if (snapshot.value === null || !PAGES[path.value].isDrawn()) return;
  document.fonts.ready.then(() => (document.body.dataset.ready = "true"));
});
