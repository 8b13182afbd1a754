/** The explanation of the tree, with the dimensions of the open model. */

import { make, part } from "./dom.js";
import { count, whole } from "./text.js";
import { nodeCounts } from "./tree.js";

/** @typedef {import("./types.js").Facts} Facts */

/** @type {Record<string, string>} */
const ACTIVATIONS = {
  tanh: "The function tanh brings each value between -1 and 1.",
  gated: "Each value is tanh(a) \u00b7 sigmoid(b) of two sums a and b. The second one is a gate, as in WaveNet.",
  relu: "The function ReLU turns each negative value into 0.",
};

/**
 * @param {Facts} facts
 * @param {number} level
 * @returns {string}
 */
function levelText(facts, level) {
  const { fuse, width, receptive_field: sees, is_observed } = facts.levels[level];
  const below = level === 0 ? facts.n_embd : facts.levels[level - 1].width;
  const input = level === 0 ? "character" : `node of level ${level - 1}`;
  const inputs = level === 0 ? "neighbouring characters" : `neighbouring nodes of level ${level - 1}`;
  const nodes = facts.block_size / sees;
  const text = [
    fuse === 1 ? `A node reads one ${input}: ${count(below, "number")} become`
      : `A node fuses ${fuse} ${inputs}: ${fuse} \u00d7 ${below} = ${whole(fuse * below)} numbers become`,
    `${count(width, "value")}. It sees ${count(sees, "character")},`,
    nodes === 1 ? "and one node covers the whole context." : `and ${nodes} nodes cover the context.`,
  ];
  if (level === 0 && facts.activation in ACTIVATIONS) text.push(ACTIVATIONS[facts.activation]);
  if (level === 0 && is_observed && facts.precision !== "f32" && fuse === 2) {
    text.push("Its inputs are characters, so that a program can look up its sums in a table.");
  }
  if (!is_observed) {
    text.push(`This model looks the level up in a table, together with level ${level + 1}.`,
      "Its values do not exist, so its nodes are hatched.");
  }
  return text.join(" ");
}

/**
 * Returns the paragraphs of the explanation: name of the part, heading, text.
 * @param {Facts} facts
 * @returns {[string, string, string][]}
 */
function paragraphs(facts) {
  const { all, computed } = nodeCounts(facts);
  const { block_size, n_embd, characters, skip, levels } = facts;
  const kept = all - computed;
  const reads = skip && levels.length > 1
    ? "The output layer reads the newest node of every level (skip connections)"
    : "The output layer reads the last level";
  return [
    ["characters", "Characters", `The model sees the last ${count(block_size, "character")}: the context. `
      + "Before the word begins, the context is full of boundaries, written \u201c.\u201d. An embedding stands for each "
      + `character: ${count(n_embd, "number")}, which training has found.`],
    ...levels.map((_, level) => /** @type {[string, string, string]} */ (
      [`level-${level}`, `Level ${level}`, levelText(facts, level)])),
    ["prediction", "Prediction", `${reads} and computes ${whole(characters.length)} logits, one per token. Softmax `
      + "turns the logits into probabilities. These are the pale bars."],
    ["drawing", "Drawing", "The logits are divided by the temperature: a low one prefers the probable characters. "
      + "Top-k keeps the k most probable characters. The solid bars show the result. A random number chooses one character. "
      + "It is the next input, until the boundary is drawn and the word ends."],
    ["streaming", "Only one node per level", kept === 0
      ? "The tree has one node per level, and a new character changes them all."
      : `A new character is a new input for the newest node of each level: ${computed} of ${all} nodes. The other `
        + `${kept === 1 ? "node was" : `${kept} nodes were`} the newest at an earlier step. The chip keeps the `
        + "inputs of each level in a ring and computes no node twice."],
    ["batchnorm", "Where BatchNorm is", "A level of the lecture has a BatchNorm between Linear and activation. After "
      + "training, BatchNorm is a fixed linear function. The exporter folds it into the weights of the Linear, and "
      + "nothing is left to compute."],
  ];
}

/**
 * Shows the explanation of a model.
 * @param {Facts} facts
 */
export function explain(facts) {
  part("paragraphs", HTMLElement).replaceChildren(...paragraphs(facts).map(([name, heading, text]) =>
    make("section", { "data-part": name }, make("h3", {}, heading), make("p", {}, text))));
}

/**
 * Highlights the paragraph of a part; an empty name highlights none.
 * @param {string} name
 */
export function highlight(name) {
  for (const section of part("paragraphs", HTMLElement).children) {
    section.classList.toggle("lit", name !== "" && section.getAttribute("data-part") === name);
  }
}
