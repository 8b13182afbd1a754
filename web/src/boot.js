// Unpacks the page: its body, style, scripts, runtime and models are one gzip stream in the element `packed`.
//
// Each character of the element is 15 bits of the stream, above U+3400; `xtask/src/page/pack.rs` writes them.

/** Returns the parts of the page. */
async function partsOfPage() {
  const text = (/** @type {HTMLElement} */ (document.getElementById("packed")).textContent ?? "").trim();
  const packed = new Uint8Array(Math.floor((15 * text.length) / 8));
  let [bits, count, length] = [0, 0, 0];
  for (let at = 0; at < text.length; at++) {
    bits = (bits << 15) | (text.charCodeAt(at) - 0x3400);
    for (count += 15; count >= 8; count -= 8) {
      packed[length++] = bits >> (count - 8);
    }
    bits &= (1 << count) - 1;
  }
  // The first four bytes are the length of the stream.
  const end = 4 + new DataView(packed.buffer).getUint32(0, true);
  const stream = new Blob([packed.subarray(4, end)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  const view = new DataView(bytes);
  const parts = view.getUint32(0, true);
  let at = 4 + 4 * parts;
  return Array.from({ length: parts }, (_, part) => {
    const start = at;
    at += view.getUint32(4 + 4 * part, true);
    return new Uint8Array(bytes, start, at - start);
  });
}

/** Shows the page and starts its script, which reads the other parts from `window.parts`. */
async function boot() {
  const parts = await partsOfPage();
  /** @type {any} */ (window).parts = parts;
  const [, script, , style, body] = parts.slice(0, 5).map((part) => new TextDecoder().decode(part));
  const elements = { style: document.createElement("style"), script: document.createElement("script") };
  elements.style.textContent = style;
  document.head.append(elements.style);
  document.body.innerHTML = body;
  elements.script.type = "module";
  elements.script.textContent = script;
  document.head.append(elements.script);
}

boot().catch((error) => {
  const message = document.createElement("p");
  message.setAttribute("role", "alert");
  message.textContent = `The page cannot start: ${error}. It needs a browser of 2023 or newer.`;
  document.body.replaceChildren(message);
});
