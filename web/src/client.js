/** The page's side of the worker: each call is a promise. */

/** @typedef {import("./types.js").Calls} Calls */

/**
 * The calls by name. After the worker has failed, each call is refused.
 * @typedef {{[K in keyof Calls]: Calls[K]}} Engine
 */

/**
 * Starts a worker with the parts of the page. The worker gets one call at a time, so that calls never overlap.
 * @param {Uint8Array[]} parts
 * @returns {Engine}
 */
export function startEngine(parts) {
  const source = new TextDecoder().decode(parts[2]);
  const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  /** @type {{resolve: (result: any) => void, reject: (error: Error) => void} | null} */
  let waiting = null;
  /** @type {Error | null} */
  let failure = null;
  let id = 0;
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  worker.onmessage = ({ data: answer }) => {
    if (answer.id !== id || !waiting) return;
    if (answer.error === undefined) waiting.resolve(answer.result);
    else waiting.reject(new Error(answer.error));
  };
  worker.onerror = (event) => {
    failure = new Error(`the worker of the page stopped: ${event.message || "it could not start"}`);
    waiting?.reject(failure);
  };
  worker.postMessage({ parts });

  /**
   * @param {string} call
   * @param {unknown[]} args
   */
  const send = (call, args) => new Promise((resolve, reject) => {
    if (failure) {
      reject(failure);
      return;
    }
    waiting = { resolve, reject };
    id += 1;
    worker.postMessage({ id, call, args });
  });
  /** @param {string} call */
  const caller = (call) => (/** @type {unknown[]} */ ...args) => {
    const answer = last.then(() => send(call, args));
    last = answer.catch(() => {});
    return answer;
  };
  const names = ["open", "openOwn", "begin", "next", "film", "costs", "speed", "uf2"];
  return /** @type {any} */ (Object.fromEntries(names.map((name) => [name, caller(name)])));
}
