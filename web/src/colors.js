/** Colours of values: orange above zero, blue below zero. At zero the colour of the paper. */

const BLUE = [31, 119, 180];
const ORANGE = [255, 127, 14];

/** @returns {number[]} white, or the dark paper in a dark page */
function paper() {
  return matchMedia("(prefers-color-scheme: dark)").matches ? [27, 29, 34] : [255, 255, 255];
}

/**
 * Mixes the colour of a value with the paper.
 * @param {number} value
 * @param {number[]} zero colour of 0
 * @returns {number[]}
 */
function mixed(value, zero) {
  const end = value < 0 ? BLUE : ORANGE;
  const share = Math.min(Math.abs(value), 1);
  return end.map((channel, at) => Math.round(zero[at] + (channel - zero[at]) * share));
}

/**
 * Returns the colour of a value for CSS.
 * @param {number} value
 * @returns {string}
 */
export function shade(value) {
  return `rgb(${mixed(value, paper()).join(" ")})`;
}

/**
 * Draws values as cells, one pixel per cell. CSS makes the pixels large.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} values
 * @param {number} columns
 */
export function drawCells(canvas, values, columns) {
  const rows = Math.ceil(values.length / columns);
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  const zero = paper();
  // Cells without a value stay transparent.
  for (let at = 0; at < values.length; at++) image.data.set([...mixed(values[at], zero), 255], 4 * at);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}
