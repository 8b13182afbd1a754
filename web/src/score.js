/** The score of a word: the nll of each character. */

import { make, part } from "./dom.js";
import { tokenAt, tokenName } from "./text.js";

/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Film} Film */

/**
 * Returns the nll of each character of the word and of its end, in nats.
 * @param {Facts} facts
 * @param {Film} film
 * @returns {number[]}
 */
export function nllOf(facts, film) {
  return film.steps.map((step, at) => step.nll[tokenAt(facts.characters, film.characters, at)] / 1e6);
}

/** Largest number of characters of a drawn name. */
export const LONGEST_NAME = 32;

/**
 * Returns the mean nll per character of a drawn name, with the end. A name that is cut has no end.
 * @param {Facts} facts
 * @param {Film} film
 * @returns {number}
 */
export function meanNll(facts, film) {
  const drawn = nllOf(facts, film).slice(0, LONGEST_NAME);
  return drawn.reduce((sum, nll) => sum + nll, 0) / drawn.length;
}

/**
 * Shows the score of a word.
 * @param {Facts} facts
 * @param {Film} film
 * @param {(time: number) => void} go shows a time of the word
 */
export function showScore(facts, film, go) {
  const scores = nllOf(facts, film);
  const guess = Math.log(facts.characters.length);
  part("tiles", HTMLElement).replaceChildren(...scores.map((nll, at) => {
    const name = tokenName(facts.characters, tokenAt(facts.characters, film.characters, at));
    const number = nll.toFixed(2);
    const tile = make("button", { type: "button", class: "tile" }, make("b", {}, name), make("span", {}, number));
    tile.setAttribute("aria-label", `${name}: ${number} nats. Show the tree before this character`);
    // The colour is full at twice the loss of guessing.
    tile.style.setProperty("--heat", `${Math.round(Math.min(1, nll / guess / 2) * 100)}%`);
    tile.addEventListener("click", () => go(at));
    return make("li", {}, tile);
  }));
  const sum = scores.reduce((total, nll) => total + nll, 0);
  const mean = sum / scores.length;
  part("sum", HTMLElement).textContent = sum.toFixed(2);
  part("mean", HTMLElement).textContent = mean.toFixed(2);
  part("guess", HTMLElement).textContent = guess.toFixed(2);
  const largest = Math.max(mean, guess);
  part("mean-bar", HTMLElement).style.width = `${100 * mean / largest}%`;
  part("guess-bar", HTMLElement).style.width = `${100 * guess / largest}%`;
}

/**
 * Marks the tile of the next character.
 * @param {number} time
 */
export function markTile(time) {
  Array.from(part("tiles", HTMLElement).children).forEach((tile, at) => tile.classList.toggle("next", at === time));
}
