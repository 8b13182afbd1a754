// Unpacks the page: its scripts, the runtime and the models are one gzip stream in the element `packed`.
//
// The file is in the encoding windows-1252, in which each byte is a character. Bytes that HTML would change, and `=`,
// are `=` and the byte plus 64: `xtask/src/page/pack.rs` writes them.

/** Returns the parts of the page. */
async function partsOfPage() {
  const decoder = new TextDecoder("windows-1252");
  const byteOf = new Map(Array.from({ length: 256 }, (_, byte) => [decoder.decode(Uint8Array.of(byte)), byte]));
  const text = /** @type {HTMLElement} */ (document.getElementById("packed")).textContent ?? "";
  const packed = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const isEscaped = text[at] === "=";
    const byte = byteOf.get(text[isEscaped ? ++at : at]) ?? 0;
    packed[length++] = isEscaped ? byte - 64 : byte;
  }
  const stream = new Blob([packed.subarray(0, length)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  const view = new DataView(bytes);
  const count = view.getUint32(0, true);
  let at = 4 + 4 * count;
  return Array.from({ length: count }, (_, part) => {
    const start = at;
    at += view.getUint32(4 + 4 * part, true);
    return new Uint8Array(bytes, start, at - start);
  });
}

/** Starts the script of the page, which reads the other parts from `window.parts`. */
async function boot() {
  const parts = await partsOfPage();
  /** @type {any} */ (window).parts = parts;
  const script = document.createElement("script");
  script.type = "module";
  script.textContent = new TextDecoder().decode(parts[1]);
  document.body.append(script);
}

boot().catch((error) => {
  const message = document.createElement("p");
  message.setAttribute("role", "alert");
  message.textContent = `This browser cannot show the page (${error}). It needs a browser of 2023 or newer.`;
  document.body.prepend(message);
});
