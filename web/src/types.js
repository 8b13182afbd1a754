// Types that the page and its worker share. The file has no code.

/**
 * Facts about a model, from its blob.
 * @typedef {object} Facts
 * @property {"f32" | "int8" | "int4"} precision number format
 * @property {string} activation `tanh`, `gated` or `relu`
 * @property {boolean} skip true if the output layer reads all levels
 * @property {string[]} characters the character of each token; `.` for token 0, the boundary
 * @property {number} n_embd values per embedding
 * @property {number} block_size characters that a prediction sees
 * @property {LevelFacts[]} levels from the characters up
 * @property {number} bytes size of the blob
 * @property {number} parameters number of parameters of the folded network
 * @property {number} macs multiply-accumulates per character
 */

/**
 * Dimensions of a level.
 * @typedef {object} LevelFacts
 * @property {number} fuse number of neighbours that a node joins
 * @property {number} width values of a node
 * @property {number} receptive_field characters that a node sees
 * @property {boolean} is_observed false if the model looks this level up together with the next one, so that its
 *   values do not exist
 */

/**
 * The model after the start of a word, or after one more character.
 * @typedef {object} Step
 * @property {Float32Array[]} levels output of the newest node of each level; empty where `is_observed` is false
 * @property {Float32Array} logits one per token, in nats
 * @property {Uint32Array} nll negative log-likelihood of each token as the next character, in millionths of a nat
 */

/**
 * A word as the model sees it: `steps[0]` is the start, `steps[n]` is after `n` characters.
 * @typedef {object} Film
 * @property {string[]} characters
 * @property {Step[]} steps one more than characters
 */

/**
 * Settings for drawing words.
 * @typedef {object} Sampling
 * @property {string} seed an integer from 0 to 2^64 - 1, in decimal
 * @property {number} temperature_milli temperature in thousandths, 0 to 65535; 0 always takes the most probable
 *   character
 * @property {number} top_k number of most probable characters to draw from; 0 for all
 */

/**
 * What a model needs on a core. The figures are those of `exporter inspect`.
 * @typedef {object} CoreCosts
 * @property {string} core name of the core, such as `m4`
 * @property {string} core_name name to show, such as `Cortex-M4`
 * @property {string} chip a chip with this core
 * @property {number} clock_hz its fastest clock
 * @property {number} chip_flash_bytes
 * @property {number} chip_ram_bytes
 * @property {Needs | null} needs null if f32 on this core is not predicted, because it has no FPU
 */

/**
 * @typedef {object} Needs
 * @property {number} model_bytes model in the layout of this core
 * @property {number} code_bytes program `generate` without the model
 * @property {number} state_bytes buffers of the running model
 * @property {number} rest_bytes other static RAM of the program
 * @property {number} stack_bytes deepest stack of the program
 * @property {number} instructions predicted per character
 * @property {number[]} parts the instructions of each level, of the output layer, of drawing, and of the rest
 * @property {number} cycles estimated per character at `clock_hz`
 * @property {boolean} fits true if program and model fit the chip
 */

/**
 * Calls that the page makes; the worker answers each with a promise. An error has the runtime's own words.
 * @typedef {object} Calls
 * @property {(model: number) => Promise<Facts>} open loads one of the page's models by its index
 * @property {(blob: ArrayBuffer) => Promise<Facts>} openOwn loads a user's model
 * @property {(sampling: Sampling, prompt: string) => Promise<void>} begin starts a list of words
 * @property {(count: number) => Promise<string[]>} next returns the next words of the list
 * @property {(word: string) => Promise<Film>} film computes a word
 * @property {() => Promise<CoreCosts[]>} costs returns the needs of the open model on each core
 * @property {(milliseconds: number) => Promise<number>} speed draws words for a time and returns characters per second
 * @property {() => Promise<PicoFile>} uf2 makes the file with the console and the open model for a Pico
 */

/**
 * @typedef {object} PicoFile
 * @property {string} name
 * @property {Uint8Array} bytes
 * @property {boolean} is_built_in true if the program contains the model; false if the model is in the slot
 */

/**
 * A model of the page, before it is opened.
 * @typedef {object} PageModel
 * @property {string} name file name
 * @property {"f32" | "int8" | "int4"} precision
 * @property {number} bytes
 */

export {};
