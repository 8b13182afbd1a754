// The runtime, compiled to WebAssembly. The functions of the module are in `web/engine/src/exports.rs`.

/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Film} Film */
/** @typedef {import("./types.js").Sampling} Sampling */
/** @typedef {import("./types.js").Step} Step */

/**
 * Functions of the module. Each answers with the length of its output, or with `-1 - length` of an error's text.
 * @typedef {object} Exports
 * @property {WebAssembly.Memory} memory
 * @property {() => number} page
 * @property {(page: number, length: number) => number} input
 * @property {(page: number) => number} output
 * @property {(page: number) => number} load
 * @property {(page: number, seed: bigint, temperature_milli: number, top_k: number) => number} begin
 * @property {(page: number, count: number) => number} next
 * @property {(page: number) => number} film
 * @property {(page: number) => number} relayout
 * @property {(page: number) => number} works
 */

/** A loaded model. Each model has an instance of the module for itself, whose memory is freed with it. */
export class Engine {
  /** @type {Exports} */
  #exports;
  /** @type {number} */
  #page;
  /** @type {Facts} */
  facts;

  /**
   * Loads a blob. Throws the runtime's own words if it refuses the blob.
   * @param {WebAssembly.Module} module
   * @param {Uint8Array} blob
   */
  constructor(module, blob) {
    const instance = new WebAssembly.Instance(module);
    this.#exports = /** @type {Exports} */ (/** @type {unknown} */ (instance.exports));
    this.#page = this.#exports.page();
    this.facts = this.#json(this.#call("load", blob));
  }

  /**
   * Starts a list of words.
   * @param {Sampling} sampling
   */
  begin({ seed, temperature_milli, top_k }) {
    this.#answer(this.#exports.begin(this.#page, BigInt(seed), temperature_milli, top_k));
  }

  /**
   * Draws the next words of the list, each beginning with the prompt.
   * @param {string} prompt
   * @param {number} count
   * @returns {string[]}
   */
  next(prompt, count) {
    this.#write(new TextEncoder().encode(prompt));
    return this.#json(this.#answer(this.#exports.next(this.#page, count)));
  }

  /**
   * Computes the steps along a word.
   * @param {string} word
   * @returns {Film}
   */
  film(word) {
    const buffer = this.#call("film", new TextEncoder().encode(word)).slice().buffer;
    const { levels, characters } = this.facts;
    const widths = levels.map((level) => (level.is_observed ? level.width : 0));
    /** @type {Step[]} */
    const steps = [];
    for (let at = 0; at < buffer.byteLength;) {
      /** @param {number} length */
      const take = (length) => {
        const part = new Float32Array(buffer, at, length);
        at += part.byteLength;
        return part;
      };
      const values = widths.map(take);
      const logits = take(characters.length);
      const nll = new Uint32Array(buffer, at, characters.length);
      at += nll.byteLength;
      steps.push({ levels: values, logits, nll });
    }
    return { characters: Array.from(word), steps };
  }

  /**
   * Returns the blob with its integers in the layout of a core.
   * @param {string} layout
   * @returns {Uint8Array}
   */
  inLayout(layout) {
    return this.#call("relayout", new TextEncoder().encode(layout)).slice();
  }

  /**
   * Returns the countable work of the model on each core; see `costs.js`.
   * @returns {import("./costs.js").Work[]}
   */
  works() {
    return this.#json(this.#answer(this.#exports.works(this.#page)));
  }

  /**
   * @param {"load" | "film" | "relayout"} name
   * @param {Uint8Array} input
   */
  #call(name, input) {
    this.#write(input);
    return this.#answer(this.#exports[name](this.#page));
  }

  /** @param {Uint8Array} input */
  #write(input) {
    // Above 2 GiB an address is negative.
    const address = this.#exports.input(this.#page, input.length) >>> 0;
    new Uint8Array(this.#exports.memory.buffer, address, input.length).set(input);
  }

  /**
   * Returns the output of the last call, which the next call overwrites. Throws an error's text.
   * @param {number} length
   */
  #answer(length) {
    const isError = length < 0;
    const address = this.#exports.output(this.#page) >>> 0;
    const bytes = new Uint8Array(this.#exports.memory.buffer, address, isError ? -1 - length : length);
    if (isError) {
      throw new Error(new TextDecoder().decode(bytes));
    }
    return bytes;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {any}
   */
  #json(bytes) {
    return JSON.parse(new TextDecoder().decode(bytes));
  }
}
