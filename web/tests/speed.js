// Measures characters per second in the page, in turns: the runtime in each precision, and plain JavaScript loops.

import { ask, open, required, start } from "./browser.js";

const TURNS = 5;
const MILLISECONDS = 1000;

const browser = await start();
const { page } = await open(browser, required("PAGE_OF_THREE"));
const { page: other } = await open(browser, required("PLAIN"));
/** @type {Record<string, number[]>} */
const figures = { f32: [], int8: [], int4: [], plain: [] };
for (let turn = 0; turn < TURNS; turn++) {
  for (const [model, precision] of ["f32", "int8", "int4"].entries()) {
    const [, speed] = await ask(page, [["open", model], ["speed", MILLISECONDS]]);
    figures[precision].push(speed);
  }
  const plain = await other.evaluate((milliseconds) => {
    const { model } = /** @type {any} */ (window);
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < milliseconds) {
      count += model.draw();
    }
    return (1000 * count) / (performance.now() - start);
  }, MILLISECONDS);
  figures.plain.push(plain);
}
await browser.close();
console.log(JSON.stringify(figures));
