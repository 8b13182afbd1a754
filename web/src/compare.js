/** The table of differences between the page's models. A second worker opens each model in turn. */

import { makeRow, part, say } from "./dom.js";
import { distribution } from "./sampling.js";
import { nllOf } from "./score.js";
import { percent, tokenAt, whole } from "./text.js";

/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Film} Film */
/** @typedef {import("./types.js").PageModel} PageModel */
/** @typedef {import("./types.js").Sampling} Sampling */
/** @typedef {import("./client.js").Engine} Engine */
/** @typedef {{facts: Facts, film: Film | null, names: string[] | null}} Seen */

/** Number of names that are compared. */
const NAMES = 20;

/**
 * Returns the largest difference in the probability of any next character along the word.
 * @param {Film} a
 * @param {Film} b
 * @returns {number}
 */
function largestDifference(a, b) {
  let largest = 0;
  a.steps.forEach((step, at) => {
    const other = distribution(b.steps[at].logits, 1000, 0);
    distribution(step.logits, 1000, 0).forEach((probability, token) => {
      largest = Math.max(largest, Math.abs(probability - other[token]));
    });
  });
  return largest;
}

/**
 * Makes the table.
 * @param {Engine} engine a worker of its own, so that the shown model stays open
 * @param {PageModel[]} models
 */
export function comparison(engine, models) {
  /** @type {Seen[]} */
  let seen = [];
  let run = 0;
  /** @type {Promise<void>} */
  let last = Promise.resolve();

  /** @param {number} time */
  function show(time) {
    if (seen.length === 0) return;
    const body = part("differences", HTMLElement);
    body.replaceChildren(...seen.map(({ facts, film, names }, at) => {
      const first = seen[0];
      const scores = film && nllOf(facts, film);
      const isAlike = facts.characters.join("") === first.facts.characters.join("");
      const step = film?.steps[Math.min(time, film.steps.length - 1)];
      const token = film ? tokenAt(facts.characters, film.characters, time) : 0;
      const isSame = names && first.names && names.join("\n") === first.names.join("\n");
      return makeRow(models[at].name, whole(models[at].bytes),
        scores ? scores.reduce((sum, nll) => sum + nll, 0).toFixed(3) : "-",
        step ? percent(distribution(step.logits, 1000, 0)[token]) : "-",
        at > 0 && film && first.film && isAlike ? percent(largestDifference(film, first.film)) : "-",
        at === 0 ? "-" : isSame ? "yes" : "no");
    }));
  }

  return {
    show,
    /**
     * Computes the table for a word and a list.
     * @param {string} word
     * @param {Sampling} sampling
     * @param {string} prompt
     * @param {() => number} time
     */
    update(word, sampling, prompt, time) {
      run += 1;
      const mine = run;
      // One after the other: an update relies on the model that it has opened.
      last = last.then(async () => {
        /** @type {Seen[]} */
        const fresh = [];
        for (let at = 0; at < models.length && mine === run; at++) {
          const facts = await engine.open(at);
          const film = await engine.film(word).catch(() => null);
          const names = await engine.begin(sampling, prompt).then(() => engine.next(NAMES)).catch(() => null);
          fresh.push({ facts, film, names });
        }
        if (mine !== run) return;
        seen = fresh;
        show(time());
      }).catch((error) => say(part("compare-error", HTMLElement), error));
    },
  };
}
