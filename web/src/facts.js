/** The facts of the open model in the header. */

import { make, part } from "./dom.js";
import { count, size, whole } from "./text.js";

/** @typedef {import("./types.js").Facts} Facts */

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
    ["parameters", whole(facts.parameters)],
    ["size", size(facts.bytes)],
    ["context", count(facts.block_size, "character")],
    ["vocabulary", count(facts.characters.length, "token")],
    ["per character", `${whole(facts.macs)} MACs`],
  ];
  part("facts", HTMLElement).replaceChildren(...all.map(([term, value]) =>
    make("div", {}, make("dt", {}, term), make("dd", {}, value))));
}
