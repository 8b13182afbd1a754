/** Short ways to find and to make elements of the page. Text gets into the page only as text, never as HTML. */

/**
 * Returns the page's element with this id.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function part(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} with the id ${id}`);
  return found;
}

/**
 * Makes an element with attributes and children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Makes an SVG element.
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @returns {Element}
 */
export function makeSvg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/**
 * Makes a table row: a heading and its cells.
 * @param {string} heading
 * @param {...(Node | string)} cells
 * @returns {HTMLTableRowElement}
 */
export function makeRow(heading, ...cells) {
  return make("tr", {}, make("th", { scope: "row" }, heading), ...cells.map((cell) => make("td", {}, cell)));
}

/**
 * Shows a message in an alert, or hides the alert if the message is empty.
 * @param {HTMLElement} alert
 * @param {unknown} message
 */
export function say(alert, message) {
  alert.textContent = message instanceof Error ? message.message : String(message);
  alert.hidden = !message;
}

/** @returns {boolean} true if the user prefers a page that does not move */
export function isCalm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/**
 * Returns a function that runs the task after a pause without further calls.
 * @param {number} milliseconds
 * @param {() => void} task
 * @returns {() => void}
 */
export function debounced(milliseconds, task) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = window.setTimeout(task, milliseconds);
  };
}
