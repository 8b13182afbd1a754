/** Characters and numbers as text. */

const NUMBERS = new Intl.NumberFormat("en");

/**
 * Returns a visible sign of a character.
 * @param {string} character
 * @returns {string}
 */
export function visible(character) {
  const code = character.codePointAt(0) ?? 0;
  if (code === 32) return "\u2423";
  if (code < 32) return String.fromCodePoint(0x2400 + code);
  if (code === 127) return "\u2421";
  if (/^\p{M}/u.test(character)) return `\u25cc${character}`;
  return /^[\p{C}\p{Z}]/u.test(character) ? `U+${code.toString(16).toUpperCase().padStart(4, "0")}` : character;
}

/**
 * Returns a text with a visible sign for each character.
 * @param {string} text
 * @returns {string}
 */
export function visibleText(text) {
  const signs = Array.from(text, visible).join("");
  // Letters from right to left would change the order of the sentence around them.
  return /[\u0590-\uffff]/.test(text) ? `\u2068${signs}\u2069` : signs;
}

/**
 * Returns the name of a token: `end` for the boundary.
 * @param {string[]} characters the vocabulary
 * @param {number} token
 * @returns {string}
 */
export function tokenName(characters, token) {
  return token === 0 ? "end" : visibleText(characters[token]);
}

/**
 * Returns the token of a word's character at a place, or the boundary at the end of the word.
 * @param {string[]} vocabulary
 * @param {string[]} word
 * @param {number} at
 * @returns {number}
 */
export function tokenAt(vocabulary, word, at) {
  return at < word.length ? Math.max(0, vocabulary.indexOf(word[at], 1)) : 0;
}

/**
 * Returns a whole number with separators.
 * @param {number} value
 * @returns {string}
 */
export function whole(value) {
  return NUMBERS.format(Math.round(value));
}

/**
 * Returns a probability in per cent.
 * @param {number} probability
 * @returns {string}
 */
export function percent(probability) {
  const value = 100 * probability;
  return value > 0 && value < 0.1 ? "< 0.1 %" : `${value.toFixed(value < 9.95 ? 1 : 0)} %`;
}

/**
 * Returns a number with its noun: `1 node`, `4 nodes`.
 * @param {number} value
 * @param {string} noun
 * @returns {string}
 */
export function count(value, noun) {
  return `${whole(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/**
 * Returns milliseconds with three digits.
 * @param {number} seconds
 * @returns {string}
 */
export function milliseconds(seconds) {
  return `${new Intl.NumberFormat("en", { maximumSignificantDigits: 3 }).format(seconds * 1000)} ms`;
}

/**
 * Returns a size in bytes or KiB.
 * @param {number} bytes
 * @returns {string}
 */
export function size(bytes) {
  return bytes < 4096 ? `${whole(bytes)} bytes` : `${(bytes / 1024).toFixed(bytes < 102400 ? 1 : 0)} KiB`;
}
