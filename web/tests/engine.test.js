// The worker inside a page, compared with the host: words, bits, costs, the file for a Pico, refusals.

import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import { after, before, test } from "node:test";

import { ask, open, required, start } from "./browser.js";
import { Plain } from "./plain.js";

/** @typedef {import("../src/types.js").CoreCosts} CoreCosts */

/** Answers of the host, made by `tests/page.rs`. */
const expected = JSON.parse(fs.readFileSync(required("EXPECTED"), "utf8"));
/** A page with f32, int8 and int4. */
const page3 = required("PAGE_OF_THREE");

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  browser = await start();
});
after(() => browser.close());

test("words are those of the host, byte for byte", async () => {
  const { page, faults } = await open(browser, page3);
  assert.equal(expected.words.length, 15);
  for (const { model, sampling, prompt, words } of expected.words) {
    assert.equal(words.length, 200);
    const [facts, , drawn] = await ask(page, [["open", model], ["begin", sampling, prompt], ["next", 200]]);
    assert.deepEqual(drawn, words, `${facts.precision} ${JSON.stringify(sampling)}`);
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("scores and logits are those of the host, bit by bit", async () => {
  const { page } = await open(browser, page3);
  for (const { model, word, nll, logits } of expected.films) {
    const [, film] = await ask(page, [["open", model], ["film", word]]);
    assert.equal(film.steps.length, Array.from(word).length + 1);
    /** @param {Record<string, number>} array typed arrays travel as objects */
    const numbers = (array) => Object.values(array);
    assert.deepEqual(film.steps.map((/** @type {any} */ step) => numbers(step.nll)), nll);
    const bits = film.steps.map((/** @type {any} */ step) => [
      ...new Uint32Array(Float32Array.from(numbers(step.logits)).buffer),
    ]);
    assert.deepEqual(bits, logits);
  }
  await page.context().close();
});

test("the JavaScript that the speed is compared with computes the same network", () => {
  const file = fs.readFileSync(`${required("MODELS")}/names.safetensors`);
  const plain = new Plain(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
  const { word, logits } = expected.films.find((/** @type {any} */ film) => film.model === 0);
  Array.from(["", ...Array.from(word)]).forEach((character, step) => {
    if (character) {
      plain.push(plain.characters.indexOf(character));
    }
    const exact = new Float32Array(Uint32Array.from(logits[step]).buffer);
    exact.forEach((logit, token) => assert.ok(Math.abs(logit - plain.logits[token]) < 1e-4, `step ${step}`));
  });
});

test("the needs of a chip are those of `exporter inspect`", async () => {
  const { page } = await open(browser, page3);
  for (const { model, cores } of expected.costs) {
    /** @type {[unknown, CoreCosts[]]} */
    const [, costs] = /** @type {any} */ (await ask(page, [["open", model], ["costs"]]));
    const shown = costs.map(({ core, chip, clock_hz, needs }) => {
      if (!needs) {
        return { core };
      }
      const { instructions, parts, cycles, ...bytes } = needs;
      assert.equal(Math.round(parts.reduce((sum, part) => sum + part, 0)), Math.round(instructions));
      const rounded = { instructions_per_char: Math.round(instructions), cycles_per_char: Math.round(cycles) };
      return { core, chip, clock_hz, ...bytes, ...rounded };
    });
    assert.deepEqual(shown, cores);
  }
  await page.context().close();
});

test("the file for a Pico is that of `cargo xtask uf2`, byte for byte", async () => {
  const { page } = await open(browser, required("PAGE"));
  const [, file] = await ask(page, [["open", 0], ["uf2"]]);
  assert.equal(file.name, "console-pico.uf2");
  assert.equal(file.is_built_in, true);
  assert.ok(Buffer.from(file.bytes, "base64").equals(fs.readFileSync(required("UF2"))));
  await page.context().close();
});

test("another model goes into the slot", async () => {
  const { page } = await open(browser, page3);
  // The page's program contains the f32 model, and cannot run integers.
  const [, refused] = await ask(page, [["open", 1], ["uf2"]]);
  assert.match(refused, /^error: the program in this page runs f32, not int8/);
  await page.context().close();
  const two = await open(browser, required("PAGE_OF_INT4"));
  const [, file] = await ask(two.page, [["open", 1], ["uf2"]]);
  assert.equal(file.is_built_in, false);
  assert.ok(Buffer.from(file.bytes, "base64").equals(fs.readFileSync(required("UF2_WITH_SLOT"))));
  await two.page.context().close();
});

test("a page without a program says so", async () => {
  const { page } = await open(browser, required("PAGE_WITHOUT_PICO"));
  const [, refused] = await ask(page, [["open", 0], ["uf2"]]);
  assert.equal(refused, "error: this page was made without a program for a Pico");
  await page.context().close();
});

test("a server may name any encoding", async () => {
  const server = http.createServer((_, response) => {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(fs.readFileSync(required("PAGE")));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  const [facts] = await ask(page, [["open", 0]]);
  assert.equal(facts.precision, "int8");
  await page.close();
  server.close();
});

test("any bytes are a model or are refused in the runtime's words", async () => {
  /** @param {string} name */
  const file = (name) => fs.readFileSync(`${required("MODELS")}/${name}`);
  const blob = file("tiny.int8.blob");
  const damaged = Buffer.from(blob);
  damaged[200] ^= 1;
  const blobs = [blob, damaged, Buffer.alloc(0), Buffer.alloc(5_000_000), blob.subarray(0, 100), file("tiny.blob")];
  const { page } = await open(browser, required("PAGE"));
  const calls = blobs.map((bytes) => ["openOwn", { base64: bytes.toString("base64") }]);
  const answers = await ask(page, /** @type {[string, unknown][]} */ (calls));
  const [first, ...refusals] = answers.slice(0, 5);
  assert.equal(first.precision, "int8");
  assert.deepEqual(refusals, expected.refusals.map((/** @type {string} */ words) => `error: ${words}`));
  assert.equal(answers[5].precision, "f32");
  await page.context().close();
});
