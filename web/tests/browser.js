// Starts headless Chromium and opens pages in it.

import { chromium } from "playwright-core";

/** Quiet, without a user's profile, and without Chromium's own connections. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts the browser that the environment variable CHROMIUM names. */
export function start() {
  return chromium.launch({ executablePath: required("CHROMIUM"), args: ARGS });
}

/**
 * Returns the value of an environment variable, which `tests/page.rs` sets.
 * @param {string} name
 */
export function required(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run cargo test -p tests --test page`);
  }
  return value;
}

/**
 * A page, and everything that it must not do: `faults` has its errors and its requests.
 * @typedef {object} Opened
 * @property {import("playwright-core").Page} page
 * @property {string[]} faults
 */

/**
 * Opens a file as a double click does.
 * @param {import("playwright-core").Browser} browser
 * @param {string} file
 * @param {{hash?: string} & import("playwright-core").BrowserContextOptions} [options]
 * @returns {Promise<Opened>}
 */
export async function open(browser, file, { hash = "", ...options } = {}) {
  const context = await browser.newContext({ reducedMotion: "reduce", acceptDownloads: true, ...options });
  const page = await context.newPage();
  /** @type {string[]} */
  const faults = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) {
      faults.push(`console: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!["blob:", "data:"].some((own) => url.startsWith(own)) && url.split("#")[0] !== `file://${file}`) {
      faults.push(`request: ${url}`);
    }
  });
  await page.goto(`file://${file}${hash}`);
  return { page, faults };
}

/**
 * Makes calls to a worker of its own in the page, one after the other, and returns the answers; an error is a string
 * after `error: `. Bytes are base64: those of a file in an answer, and an argument `{base64}`, which becomes a buffer.
 * @param {import("playwright-core").Page} page
 * @param {[string, ...unknown[]][]} calls
 * @returns {Promise<any[]>}
 */
export async function ask(page, calls) {
  await page.waitForFunction(() => "parts" in window);
  return page.evaluate(async (calls) => {
    /** @type {Uint8Array[]} */
    const parts = /** @type {any} */ (window).parts;
    const text = new TextDecoder().decode(parts[2]);
    const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    worker.postMessage({ parts });
    /** @param {any} value */
    const decoded = (value) =>
      typeof value?.base64 === "string"
        ? Uint8Array.from(atob(value.base64), (character) => character.charCodeAt(0)).buffer
        : value;
    /** @type {any[]} */
    const answers = [];
    for (const [id, [call, ...args]] of calls.entries()) {
      const answer = new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
      worker.postMessage({ id, call, args: args.map(decoded) });
      const { result, error } = (await answer).data;
      if (result?.bytes instanceof Uint8Array) {
        let binary = "";
        result.bytes.forEach((/** @type {number} */ byte) => (binary += String.fromCharCode(byte)));
        result.bytes = btoa(binary);
      }
      answers.push(error === undefined ? result : `error: ${error}`);
    }
    worker.terminate();
    return answers;
  }, calls);
}
