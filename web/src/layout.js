/** Places of the tree's parts. The characters are at the bottom, and the newest is on the right. */

/** @typedef {import("./types.js").Facts} Facts */

/**
 * Picture of a node: cells in rows and columns.
 * @typedef {{columns: number, rows: number, cell: number}} Grid
 */

/**
 * A node sees the characters from `end + sees` to `end + 1` before the next character.
 * @typedef {{x: number, end: number}} Place
 */

/**
 * @typedef {object} Row
 * @property {number} top
 * @property {number} height
 * @property {number} sees characters that a node sees
 * @property {Grid} grid
 * @property {Place[]} nodes oldest first
 */

/**
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {number} left width of the labels on the left; 0 if the labels are above the rows
 * @property {number} start left edge of the characters
 * @property {number} step distance between two characters
 * @property {number} shown number of characters
 * @property {number} letters upper edge of the characters
 * @property {Row[]} rows from the characters up
 * @property {string[]} links paths from each node to its inputs, by row
 * @property {string} newest path of the newest nodes, with the skip connections
 */

/** Largest number of characters in the tree. */
const MOST_SHOWN = 128;
/** Distance between two rows. */
const GAP = 46;
/** Padding and frame of a node, on each side. */
const FRAME = 4;
/** Height of a character. */
export const LETTER = 34;

/**
 * Chooses a grid about three times as wide as high, at most `room` wide, with a full last row if possible.
 * @param {number} values
 * @param {number} room
 * @returns {Grid}
 */
export function gridOf(values, room) {
  const ideal = Math.sqrt(values * 3) / 8;
  let eights = Math.ceil(ideal);
  for (let even = 1; even <= 2 * Math.ceil(ideal); even++) {
    if (values % (8 * even) === 0 && Math.abs(Math.log(even / ideal)) < 0.4) {
      eights = even;
      break;
    }
  }
  const most = Math.max(8, Math.floor(room / 16) * 8);
  const columns = Math.max(1, Math.min(8 * eights, most, values));
  return { columns, rows: Math.ceil(values / columns), cell: Math.min(10, Math.max(2, Math.floor(room / columns))) };
}

/**
 * Lays out the tree.
 * @param {Facts} facts
 * @param {number} room width of the page's part with the tree
 * @returns {Layout}
 */
export function layoutOf(facts, room) {
  const shown = Math.min(facts.block_size, MOST_SHOWN);
  const left = room >= 640 ? 150 : 0;
  const right = facts.skip ? 10 + 7 * facts.levels.length : 2;
  const step = Math.max(22, Math.min(130, (room - left - right) / shown));
  const wide = step * shown;
  // A narrow tree is in the middle of its room.
  const start = left + Math.max(0, (room - left - right - wide) / 2);
  /** @type {Row[]} */
  const rows = facts.levels.map(({ width, receptive_field: sees }) => {
    const seen = Math.min(sees, shown);
    const grid = gridOf(width, step * seen - 2 * FRAME - 6);
    const nodes = Array.from({ length: Math.max(1, Math.floor(shown / sees)) }, (_, node) => {
      const end = node * sees;
      return { x: start + step * (shown - end - seen / 2), end };
    });
    return { top: 0, height: grid.rows * grid.cell + 2 * FRAME, sees, grid, nodes: nodes.reverse() };
  });
  let y = GAP;
  for (const row of rows.slice().reverse()) {
    row.top = y;
    y += row.height + GAP;
  }
  const layout = { left, start, step, shown, letters: y, rows, width: start + wide + right, height: y + LETTER };
  return { ...layout, ...linesOf(facts, layout) };
}

/**
 * Returns the lines between the nodes.
 * @param {Facts} facts
 * @param {Omit<Layout, "links" | "newest">} layout
 * @returns {{links: string[], newest: string}}
 */
function linesOf(facts, { start, step, shown, letters, rows, width }) {
  const root = start + step * shown / 2;
  let newest = "";
  let below = Array.from({ length: shown }, (_, at) => ({ x: start + step * (at + 0.5), y: letters }));
  const links = rows.map((row, level) => {
    const { fuse } = facts.levels[level];
    const bottom = row.top + row.height;
    let path = "";
    row.nodes.forEach(({ x }, node) => {
      // Counts the inputs from the newest: the oldest may be outside of the picture.
      const after = row.nodes.length - 1 - node;
      const inputs = below.slice(Math.max(0, below.length - (after + 1) * fuse), below.length - after * fuse);
      for (const input of inputs) {
        const line = curve(input.x, input.y, x, bottom);
        if (input === below[below.length - 1]) newest += line;
        else path += line;
      }
    });
    below = row.nodes.map(({ x }) => ({ x, y: row.top }));
    return path;
  });
  const top = below[below.length - 1];
  newest += curve(top.x, top.y, root, 0);
  if (facts.skip) {
    rows.slice(0, -1).forEach((row, level) => {
      const { x } = row.nodes[row.nodes.length - 1];
      const edge = width - 7 * (level + 1) + 4;
      const from = x + row.grid.columns * row.grid.cell / 2 + FRAME;
      newest += `M${from} ${row.top + row.height / 2}H${edge - 8}q8 0 8 -8V0`;
    });
  }
  return { links, newest };
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} to
 * @param {number} end
 * @returns {string}
 */
function curve(x, y, to, end) {
  const middle = (y + end) / 2;
  return `M${x} ${y}C${x} ${middle} ${to} ${middle} ${to} ${end}`;
}
