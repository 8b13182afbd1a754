// The same network as plain JavaScript loops over the f32 weights, as a page without the runtime would have it. It
// keeps the nodes of earlier characters, as the runtime does.

/**
 * A matrix of weights, row by row, with biases.
 * @typedef {object} Linear
 * @property {Float32Array} weight
 * @property {Float32Array} bias
 */

/** A folded model with gated units and skip connections. */
export class Plain {
  /** @param {ArrayBuffer} file safetensors */
  constructor(file) {
    const length = Number(new DataView(file).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length)));
    const facts = header.__metadata__;
    if (facts.activation !== "gated" || facts.skip !== "true") {
      throw new Error("only gated units with skip connections");
    }
    /** @param {string} name */
    const tensor = (name) => {
      const [start, end] = header[name].data_offsets;
      return new Float32Array(file.slice(8 + length + start, 8 + length + end));
    };
    /** @param {string} name @returns {Linear} */
    const linear = (name) => ({ weight: tensor(`${name}.weight`), bias: tensor(`${name}.bias`) });
    this.embedding = tensor("embedding.weight");
    this.n_embd = Number(facts.n_embd);
    /** @type {string[]} */
    this.characters = Array.from(facts.vocab);
    let dilation = 1;
    /** @type {{fuse: number, width: number, dilation: number, linear: Linear}[]} */
    this.levels = facts.levels.split(",").map((/** @type {string} */ text, /** @type {number} */ index) => {
      const [fuse, width] = text.split(":").map(Number);
      const level = { fuse, width, dilation, linear: linear(`levels.${index}.linear`) };
      dilation *= fuse;
      return level;
    });
    this.output = linear("output");
    /** @type {Float32Array[][]} the inputs of each level, oldest first */
    this.rings = [];
    this.logits = this.output.bias;
    this.reset();
  }

  /** Returns to the start of a word. */
  reset() {
    this.rings = this.levels.map(() => []);
    this.push(0);
  }

  /**
   * Takes a character and returns the logits for the next one.
   * @param {number} token
   */
  push(token) {
    let hidden = this.embedding.subarray(token * this.n_embd, (token + 1) * this.n_embd);
    /** @type {Float32Array[]} */
    const outputs = [];
    this.levels.forEach((level, index) => {
      const ring = this.rings[index];
      const need = (level.fuse - 1) * level.dilation + 1;
      ring.push(hidden);
      while (ring.length < need) {
        ring.unshift(hidden);
      }
      if (ring.length > need) {
        ring.shift();
      }
      const inputs = [];
      for (let at = 0; at < need; at += level.dilation) {
        inputs.push(ring[at]);
      }
      const rows = apply(level.linear, joined(inputs));
      const values = new Float32Array(level.width);
      for (let row = 0; row < level.width; row++) {
        values[row] = Math.tanh(rows[row]) * (0.5 + 0.5 * Math.tanh(rows[level.width + row]));
      }
      hidden = values;
      outputs.push(values);
    });
    this.logits = apply(this.output, joined(outputs));
    return this.logits;
  }

  /** Draws a word with the browser's random numbers, and returns its number of characters, the end included. */
  draw() {
    this.reset();
    for (let count = 1; ; count++) {
      const { logits } = this;
      const largest = logits.reduce((a, b) => Math.max(a, b));
      const weights = logits.map((logit) => Math.exp(logit - largest));
      let left = Math.random() * weights.reduce((a, b) => a + b);
      let token = 0;
      while (token + 1 < weights.length && left >= weights[token]) {
        left -= weights[token];
        token++;
      }
      if (token === 0 || count > 32) {
        return count;
      }
      this.push(token);
    }
  }
}

/** @param {Float32Array[]} parts */
function joined(parts) {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {Linear} linear @param {Float32Array} input */
function apply({ weight, bias }, input) {
  const output = new Float32Array(bias.length);
  for (let row = 0, at = 0; row < bias.length; row++) {
    let sum = bias[row];
    for (let column = 0; column < input.length; column++, at++) {
      sum += weight[at] * input[column];
    }
    output[row] = sum;
  }
  return output;
}
