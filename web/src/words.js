/** The list of names. The names come one by one. */

import { make, part } from "./dom.js";
import { visibleText } from "./text.js";
import { LONGEST_NAME, meanNll } from "./score.js";

/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Sampling} Sampling */
/** @typedef {import("./client.js").Engine} Engine */

/** Number of names that the list gets at a time. */
const PORTION = 8;

/**
 * Makes the list of names.
 * @param {Engine} engine
 * @param {(task: () => Promise<void>) => void} attempt runs a task and shows its error
 * @param {(word: string) => void} choose
 */
export function wordList(engine, attempt, choose) {
  const list = part("words", HTMLElement);
  const more = part("more", HTMLButtonElement);
  /** @type {string[]} */
  let words = [];
  let shown = -1;
  /** Number of the list: an answer for an older list is dropped. */
  let run = 0;
  /** @type {Facts | null} */
  let facts = null;

  /** @param {string} word */
  async function add(word) {
    const mine = run;
    const at = words.push(word) - 1;
    const mean = make("small", {});
    const button = make("button", { type: "button" }, visibleText(word) || "(empty)", mean);
    if (Array.from(word).length === LONGEST_NAME) button.title = `cut at ${LONGEST_NAME} characters`;
    button.addEventListener("click", () => {
      view.mark(word, at);
      choose(word);
    });
    const item = make("li", {}, button);
    // The names of a portion appear one by one.
    item.style.animationDelay = `${at % PORTION * 80}ms`;
    list.append(item);
    const film = await engine.film(word);
    if (mine === run && facts) mean.textContent = meanNll(facts, film).toFixed(2);
  }

  function clear() {
    words = [];
    shown = -1;
    list.replaceChildren();
  }

  const view = {
    /**
     * Begins a list. It returns the first name, or null if a newer list has begun. It throws the runtime's error if the
     * beginning is refused: then the names of the last list stay.
     * @param {Facts} of
     * @param {Sampling} sampling
     * @param {string} prompt
     * @returns {Promise<string | null>}
     */
    async begin(of, sampling, prompt) {
      run += 1;
      const mine = run;
      // The names of another model have other numbers.
      if (facts !== of) clear();
      facts = of;
      more.hidden = true;
      try {
        const [, next] = await Promise.all([engine.begin(sampling, prompt), engine.next(PORTION)]);
        if (mine !== run) return null;
        clear();
        await Promise.all(next.map(add));
      } catch (error) {
        if (mine === run) throw error;
      }
      if (mine !== run) return null;
      more.hidden = false;
      return words[0];
    },
    /** Adds some names. */
    async extend() {
      const mine = run;
      try {
        const next = await engine.next(PORTION);
        if (mine === run) await Promise.all(next.map(add));
      } catch (error) {
        if (mine === run) throw error;
      }
    },
    /**
     * Returns the name after the shown one.
     * @returns {Promise<string | undefined>}
     */
    async following() {
      if (shown + 1 >= words.length) await view.extend();
      const word = words[shown + 1];
      if (word !== undefined) view.mark(word, shown + 1);
      return word;
    },
    /**
     * Marks the shown name.
     * @param {string} word
     * @param {number} [at] its place in the list
     */
    mark(word, at = words[shown] === word ? shown : words.indexOf(word)) {
      shown = at;
      Array.from(list.children).forEach((item, index) => {
        const button = item.firstElementChild;
        if (index === shown) button?.setAttribute("aria-current", "true");
        else button?.removeAttribute("aria-current");
      });
    },
    /** @returns {string | undefined} */
    first: () => words[0],
  };
  more.addEventListener("click", () => attempt(view.extend));
  return view;
}
