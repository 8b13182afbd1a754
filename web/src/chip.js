/** The needs of the model on a chip, as `exporter inspect` predicts them. */

import { make, makeRow, part } from "./dom.js";
import { count, milliseconds, size, visibleText, whole } from "./text.js";

/** @typedef {import("./types.js").CoreCosts} CoreCosts */
/** @typedef {import("./types.js").Needs} Needs */

/** Core that the page shows at first. */
const FIRST_CORE = "m4";

/**
 * Returns the core with this name, or the page's choice.
 * @param {CoreCosts[]} costs
 * @param {string} name
 * @returns {CoreCosts}
 */
export function coreOf(costs, name) {
  return costs.find(({ core }) => core === name) ?? costs.find(({ core }) => core === FIRST_CORE) ?? costs[0];
}

/**
 * Fills the list of cores.
 * @param {CoreCosts[]} costs
 * @param {string} chosen
 */
export function listCores(costs, chosen) {
  const select = part("core", HTMLSelectElement);
  select.replaceChildren(...costs.map(({ core, core_name, chip }) =>
    make("option", { value: core }, `${core_name} (${chip})`)));
  select.value = coreOf(costs, chosen).core;
}

/**
 * Shows the needs on a core.
 * @param {CoreCosts} cost
 * @param {number | null} megahertz clock; null for the fastest
 * @param {string[]} characters the shown word
 */
export function showChip(cost, megahertz, characters) {
  const { needs, clock_hz, chip } = cost;
  const fastest = clock_hz / 1e6;
  const field = part("clock", HTMLInputElement);
  field.placeholder = String(fastest);
  const isRefused = megahertz === null && (field.value !== "" || field.validity.badInput);
  part("clock-note", HTMLElement).textContent = isRefused
    ? `A clock is from 0.001 to 10,000 MHz. The figures are for the fastest clock of this chip, ${fastest} MHz.`
    : `The fastest clock of this chip is ${fastest} MHz${(megahertz ?? 0) > fastest ? ": yours is faster" : ""}.`;
  const figures = part("figures", HTMLElement);
  if (!needs) {
    figures.replaceChildren(make("p", { class: "refused" },
      "Not predicted: without an FPU, f32 takes about 50 times the instructions of int8."));
    return;
  }
  const seconds = needs.cycles / (megahertz === null ? clock_hz : megahertz * 1e6);
  const steps = characters.length + 1;
  const word = visibleText(characters.join(""));
  figures.replaceChildren(
    make("div", {}, make("h3", {}, "Time"), make("p", {}, make("b", {}, milliseconds(seconds)),
      ` per character: ${whole(needs.instructions)} instructions, ${whole(1 / seconds)} characters per second. `,
      make("b", {}, milliseconds(seconds * steps)), ` for \u201c${word}\u201d and its end: `
      + `${count(steps, "character")}, ${whole(needs.instructions * steps)} instructions.`),
    partsTable(needs, seconds)),
    make("div", {}, make("h3", {}, "Memory"),
      memory("flash", [["code", needs.code_bytes], ["model", needs.model_bytes]], cost.chip_flash_bytes),
      memory("RAM", [["state", needs.state_bytes], ["other variables", needs.rest_bytes], ["stack", needs.stack_bytes]],
        cost.chip_ram_bytes),
      make("p", { class: needs.fits ? "fits" : "refused" },
        `The program with this model ${needs.fits ? "fits" : "does not fit"} the ${chip}.`)),
  );
}

/**
 * @param {Needs} needs
 * @param {number} seconds per character
 * @returns {HTMLElement}
 */
function partsTable(needs, seconds) {
  const last = needs.parts.length - 3;
  const names = ["output layer", "drawing", "the rest"];
  const parts = needs.parts.slice();
  // The fit of the costs can make the rest slightly negative.
  if (parts[last + 2] < 0) {
    parts[last + 1] += parts.pop() ?? 0;
    names[1] = "drawing and the rest";
  }
  const sum = parts.reduce((total, instructions) => total + instructions, 0) || 1;
  const table = make("table", { class: "parts" }, make("caption", {}, "Per character, by part"), make("tr", {},
    ...["part", "instructions", "time", "share"].map((head) => make("th", { scope: "col" }, head))));
  parts.forEach((instructions, at) => {
    const bar = make("i", { class: "share" });
    bar.style.width = `${100 * instructions / sum}%`;
    table.append(makeRow(at < last ? `level ${at}` : names[at - last], whole(instructions),
      milliseconds(seconds * instructions / sum), bar));
  });
  return table;
}

/**
 * Makes a line such as `flash: code + model`, with a bar.
 * @param {string} name
 * @param {[string, number][]} uses
 * @param {number} room bytes of the chip
 * @returns {HTMLElement}
 */
function memory(name, uses, room) {
  const sum = uses.reduce((total, [, bytes]) => total + bytes, 0);
  const bar = make("div", { class: sum > room ? "room full" : "room", "aria-hidden": "true" });
  for (const [, bytes] of uses) {
    const use = make("i", {});
    use.style.width = `${100 * bytes / Math.max(room, sum)}%`;
    bar.append(use);
  }
  const text = uses.map(([use, bytes]) => `${use} ${whole(bytes)}`).join(" + ");
  return make("div", {}, make("p", {}, make("b", {}, name), ` ${text} = ${whole(sum)} bytes of ${size(room)}`), bar);
}
