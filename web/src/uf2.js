// Makes a UF2 file, which a Pico accepts on its USB drive, as `xtask/src/uf2.rs` does.

/**
 * Bytes for the flash, from an address on.
 * @typedef {object} Segment
 * @property {number} address
 * @property {Uint8Array} bytes
 */

const MAGIC_START = [0x0a324655, 0x9e5d5157];
const MAGIC_END = 0x0ab16f30;
/** Flag: the block contains the family's number. */
const FLAG_FAMILY = 0x2000;
/** Bytes of a block, and of the flash that it writes. */
const BLOCK = 512;
const PAYLOAD = 256;
/** Value of unwritten bytes, equal to erased flash. */
const ERASED = 0xff;

/**
 * Returns the file for these segments.
 * @param {Segment[]} segments
 * @param {number} family number by which the chip's boot ROM recognizes its files
 */
export function uf2(segments, family) {
  // A block writes a whole page of flash, which two segments may share.
  /** @type {Map<number, Uint8Array>} */
  const pages = new Map();
  for (const { address, bytes } of segments) {
    bytes.forEach((byte, index) => {
      const offset = (address + index) % PAYLOAD;
      const page = address + index - offset;
      if (!pages.has(page)) {
        pages.set(page, new Uint8Array(PAYLOAD).fill(ERASED));
      }
      /** @type {Uint8Array} */ (pages.get(page))[offset] = byte;
    });
  }
  const file = new Uint8Array(pages.size * BLOCK);
  const view = new DataView(file.buffer);
  const sorted = [...pages].sort(([a], [b]) => a - b);
  sorted.forEach(([address, payload], number) => {
    const header = [...MAGIC_START, FLAG_FAMILY, address, PAYLOAD, number, pages.size, family];
    header.forEach((word, index) => view.setUint32(number * BLOCK + 4 * index, word, true));
    file.set(payload, number * BLOCK + 4 * header.length);
    view.setUint32((number + 1) * BLOCK - 4, MAGIC_END, true);
  });
  return file;
}
