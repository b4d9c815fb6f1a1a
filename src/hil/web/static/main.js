/** The operator page: puts its parts together and says, on the body, how far it is. */

import { render } from "preact";
import { html } from "htm/preact";
import { effect } from "@preact/signals";
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

const title = document.title;

function Operate() {
  const ids = plantIds.value;
  if (snapshot.value === null) return html`<p class="empty">Waiting for the engine.</p>`;
  return html`
    <${SiteBar} />
    <div class="cards">${ids.split(" ").map((id) => html`<${PlantCard} key=${id} id=${id} />`)}</div>
    <${AlarmList} />
    <${Recent} />
  `;
}

const App = () => html`
  <a class="skip" href="#main">Skip to the plants</a>
  <${Header} />
  <${Banner} />
  <main id="main" tabindex="-1" data-stale=${String(connection.value === "lost")}>
    <h1 class="hidden">Operate</h1>
    <${Operate} />
  </main>
  <${Footer} />
  <${Confirm} />
  <${EstopPrompt} />
`;

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
followCommands();
start();

effect(() => {
  if (siteName.value) document.title = `${siteName.value} · ${title}`;
});
effect(() => {
  if (snapshot.value !== null) document.body.dataset.seq = String(snapshot.value.seq);
});
effect(() => {
  const count = plantIds.value.split(" ").filter(Boolean).length;
  if (snapshot.value === null || drawn.value < count) return;
  document.fonts.ready.then(() => (document.body.dataset.ready = "true"));
});
