// The page as a person uses it: settings in the address, the tree, keyboard, own models, the file for a Pico, sizes.

import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";

import { ask, open, required, start } from "./browser.js";

/** Answers of the host, made by `tests/page.rs`. */
const expected = JSON.parse(fs.readFileSync(required("EXPECTED"), "utf8"));

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  browser = await start();
});
after(() => browser.close());

/**
 * Opens the page and waits until it shows a word.
 * @param {{hash?: string, file?: string} & import("playwright-core").BrowserContextOptions} [options]
 */
async function shown({ file = required("PAGE"), ...options } = {}) {
  const opened = await open(browser, file, options);
  await opened.page.locator("#status").filter({ hasText: "computed" }).waitFor();
  return opened;
}

/** @param {import("playwright-core").Page} page */
function names(page) {
  return page.locator("#words button").evaluateAll((buttons) =>
    buttons.map((button) => (button.firstChild?.textContent ?? "").trim()),
  );
}

test("settings in the address restore the page", async () => {
  const hash = "#seed=1&prompt=ma&temperature=0.7&top-k=5&word=emmanuella&time=4&core=m33&clock=48";
  const { page, faults } = await shown({ hash });
  const list = expected.words.find((/** @type {any} */ { model, sampling }) => model === 1 && sampling.seed === "1");
  const drawn = await names(page);
  assert.ok(drawn.length >= 5);
  assert.deepEqual(drawn, list.words.slice(0, drawn.length));
  const fields = { prompt: "ma", seed: "1", temperature: "0.7", "top-k": "5", time: "4", core: "m33", clock: "48" };
  for (const [id, value] of Object.entries(fields)) {
    assert.equal(await page.locator(`#${id}`).inputValue(), value, id);
  }
  assert.match((await page.locator("#status").textContent()) ?? "", /emma.*3 of 7 nodes computed, 4 kept/);
  // What the person changes goes into the address.
  await page.locator("#time").focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => location.hash.includes("time=5"));
  const before = [await page.locator("#status").textContent(), await page.locator("#tiles").textContent()];
  await page.reload();
  await page.locator("#status").filter({ hasText: "emman" }).waitFor();
  assert.deepEqual([await page.locator("#status").textContent(), await page.locator("#tiles").textContent()], before);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("bad settings in the address are ignored", async () => {
  const hash = "#seed=x&temperature=9&top-k=-1&model=7&time=zz&clock=abc&core=none&word=%F0%9F&prompt=%3Cb%3E";
  const { page, faults } = await open(browser, required("PAGE"), { hash });
  await page.locator("#prompt-error").filter({ hasText: "is not in the model's vocabulary" }).waitFor();
  assert.equal(await page.locator("#seed").inputValue(), "42");
  assert.equal(await page.locator("#temperature").inputValue(), "1");
  await page.locator("#prompt").fill("");
  await page.waitForFunction(() => document.querySelectorAll("#words button").length > 4);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a node opens to its numbers, by keyboard alone", async () => {
  const { page, faults } = await shown({ hash: "#word=emma&time=3" });
  const [, film] = await ask(page, [["open", 0], ["film", "emma"]]);
  const nodes = page.locator("#tree button");
  assert.equal(await nodes.count(), 7);
  for (const [name, level, step] of [
    [/level 2.*computed/i, 2, 3],
    // The older node of level 1 ends four characters earlier: before the word.
    [/level 1.*kept/i, 1, 0],
  ]) {
    const node = page.locator("#tree").getByRole("button", { name: /** @type {RegExp} */ (name) }).first();
    await node.focus();
    await page.keyboard.press("Enter");
    const values = Object.values(film.steps[/** @type {number} */ (step)].levels[/** @type {number} */ (level)]);
    const numbers = await page.locator("#node-values td").allTextContents();
    assert.equal(numbers.length, values.length);
    numbers.forEach((text, index) => {
      const number = Number(text.replace("\u2212", "-"));
      assert.ok(Math.abs(number - /** @type {number} */ (values[index])) < 1e-3, `${index}: ${text}`);
    });
    await page.keyboard.press("Escape");
    await page.locator("#node-panel").waitFor({ state: "hidden" });
    assert.ok(await node.evaluate((element) => element === document.activeElement));
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("Tab reaches every control, and every control has a name", async () => {
  const { page } = await shown();
  const selector = "a[href], button, input, select, [tabindex='0']";
  const controls = await page.locator(selector).evaluateAll((elements) =>
    elements
      .filter((element) => element.checkVisibility() && !(/** @type {HTMLInputElement} */ (element).disabled))
      .map((element) => element.id || (element.textContent ?? "")),
  );
  const reached = new Set();
  for (let press = 0; press < controls.length + 5; press++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent));
  }
  assert.deepEqual(controls.filter((control) => !reached.has(control)), []);
  const snapshot = await page.locator("body").ariaSnapshot();
  const nameless = /- (button|textbox|slider|combobox|spinbutton|link)\s*:?$/;
  assert.deepEqual(snapshot.split("\n").filter((line) => nameless.test(line)), []);
  await page.context().close();
});

test("a word of one's own is scored; an unknown character is refused in the runtime's words", async () => {
  const { page, faults } = await shown();
  await page.locator("#word").fill("emmanuella");
  await page.keyboard.press("Enter");
  await page.locator("#status").filter({ hasText: "emmanuella" }).waitFor();
  const { nll, word } = expected.films.find((/** @type {any} */ film) => film.model === 1);
  const [{ characters }] = await ask(page, [["open", 0]]);
  const tokens = [...Array.from(word), "."].map((character) => characters.indexOf(character));
  const sum = tokens.reduce((sum, token, step) => sum + nll[step][token] / 1e6, 0);
  assert.equal(await page.locator("#sum").textContent(), sum.toFixed(2));
  assert.equal(await page.locator("#guess").textContent(), "3.30");
  await page.locator("#word").fill("Emma");
  await page.keyboard.press("Enter");
  await page.locator("#word-error").filter({ hasText: "character 'E' is not in the model's vocabulary" }).waitFor();
  assert.match((await page.locator("#status").textContent()) ?? "", /emmanuella/);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the bars react to temperature and top-k", async () => {
  const { page } = await shown({ hash: "#word=emma&time=2" });
  const label = async () => (await page.locator("#bars").getAttribute("aria-label")) ?? "";
  const picture = async () => page.locator("#bars").innerHTML();
  const [before, drawn] = [await label(), await picture()];
  await page.locator("#temperature").fill("0");
  await page.waitForFunction((old) => document.getElementById("bars")?.innerHTML !== old, drawn);
  assert.notEqual(await label(), before);
  assert.match(await label(), /100/);
  await page.context().close();
});

test("a user's own model runs, and what is none is refused in the runtime's words", async () => {
  const { page, faults } = await shown();
  const facts = page.locator("#facts");
  const blob = fs.readFileSync(`${required("MODELS")}/tiny.int8.blob`);
  const damaged = Buffer.from(blob);
  damaged[200] ^= 1;
  const files = [damaged, Buffer.alloc(0), Buffer.alloc(5_000_000), blob.subarray(0, 100)];
  for (const [index, buffer] of files.entries()) {
    await page.locator("#own").setInputFiles({ name: "own.blob", mimeType: "application/octet-stream", buffer });
    await page.locator("#own-error").filter({ hasText: expected.refusals[index] }).waitFor();
    assert.match((await facts.textContent()) ?? "", /names\.int8\.blob/);
  }
  await page.locator("#own").setInputFiles({ name: "own.blob", mimeType: "application/octet-stream", buffer: blob });
  await facts.filter({ hasText: "own.blob" }).waitFor();
  await page.locator("#own-error").waitFor({ state: "hidden" });
  // Dropped, too.
  const other = fs.readFileSync(`${required("MODELS")}/tiny.int4.blob`).toString("base64");
  await page.evaluate((base64) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], "dropped.blob"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, other);
  await facts.filter({ hasText: "dropped.blob" }).waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the button for a Pico saves the file of `cargo xtask uf2`", async () => {
  const { page, faults } = await shown();
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#uf2").click()]);
  assert.equal(download.suggestedFilename(), "console-pico.uf2");
  assert.ok(fs.readFileSync(await download.path()).equals(fs.readFileSync(required("UF2"))));
  await page.locator("#uf2-steps").filter({ hasText: "BOOTSEL" }).waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
  const without = await shown({ file: required("PAGE_WITHOUT_PICO") });
  assert.ok(!(await without.page.locator("#uf2").isVisible()));
  await without.page.context().close();
});

test("a page of three shows what differs", async () => {
  const { page, faults } = await shown({ file: required("PAGE_OF_THREE"), hash: "#word=emma" });
  await page.waitForFunction(() => document.querySelectorAll("#differences tr").length === 3);
  const rows = page.locator("#differences tr");
  assert.match((await rows.nth(0).textContent()) ?? "", /298,816/);
  await page.locator("#models input").nth(2).check();
  await page.locator("#facts").filter({ hasText: "int4" }).waitFor();
  await page.waitForFunction(() => location.hash.includes("model=2"));
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the skip link leaves the settings", async () => {
  const { page, faults } = await shown({ hash: "#seed=7&word=emma&time=2" });
  const before = await page.locator("#status").textContent();
  await page.locator(".skip").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "stage");
  assert.equal(await page.locator("#seed").inputValue(), "7");
  assert.equal(await page.locator("#status").textContent(), before);
  assert.ok((await page.evaluate(() => location.hash)).includes("seed=7"));
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a bad file and then another model, both while the page is busy, end in the other model", async () => {
  const own = fs.readFileSync(`${required("MODELS")}/tiny.int8.blob`);
  const bad = { name: "bad.blob", mimeType: "application/octet-stream", buffer: Buffer.alloc(0) };
  const { page, faults } = await shown({ file: required("PAGE_OF_THREE"), hash: "#word=emma" });
  const checked = page.locator("#models label").filter({ has: page.locator(":checked") });
  await page.locator("#measure").click();
  await page.locator("#own").setInputFiles(bad);
  await page.locator("#own").setInputFiles({ ...bad, name: "good.blob", buffer: own });
  await page.locator("#facts").filter({ hasText: "good.blob" }).waitFor();
  assert.equal(await checked.textContent(), "good.blob");
  await page.locator("#measure:enabled").click();
  await page.locator("#own").setInputFiles(bad);
  await page.locator("#models input").nth(2).check();
  await page.locator("#own-error").filter({ hasText: "bad.blob" }).waitFor();
  await page.locator("#facts").filter({ hasText: "names.int4.blob" }).waitFor();
  assert.match((await checked.textContent()) ?? "", /int4/);
  assert.ok(await page.locator("#alert").isHidden());
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("Play stops at a refused beginning", async () => {
  const { page, faults } = await open(browser, required("PAGE"), { hash: "#prompt=Z9" });
  await page.locator("#prompt-error").filter({ hasText: "is not in the model's vocabulary" }).waitFor();
  await page.locator("#speed").selectOption("fast");
  await page.locator("#play").click();
  await page.waitForFunction(() => document.getElementById("play")?.textContent === "Play");
  assert.ok(await page.locator("#prompt-error").isVisible());
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a long word fits a phone", async () => {
  for (const hash of [`#word=${"w".repeat(32)}`, `#word=${"w".repeat(300)}`]) {
    const { page, faults } = await shown({ hash, viewport: { width: 360, height: 800 } });
    await page.locator("#figures .fits").waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 360, `${wide}`);
    assert.deepEqual(faults, []);
    await page.context().close();
  }
});

test("it plays by itself, unless motion is to be reduced", async () => {
  const { page } = await shown({ reducedMotion: "no-preference" });
  const first = await page.locator("#status").textContent();
  await page.waitForFunction((first) => document.getElementById("status")?.textContent !== first, first);
  await page.context().close();
});

test("it fits phones and wide screens, dark and light", async () => {
  for (const width of [360, 1400]) {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      for (const file of [required("PAGE"), required("PAGE_OF_THREE")]) {
        const hash = "#word=emmanuella";
        const { page, faults } = await shown({ file, hash, viewport: { width, height: 800 }, colorScheme });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${wide} at ${width}`);
        const name = `${file.includes("three") ? "three" : "page"}-${width}-${colorScheme}.png`;
        await page.screenshot({ path: `${required("PICTURES")}/${name}`, fullPage: true });
        assert.deepEqual(faults, []);
        await page.context().close();
      }
    }
  }
});
