/** The further signals of a plant, such as those of its meter: values, and plots on demand. */

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import uPlot from "uplot";
import { number } from "./format.js";
import { History } from "./history.js";
import { held, keepDrawn, options } from "./plot.js";
import { colour } from "./theme.js";

const HEIGHT = 84;

/** Room around the values, and some where they do not change. @type {uPlot.Range.Function} */
const around = (_, low, high) => {
  const [bottom, top] = [low ?? 0, high ?? 0];
  const pad = Math.max((top - bottom) * 0.15, Math.abs(top) * 0.02) || 1;
  return [bottom - pad, top + pad];
};

/** @param {{ id: string, plant: any }} props */
export function ExtraSignals({ id, plant }) {
  const isOpen = useSignal(false);
  const extra = plant.measurement?.extra ?? {};
  const names = Object.keys(extra);
  if (names.length === 0) return null;
  return html`
    <details class="extra" data-testid="extra-${id}"
      onToggle=${(/** @type {any} */ event) => (isOpen.value = event.target.open)}>
      <summary>Further signals (${names.length})</summary>
      <dl class="facts">
        ${names.map(
          (name) => html`
            <div key=${name}><dt>${name}</dt>
              <dd data-testid="extra-${id}-${name}" data-value=${extra[name] ?? ""}>${number(extra[name], 3)}</dd></div>
          `,
        )}
      </dl>
      ${isOpen.value && html`<${Plots} key=${names.join()} id=${id} name=${plant.name} names=${names} />`}
    </details>
  `;
}

/** @param {{ id: string, name: string, names: string[] }} props */
function Plots({ id, name, names }) {
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  const rows = useSignal({ count: 0 });
  useEffect(() => {
    const places = [.../** @type {HTMLDivElement} */ (root.current).children];
    const shown = names.map((signal, k) => ({
      plot: new uPlot(
        options({
          height: HEIGHT,
          sync: id,
          unit: "",
          onCursor: () => undefined,
          range: around,
          series: [{ stroke: () => colour("--series-actual"), width: 2, points: { show: false }, paths: held() }],
        }),
        [[], []],
        /** @type {HTMLElement} */ (places[k].lastElementChild),
      ),
      signals: [signal],
    }));
    const stop = keepDrawn(id, new History(names), shown, rows);
    return () => {
      stop();
      shown.forEach(({ plot }) => plot.destroy());
    };
  }, []);
  return html`
    <div ref=${root}>
      ${names.map(
        (signal) => html`
          <figure class="plots" key=${signal}>
            <figcaption><span>${signal}, last 15 min</span></figcaption>
            <div class="plot" data-testid="plot-${id}-${signal}" role="img" aria-label="${signal} of ${name} over the last 15 minutes"></div>
          </figure>
        `,
      )}
    </div>
  `;
}
