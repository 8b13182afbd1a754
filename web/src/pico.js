/** The file for a Pico with the open model. */

import { make, part, say } from "./dom.js";

/** @typedef {import("./client.js").Engine} Engine */

/**
 * Connects the button that downloads the file.
 * @param {Engine} engine
 */
export function listenForPico(engine) {
  const button = part("uf2", HTMLButtonElement);
  const alert = part("uf2-error", HTMLElement);
  button.addEventListener("click", async () => {
    button.disabled = true;
    say(alert, "");
    try {
      const { name, bytes, is_built_in } = await engine.uf2();
      // A copy is certainly not in shared memory, as Blob requires.
      const url = URL.createObjectURL(new Blob([new Uint8Array(bytes)], { type: "application/octet-stream" }));
      make("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60000);
      part("uf2-name", HTMLElement).textContent = name;
      part("uf2-place", HTMLElement).textContent = is_built_in
        ? "The program contains the model."
        : "The file has the program, and the model in the slot.";
      part("uf2-steps", HTMLElement).hidden = false;
    } catch (error) {
      say(alert, error);
    }
    button.disabled = false;
  });
}
