// Reads UF2 files as the boot ROM of the RP2040 does: https://github.com/microsoft/uf2

const BLOCK = 512;
const MAGIC_START = [0x0a324655, 0x9e5d5157];
const MAGIC_END = 0x0ab16f30;
const FLAG_NOT_FOR_FLASH = 1;
const FLAG_FAMILY = 0x2000;
const FAMILY_RP2040 = 0xe48bff56;

/**
 * Returns the pages of flash that a file writes.
 * @param {Buffer} file
 * @returns {{address: number, bytes: Buffer}[]}
 */
export function readUf2(file) {
  if (file.length === 0 || file.length % BLOCK !== 0) {
    throw new Error(`a UF2 file has whole blocks of ${BLOCK} bytes, not ${file.length} bytes`);
  }
  const pages = [];
  for (let at = 0; at < file.length; at += BLOCK) {
    const word = (/** @type {number} */ index) => file.readUInt32LE(at + 4 * index);
    if (word(0) !== MAGIC_START[0] || word(1) !== MAGIC_START[1] || word(127) !== MAGIC_END) {
      throw new Error(`block ${at / BLOCK} is no UF2 block`);
    }
    if (word(2) & FLAG_NOT_FOR_FLASH || !(word(2) & FLAG_FAMILY) || word(7) !== FAMILY_RP2040) {
      throw new Error(`block ${at / BLOCK} is not for the flash of an RP2040`);
    }
    pages.push({ address: word(3), bytes: file.subarray(at + 32, at + 32 + word(4)) });
  }
  return pages;
}
