/** The next character as bars: pale for all probabilities, solid for those that the runtime draws with. */

import { make, part } from "./dom.js";
import { distribution } from "./sampling.js";
import { percent, tokenName, visible } from "./text.js";

/** @typedef {import("./types.js").Facts} Facts */

/** Largest vocabulary in the order of tokens. A larger one is sorted by probability. */
const MOST_IN_ORDER = 48;

/**
 * Shows the bars.
 * @param {Facts} facts
 * @param {Float32Array} logits
 * @param {number} temperature in thousandths
 * @param {number} top_k
 * @param {number} taken token that comes next in the word
 */
export function showBars(facts, logits, temperature, top_k, taken) {
  const bars = part("bars", HTMLElement);
  const pale = distribution(logits, 1000, 0);
  const solid = distribution(logits, temperature, top_k);
  const byProbability = pale.map((_, token) => token).sort((a, b) => pale[b] - pale[a] || a - b);
  const order = pale.length > MOST_IN_ORDER ? byProbability : pale.map((_, token) => token);
  const largest = Math.max(...pale, ...solid);
  if (bars.children.length !== order.length) {
    const one = () => make("span", { class: "bar" }, make("small", {}), make("i", {}), make("i", {}), make("b", {}));
    bars.replaceChildren(...order.map(one));
    bars.style.setProperty("--bars", `${order.length}`);
    // A large vocabulary is wider than the page: the keyboard scrolls it.
    if (bars.parentElement) bars.parentElement.tabIndex = order.length > MOST_IN_ORDER ? 0 : -1;
  }
  order.forEach((token, at) => {
    const bar = bars.children[at];
    const [share, all, drawn, name] = /** @type {HTMLElement[]} */ (Array.from(bars.children[at].children));
    all.style.height = `calc(${pale[token] / largest} * var(--high))`;
    drawn.style.height = `calc(${solid[token] / largest} * var(--high))`;
    const sign = visible(facts.characters[token]);
    // A sign such as U+00A0 is too wide here: the title has it.
    name.textContent = sign.startsWith("U+") ? "\u25a1" : sign;
    share.textContent = token === taken || token === byProbability[0] ? percent(solid[token]) : "";
    share.style.bottom = `calc(${Math.max(pale[token], solid[token]) / largest} * var(--high) + 1.7rem)`;
    bar.classList.toggle("taken", token === taken);
    const [before, after] = [percent(pale[token]), percent(solid[token])];
    bar.setAttribute("title",
      `${tokenName(facts.characters, token)}: the model ${before}, after temperature and top-k ${after}`);
  });
  const top = byProbability.slice(0, 5).map((token) =>
    `${tokenName(facts.characters, token)} ${percent(solid[token])}`);
  const next = tokenName(facts.characters, taken);
  bars.setAttribute("aria-label", `next character, the most probable: ${top.join(", ")}; in this word: ${next}`);
  part("taken", HTMLElement).textContent = `${next}, ${percent(solid[taken])}`;
}
