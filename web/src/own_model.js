/** A model of the user, from a file or dropped on the page. */

import { part } from "./dom.js";

/** Largest file in MiB. */
const MOST = 64;

/**
 * Calls `open` with each file that the user chooses or drops.
 * @param {(name: string, read: () => Promise<ArrayBuffer>) => void} open
 */
export function listenForModels(open) {
  const input = part("own", HTMLInputElement);
  /** @param {File | undefined} file */
  const read = (file) => {
    if (!file) return;
    open(file.name, async () => {
      const size = file.size / 2 ** 20;
      if (size > MOST) throw new Error(`the file has ${size.toFixed(1)} MiB: a model has at most ${MOST} MiB`);
      return await file.arrayBuffer();
    });
  };
  input.addEventListener("change", () => {
    read(input.files?.[0]);
    // The same file can be chosen again.
    input.value = "";
  });
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    document.body.classList.remove("dropping");
    read(event.dataTransfer.files[0]);
  });
}
