/** The tree: the characters, and the values of each node as cells. */

import { isCalm, make, makeSvg, part } from "./dom.js";
import { drawCells } from "./colors.js";
import { count, visible, visibleText } from "./text.js";
import { LETTER, layoutOf } from "./layout.js";

/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Film} Film */

/**
 * A node of the tree at a time.
 * @typedef {object} TreeNode
 * @property {string} name
 * @property {string} seen characters that the node sees
 * @property {string} when when the node was computed
 * @property {Float32Array | null} values null if the values do not exist
 */

/**
 * Calls of the tree to the page.
 * @typedef {object} TreeHooks
 * @property {(node: TreeNode) => void} open
 * @property {(part: string) => void} point tells which part the user points at; empty for none
 */

/**
 * Returns the character at a distance before the next one, from 1.
 * @param {Film} film
 * @param {number} time
 * @param {number} distance
 * @returns {string} empty before the beginning of the word
 */
function characterBefore(film, time, distance) {
  return film.characters[time - distance] ?? "";
}

/**
 * Describes a node at a time. A kept node was the newest of its level `end` characters ago.
 * @param {Facts} facts
 * @param {Film} film
 * @param {number} time
 * @param {number} level
 * @param {number} end
 * @returns {TreeNode}
 */
function nodeAt(facts, film, time, level, end) {
  const { receptive_field: sees, is_observed } = facts.levels[level];
  let seen = "";
  for (let distance = end + sees; distance > end; distance--) seen += characterBefore(film, time, distance) || ".";
  const since = time === 0 ? "at the start of the word" : "for the newest character";
  const ago = end > time ? "kept from before the word" : `kept, computed ${count(end, "character")} ago`;
  return {
    seen,
    name: `level ${level}`,
    when: end === 0 ? `computed ${since}` : ago,
    values: is_observed ? film.steps[Math.max(time - end, 0)].levels[level] : null,
  };
}

/**
 * Counts the nodes of the tree, and those that are computed for a new character.
 * @param {Facts} facts
 * @returns {{all: number, computed: number}}
 */
export function nodeCounts(facts) {
  const all = facts.levels.reduce((sum, level) => sum + facts.block_size / level.receptive_field, 0);
  return { all, computed: facts.levels.length };
}

/**
 * Makes the view of the tree.
 * @param {TreeHooks} hooks
 */
export function treeView(hooks) {
  const scroller = part("tree", HTMLElement);
  const prediction = part("prediction", HTMLElement);
  /** @type {{button: HTMLButtonElement, canvas: HTMLCanvasElement, level: number, end: number, columns: number}[]} */
  let nodes = [];
  /** @type {HTMLElement[]} */
  let letters = [];
  /** @type {{facts: Facts, film: Film, time: number} | null} */
  let shown = null;
  let built = "";

  /** @param {Facts} facts */
  function build(facts) {
    const layout = layoutOf(facts, scroller.clientWidth);
    const sheet = make("div", { class: "sheet" });
    sheet.style.cssText = `width:${layout.width}px;height:${layout.height}px`;
    const svg = makeSvg("svg", { width: `${layout.width}`, height: `${layout.height}`, "aria-hidden": "true" });
    svg.append(...layout.links.map((d) => makeSvg("path", { d })), makeSvg("path", { d: layout.newest, class: "new" }));
    sheet.append(svg);
    // The labels stay where they are while the tree scrolls below them.
    const labels = make("div", { class: "labels" });
    sheet.append(labels);
    nodes = [];
    // From the top, so that the order of the keyboard is the order of reading.
    for (let level = layout.rows.length - 1; level >= 0; level--) {
      const row = layout.rows[level];
      const middle = row.top + row.height / 2;
      labels.append(label(layout.left ? middle - 27 : row.top - 24, `level ${level}`,
        count(facts.levels[level].width, "value"), layout.left ? `of ${count(row.sees, "character")} each` : ""));
      for (const { x, end } of row.nodes) {
        const canvas = make("canvas", {});
        const wide = row.grid.columns * row.grid.cell;
        canvas.style.cssText = `width:${wide}px;height:${row.grid.rows * row.grid.cell}px`;
        const button = make("button", { type: "button", class: end === 0 ? "node new" : "node" }, canvas);
        button.classList.toggle("hatched", !facts.levels[level].is_observed);
        button.style.cssText = `left:${x - wide / 2 - 4}px;top:${row.top}px`;
        const lit = () => pointAt(`level-${level}`, end, row.sees);
        const dark = () => pointAt("", 0, 0);
        button.addEventListener("pointerenter", lit);
        button.addEventListener("focus", lit);
        button.addEventListener("pointerleave", dark);
        button.addEventListener("blur", dark);
        button.addEventListener("click", () => {
          if (shown) hooks.open(nodeAt(shown.facts, shown.film, shown.time, level, end));
        });
        nodes.push({ button, canvas, level, end, columns: row.grid.columns });
        sheet.append(button);
      }
    }
    const isCut = layout.shown < facts.block_size;
    labels.append(label(layout.left ? layout.letters - 4 : layout.letters - 24, "characters",
      isCut ? `the last ${layout.shown}` : "", isCut ? `of ${facts.block_size}` : ""));
    letters = Array.from({ length: layout.shown }, (_, at) => {
      const letter = make("span", { class: at + 1 === layout.shown ? "letter new" : "letter" });
      const wide = Math.min(layout.step - 4, 44);
      const x = layout.start + layout.step * (at + 0.5) - wide / 2;
      letter.style.cssText = `left:${x}px;top:${layout.letters}px;width:${wide}px;height:${LETTER}px`;
      letter.addEventListener("pointerenter", () => hooks.point("characters"));
      letter.addEventListener("pointerleave", () => hooks.point(""));
      sheet.append(letter);
      return letter;
    });
    scroller.replaceChildren(sheet);
    scroller.scrollLeft = scroller.scrollWidth;
    prediction.style.setProperty("--left", `${layout.left}px`);
    for (const element of [prediction, scroller]) element.classList.toggle("beside", layout.left > 0);
  }

  /**
   * Marks the characters that a node sees.
   * @param {string} name
   * @param {number} end
   * @param {number} sees
   */
  function pointAt(name, end, sees) {
    hooks.point(name);
    letters.forEach((letter, at) => {
      const distance = letters.length - at;
      letter.classList.toggle("seen", distance > end && distance <= end + sees);
    });
  }

  function draw() {
    if (!shown) return;
    const { facts, film, time } = shown;
    for (const { button, canvas, level, end, columns } of nodes) {
      const node = nodeAt(facts, film, time, level, end);
      if (node.values) drawCells(canvas, node.values, columns);
      const values = node.values ? count(node.values.length, "value") : "no values: looked up in a table";
      button.setAttribute("aria-label", `${node.name}, sees ${visibleText(node.seen)}, ${node.when}, ${values}`);
      button.title = `${node.name} · ${visibleText(node.seen)} · ${node.when}`;
    }
    letters.forEach((letter, at) => {
      const character = characterBefore(film, time, letters.length - at);
      letter.textContent = character ? visible(character) : ".";
      letter.classList.toggle("boundary", !character);
    });
  }

  /** Draws again if the width of the page or its colours have changed. */
  function redraw() {
    if (!shown) return;
    const key = `${scroller.clientWidth}`;
    if (key !== built) build(shown.facts);
    built = key;
    draw();
  }
  scroller.addEventListener("scroll", () => scroller.style.setProperty("--scroll", `${scroller.scrollLeft}px`));
  new ResizeObserver(redraw).observe(scroller);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  return {
    /**
     * Shows the tree after some characters of a word.
     * @param {Facts} facts
     * @param {Film} film
     * @param {number} time
     */
    show(facts, film, time) {
      const isNew = shown?.facts !== facts;
      const isStep = shown?.film !== film || shown.time !== time;
      shown = { facts, film, time };
      if (isNew) built = "";
      redraw();
      if (!isStep || isCalm()) return;
      for (const { button, level, end } of nodes) {
        if (end === 0) button.animate([{ boxShadow: "0 0 0 6px var(--glow)" }, { boxShadow: "0 0 0 0 transparent" }],
          { duration: 700, delay: 90 * level, easing: "ease-out" });
      }
    },
  };
}

/**
 * Makes the label of a row.
 * @param {number} y
 * @param {string} name
 * @param {...string} notes
 * @returns {HTMLElement}
 */
function label(y, name, ...notes) {
  const element = make("div", { class: "label" }, make("b", {}, name));
  for (const note of notes) if (note) element.append(" ", make("span", {}, note));
  element.style.top = `${y}px`;
  return element;
}
