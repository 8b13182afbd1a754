// The worker: runs the models, so that the page never freezes. It answers the calls of `types.js`.

import { costs } from "./costs.js";
import { Engine } from "./engine.js";
import { uf2 } from "./uf2.js";

/** @typedef {import("./types.js").Sampling} Sampling */

/**
 * Index of a part of the page, which is bytes.
 * @typedef {number} Part
 */

/**
 * The first part of the page, which describes the others: `cargo xtask page` writes it.
 * @typedef {object} Data
 * @property {(import("./types.js").PageModel & {blob: Part})[]} models
 * @property {boolean} has_pico_program
 * @property {Part} engine the WebAssembly module
 * @property {import("./costs.js").Row[]} costs
 * @property {Program | null} program
 */

/**
 * The console for a Pico, without the first model of the page, which is built into it.
 * @typedef {object} Program
 * @property {string} board
 * @property {number} family
 * @property {string} layout layout of integers for the board's core
 * @property {string[]} precisions precisions that the program can run
 * @property {number} model address of the model
 * @property {{address: number, bytes: Part}[]} segments
 * @property {{address: number, length: number}} slot where the console looks for another model
 */

/** @type {Uint8Array<ArrayBuffer>[]} */
let parts = [];
/** @type {Data} */
let data;
/** @type {Promise<WebAssembly.Module>} */
let module;
/** @type {Engine | null} */
let engine = null;
/** Blob of the open model. */
/** @type {Uint8Array} */
let blob = new Uint8Array();
/** Index of the open model, or -1 for a user's own. */
let openIndex = -1;
let prompt = "";

/** Returns the open model. */
function opened() {
  if (!engine) {
    throw new Error("no model is open");
  }
  return engine;
}

/**
 * Opens a model. If it is refused, the open one stays.
 * @param {Uint8Array} bytes
 * @param {number} index
 */
async function load(bytes, index) {
  engine = new Engine(await module, bytes);
  [blob, openIndex] = [bytes, index];
  return engine.facts;
}

const calls = {
  /** @param {number} index */
  open: (index) => load(parts[data.models[index].blob], index),
  /** @param {ArrayBuffer} blob */
  openOwn: (blob) => load(new Uint8Array(blob), -1),
  /** @param {Sampling} sampling @param {string} beginning */
  begin(sampling, beginning) {
    prompt = beginning;
    opened().begin(sampling);
  },
  /** @param {number} count */
  next: (count) => opened().next(prompt, count),
  /** @param {string} word */
  film: (word) => opened().film(word),
  costs: () => costs(opened().works(), opened().facts.precision, data.costs),
  /** @param {number} milliseconds */
  async speed(milliseconds) {
    // An instance for itself: the list of words goes on afterwards.
    const measured = new Engine(await module, blob);
    measured.begin({ seed: "42", temperature_milli: 1000, top_k: 0 });
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < milliseconds) {
      // The end of a word is a character, too.
      count += measured.next("", 100).reduce((sum, word) => sum + Array.from(word).length + 1, 0);
    }
    return (1000 * count) / (performance.now() - start);
  },
  async uf2() {
    const { program } = data;
    if (!program) {
      throw new Error("this page was made without a program for a Pico");
    }
    const { precision } = opened().facts;
    if (!program.precisions.includes(precision)) {
      const known = program.precisions.join(" and ");
      throw new Error(`the program in this page runs ${known}, not ${precision}: use \`cargo xtask uf2 --board pico\``);
    }
    /** @param {Engine} engine @param {Uint8Array} blob */
    const forChip = (engine, blob) => (engine.facts.precision === "f32" ? blob : engine.inLayout(program.layout));
    /** @type {import("./uf2.js").Segment[]} */
    const segments = program.segments.map(({ address, bytes }) => ({ address, bytes: parts[bytes] }));
    const builtIn = parts[data.models[0].blob];
    segments.push({ address: program.model, bytes: forChip(new Engine(await module, builtIn), builtIn) });
    const is_built_in = openIndex === 0;
    if (!is_built_in) {
      const bytes = forChip(opened(), blob);
      const { address, length } = program.slot;
      if (bytes.length > length) {
        throw new Error(`the model has ${bytes.length} bytes, but the Pico has room for ${length}`);
      }
      segments.push({ address, bytes });
    }
    return { name: `console-${program.board}.uf2`, bytes: uf2(segments, program.family), is_built_in };
  },
};

self.addEventListener("message", async ({ data: message }) => {
  if (message.parts) {
    parts = message.parts;
    data = JSON.parse(new TextDecoder().decode(parts[0]));
    module = WebAssembly.compile(parts[data.engine]);
    return;
  }
  const { id, call, args } = message;
  try {
    const result = await /** @type {Record<string, (...args: any[]) => any>} */ (calls)[call](...args);
    self.postMessage({ id, result });
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError && engine) {
      // The memory of a call that was ended is unspecified.
      engine = new Engine(await module, blob);
    }
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
