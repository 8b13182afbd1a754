// The worker: runs the models, so that the page never freezes. It answers the calls of `types.js`.

import { costs } from "./costs.js";
import { Engine } from "./engine.js";
import { uf2 } from "./uf2.js";

/** @typedef {import("./types.js").Sampling} Sampling */

/**
 * Bytes as base64 of a gzip stream.
 * @typedef {string} Packed
 */

/**
 * What `cargo xtask page` puts into the page.
 * @typedef {object} Data
 * @property {(import("./types.js").PageModel & {blob: Packed})[]} models
 * @property {boolean} has_pico_program
 * @property {Packed} engine the WebAssembly module
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
 * @property {{address: number, bytes: Packed}[]} segments
 * @property {{address: number, length: number}} slot where the console looks for another model
 */

/** @type {Data} */
let data;
/** @type {Promise<WebAssembly.Module>} */
let module;
/** @type {Engine | null} */
let engine = null;
/** Blob of the open model. */
let blob = new Uint8Array();
/** Index of the open model, or -1 for a user's own. */
let open_index = -1;
let prompt = "";

/**
 * Returns the bytes that were packed.
 * @param {Packed} packed
 */
async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

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
  [blob, open_index] = [bytes, index];
  return engine.facts;
}

const calls = {
  /** @param {number} index */
  async open(index) {
    return load(await unpack(data.models[index].blob), index);
  },
  /** @param {ArrayBuffer} blob */
  open_own: (blob) => load(new Uint8Array(blob), -1),
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
    const for_chip = (engine, blob) => (engine.facts.precision === "f32" ? blob : engine.in_layout(program.layout));
    const packed = program.segments.map(async ({ address, bytes }) => ({ address, bytes: await unpack(bytes) }));
    const segments = await Promise.all(packed);
    const built_in = await unpack(data.models[0].blob);
    segments.push({ address: program.model, bytes: for_chip(new Engine(await module, built_in), built_in) });
    const is_built_in = open_index === 0;
    if (!is_built_in) {
      const bytes = for_chip(opened(), blob);
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
  if (message.data) {
    data = message.data;
    module = unpack(data.engine).then((bytes) => WebAssembly.compile(bytes));
    return;
  }
  const { id, call, args } = message;
  try {
    const result = await calls[/** @type {keyof typeof calls} */ (call)](.../** @type {[any, any]} */ (args));
    self.postMessage({ id, result });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
