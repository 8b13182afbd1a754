/** The facts of the open model in the header. */

import { make, part } from "./dom.js";
import { count, size, whole } from "./text.js";

/** @typedef {import("./types.js").Facts} Facts */

/**
 * Counts the parameters of the folded network.
 * @param {Facts} facts
 * @returns {number}
 */
function parameters(facts) {
  const tokens = facts.characters.length;
  let sum = tokens * facts.n_embd;
  let below = facts.n_embd;
  for (const { fuse, width } of facts.levels) {
    sum += (fuse * below + 1) * width * (facts.activation === "gated" ? 2 : 1);
    below = width;
  }
  const read = facts.skip ? facts.levels.reduce((total, { width }) => total + width, 0) : below;
  return sum + (read + 1) * tokens;
}

/**
 * Shows the facts.
 * @param {Facts} facts
 * @param {string} name
 */
export function showFacts(facts, name) {
  /** @type {[string, string][]} */
  const all = [
    ["model", name],
    ["precision", facts.precision],
    ["levels", facts.levels.map(({ width }) => width).join(" \u00b7 ") + " values"],
    ["parameters", whole(parameters(facts))],
    ["size", size(facts.bytes)],
    ["context", count(facts.block_size, "character")],
    ["vocabulary", count(facts.characters.length, "token")],
    ["per character", `${whole(facts.macs)} MACs`],
  ];
  part("facts", HTMLElement).replaceChildren(...all.map(([term, value]) =>
    make("div", {}, make("dt", {}, term), make("dd", {}, value))));
}
