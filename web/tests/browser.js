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
 * after `error: `. Bytes of an answer become base64.
 * @param {import("playwright-core").Page} page
 * @param {[string, ...unknown[]][]} calls
 * @returns {Promise<any[]>}
 */
export function ask(page, calls) {
  return page.evaluate(async (calls) => {
    const text = /** @type {HTMLElement} */ (document.getElementById("worker-source")).textContent ?? "";
    const data = /** @type {HTMLElement} */ (document.getElementById("data")).textContent ?? "";
    const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    worker.postMessage({ data: JSON.parse(data) });
    /** @type {any[]} */
    const answers = [];
    for (const [id, [call, ...args]] of calls.entries()) {
      const answer = new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
      worker.postMessage({ id, call, args });
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
