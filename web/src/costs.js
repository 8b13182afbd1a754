// Memory and time of a model on chips: the figures of `exporter inspect`, from the same counts and the same table.

/** @typedef {import("./types.js").CoreCosts} CoreCosts */

/**
 * Countable work of a model on a core, without measured costs.
 * @typedef {object} Work
 * @property {string} core
 * @property {string | null} board emulated board on which the core's costs were measured; null if f32 is not predicted
 * @property {string} chip
 * @property {number} clock_hz
 * @property {number} wait_states
 * @property {number} flash_read_bytes
 * @property {number} chip_flash_bytes
 * @property {number} chip_ram_bytes
 * @property {number} model_bytes
 * @property {number} state_bytes
 * @property {number} bytes_read bytes of the model that are read per character
 * @property {Record<string, number>[]} parts number of units of each term
 */

/**
 * A row of `exporter/data/costs.json`.
 * @typedef {object} Row
 * @property {string} board
 * @property {string} precision
 * @property {Record<string, number>} coefficients instructions per unit of each term
 * @property {number} cycles_per_instruction
 * @property {number} code_bytes
 * @property {number} ram_bytes
 * @property {number} stack_bytes
 */

/**
 * Returns the needs of a model on each core.
 * @param {Work[]} works
 * @param {string} precision
 * @param {Row[]} rows
 * @returns {CoreCosts[]}
 */
export function costs(works, precision, rows) {
  return works.map((work) => {
    const { core, chip, clock_hz, chip_flash_bytes, chip_ram_bytes } = work;
    const row = rows.find((row) => row.board === work.board && row.precision === precision);
    const core_name = core.startsWith("m") ? `Cortex-${core.toUpperCase()}` : core;
    const needs = row ? needsOf(work, row) : null;
    return { core, core_name, chip, clock_hz, chip_flash_bytes, chip_ram_bytes, needs };
  });
}

/**
 * @param {Work} work
 * @param {Row} row
 */
function needsOf(work, row) {
  const parts = work.parts.map((terms) => sum(terms, row.coefficients));
  const instructions = parts.reduce((total, part) => total + part, 0);
  const waiting = (work.wait_states * work.bytes_read) / work.flash_read_bytes;
  const { model_bytes, state_bytes } = work;
  const flash = model_bytes + row.code_bytes;
  const ram = state_bytes + row.ram_bytes + row.stack_bytes;
  return {
    model_bytes,
    code_bytes: row.code_bytes,
    state_bytes,
    rest_bytes: row.ram_bytes,
    stack_bytes: row.stack_bytes,
    instructions,
    parts,
    cycles: instructions * row.cycles_per_instruction + waiting,
    fits: flash <= work.chip_flash_bytes && ram <= work.chip_ram_bytes,
  };
}

/**
 * @param {Record<string, number>} terms
 * @param {Record<string, number>} coefficients
 */
function sum(terms, coefficients) {
  return Object.entries(terms).reduce((total, [name, count]) => total + count * (coefficients[name] ?? 0), 0);
}
