/** The settings of the page, and the part of its address that keeps them. */

/**
 * @typedef {object} Settings
 * @property {string} seed
 * @property {string} prompt beginning of the names
 * @property {number} temperature in thousandths
 * @property {number} top_k
 * @property {number} model index of the page's model; -1 for the user's own
 * @property {string | null} word shown word; null for the first name of the list
 * @property {number | null} time number of characters that the model has read; null for the whole word
 * @property {string} core name of the core; empty for the page's choice
 * @property {number | null} clock in MHz; null for the fastest of the chip
 */

/** Largest seed. */
const MAX_SEED = 2n ** 64n - 1n;

/** @type {Readonly<Settings>} */
export const DEFAULTS = Object.freeze({
  seed: "42", prompt: "", temperature: 1000, top_k: 0, model: 0, word: null, time: null, core: "", clock: null,
});

/**
 * Returns the canonical form of a seed, or null if the text is no seed.
 * @param {string} text
 * @returns {string | null}
 */
export function seedOf(text) {
  if (!/^\d{1,20}$/.test(text)) return null;
  return BigInt(text) <= MAX_SEED ? String(BigInt(text)) : null;
}

/**
 * Returns the seed after this one.
 * @param {string} seed
 * @returns {string}
 */
export function seedAfter(seed) {
  return String((BigInt(seed) + 1n) & MAX_SEED);
}

/**
 * Returns a clock in MHz, or null if the text is no clock.
 * @param {string} text
 * @returns {number | null}
 */
export function clockOf(text) {
  return numberIn(text, 0.001, 10000);
}

/**
 * @param {string} text
 * @param {number} least
 * @param {number} most
 * @returns {number | null}
 */
function numberIn(text, least, most) {
  const value = Number(text);
  return /^\d+(\.\d+)?$/.test(text) && value >= least && value <= most ? value : null;
}

/**
 * @param {string} text
 * @param {number} most
 * @returns {number | null}
 */
function integerIn(text, most) {
  return /^\d{1,6}$/.test(text) ? numberIn(text, 0, most) : null;
}

/**
 * @param {string} text
 * @param {number} most
 * @returns {string} at most so many characters
 */
function cut(text, most) {
  return Array.from(text).slice(0, most).join("");
}

/**
 * Reads settings from the hash of an address. A bad value leaves the default.
 * @param {string} hash
 * @param {number} models number of models
 * @returns {Settings}
 */
export function fromHash(hash, models) {
  const values = new URLSearchParams(hash.replace(/^#/, ""));
  const text = (/** @type {string} */ name) => values.get(name) ?? "";
  const degrees = numberIn(text("temperature"), 0, 2);
  return {
    seed: seedOf(text("seed")) ?? DEFAULTS.seed,
    prompt: cut(text("prompt"), 32),
    // Rounds to the steps of the slider.
    temperature: degrees === null ? DEFAULTS.temperature : Math.round(degrees * 20) * 50,
    top_k: integerIn(text("top-k"), 256) ?? DEFAULTS.top_k,
    model: integerIn(text("model"), models - 1) ?? DEFAULTS.model,
    word: values.has("word") ? cut(text("word"), 256) : null,
    time: integerIn(text("time"), 65535),
    core: text("core"),
    clock: clockOf(text("clock")),
  };
}

/**
 * Writes settings as a hash without the defaults.
 * @param {Settings} settings
 * @returns {string}
 */
export function toHash(settings) {
  const { seed, prompt, temperature, top_k, model, word, time, core, clock } = settings;
  const values = new URLSearchParams();
  if (seed !== DEFAULTS.seed) values.set("seed", seed);
  if (prompt) values.set("prompt", prompt);
  if (temperature !== DEFAULTS.temperature) values.set("temperature", String(temperature / 1000));
  if (top_k) values.set("top-k", String(top_k));
  if (model > 0) values.set("model", String(model));
  if (word !== null) values.set("word", word);
  if (time !== null) values.set("time", String(time));
  if (core) values.set("core", core);
  if (clock !== null) values.set("clock", String(clock));
  const text = values.toString();
  return text && `#${text}`;
}
