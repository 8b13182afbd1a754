/** The table of differences between the page's models. Each model is open in a worker of its own. */

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
 * @param {PageModel[]} models
 * @param {() => Engine} start starts a worker
 */
export function comparison(models, start) {
  /** @type {{engine: Engine, facts: Promise<Facts>}[]} a worker of its own for each model, which stays open */
  let engines = [];
  /** @type {Seen[]} */
  let seen = [];
  /** The word of the table, and the shown one. */
  let seenWord = "";
  let shown = { word: "", time: 0 };
  /** @type {{word: string, sampling: Sampling, prompt: string} | null} the newest update that has not begun */
  let wanted = null;
  let isRunning = false;

  function draw() {
    if (seen.length === 0) return;
    const { word, time } = shown;
    part("differences", HTMLElement).replaceChildren(...seen.map(({ facts, film, names }, at) => {
      const first = seen[0];
      /** @param {(film: Film) => string} text */
      const ofWord = (text) => word !== seenWord ? "\u2026" : film ? text(film) : "-";
      return makeRow(models[at].name, whole(models[at].bytes),
        ofWord((film) => nllOf(facts, film).reduce((sum, nll) => sum + nll, 0).toFixed(3)),
        ofWord((film) => percent(distribution(film.steps[time].logits, 1000, 0)[
          tokenAt(facts.characters, film.characters, time)])),
        ofWord((film) => at > 0 && first.film ? percent(largestDifference(film, first.film)) : "-"),
        at === 0 || !names || !first.names ? "-" : names.join("\n") === first.names.join("\n") ? "yes" : "no");
    }));
  }

  /** Runs the newest update until none is left. Each one runs to its end, so that the table keeps up with a player. */
  async function run() {
    if (isRunning) return;
    isRunning = true;
    const alert = part("compare-error", HTMLElement);
    try {
      while (wanted) {
        const { word, sampling, prompt } = wanted;
        wanted = null;
        if (engines.length === 0) {
          engines = models.map((_, at) => {
            const engine = start();
            return { engine, facts: engine.open(at) };
          });
        }
        seen = await Promise.all(engines.map(async ({ engine, facts }) => ({
          facts: await facts,
          film: await engine.film(word).catch(() => null),
          names: await engine.begin(sampling, prompt).then(() => engine.next(NAMES)).catch(() => null),
        })));
        seenWord = word;
        say(alert, "");
        draw();
      }
    } catch (error) {
      say(alert, error);
    }
    isRunning = false;
  }

  return {
    /**
     * Shows a time of a word. Until the table of the word is computed, its numbers are an ellipsis.
     * @param {string} word
     * @param {number} time
     */
    show(word, time) {
      shown = { word, time };
      draw();
    },
    /**
     * Computes the table for a word and a list.
     * @param {string} word
     * @param {Sampling} sampling
     * @param {string} prompt
     */
    update(word, sampling, prompt) {
      wanted = { word, sampling, prompt };
      run();
    },
  };
}
