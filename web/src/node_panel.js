/** The panel with all values of a node. */

import { make, part } from "./dom.js";
import { drawCells, shade } from "./colors.js";
import { gridOf } from "./layout.js";
import { visibleText } from "./text.js";

/** @typedef {import("./tree.js").TreeNode} TreeNode */

/**
 * Opens the panel of a node.
 * @param {TreeNode} node
 */
export function openNodePanel(node) {
  const dialog = part("node-panel", HTMLDialogElement);
  const values = Array.from(node.values ?? []);
  part("node-name", HTMLElement).textContent = `A node of ${node.name}`;
  part("node-facts", HTMLElement).textContent =
    `It sees \u201c${visibleText(node.seen)}\u201d and was ${node.when.replace(", computed", ": it was computed")}.`;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const bounds = [Math.min(...values), mean, Math.max(...values)].map(number);
  part("node-range", HTMLElement).textContent = node.values
    ? `${values.length} values: minimum ${bounds[0]}, mean ${bounds[1]}, maximum ${bounds[2]}.`
    : "It has no values: the model looks this level up in a table, together with the next level.";
  const canvas = part("node-cells", HTMLCanvasElement);
  canvas.hidden = values.length === 0;
  if (values.length > 0) drawCells(canvas, values, gridOf(values.length, 480).columns);
  part("node-values", HTMLElement).replaceChildren(...(values.length > 0 ? [valueTable(values)] : []));
  dialog.showModal();
}

/**
 * Makes a table with several values per row. The heading of a row is the index of its first value.
 * @param {number[]} values
 * @returns {HTMLTableElement}
 */
function valueTable(values) {
  const columns = innerWidth < 400 ? 3 : innerWidth < 640 ? 4 : 8;
  const heads = Array.from({ length: columns }, (_, at) => make("th", { scope: "col" }, `+${at}`));
  const table = make("table", {}, make("tr", {}, make("th", { scope: "col" }, "index"), ...heads));
  for (let first = 0; first < values.length; first += columns) {
    const cells = values.slice(first, first + columns).map((value) => {
      const cell = make("td", {}, number(value));
      cell.style.setProperty("--value", shade(value));
      return cell;
    });
    table.append(make("tr", {}, make("th", { scope: "row" }, `${first}`), ...cells));
  }
  return table;
}

/**
 * @param {number} value
 * @returns {string}
 */
function number(value) {
  return value.toFixed(3).replace("-", "\u2212");
}
