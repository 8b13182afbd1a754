// Runs a UF2 file on an emulated Pico. xtask/src/pico.rs starts it: commands come as JSON lines on stdin, and what the
// board sends leaves as JSON lines on stdout.
//
//   { "uart": "6d610d" }   type bytes on the wire to the UART, in hexadecimal digits; "usb" types on the computer
//   { "do": "unplug" }     pull the USB cable; also plug, close and open (the terminal program), stop and go (reading)
//   { "run": 1000000 }     send { "event": "ran" } after so many cycles
//   { "count": true }      send { "instructions": .., "cycles": .., "toggles": .. }; toggles are those of the light

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { Pico } from './pico.js';
import { readUf2 } from './uf2.js';

/** Cycles between two looks at stdin: less time than a byte takes on the wire. */
const SLICE = 10_000;
/** Slices between two turns of node's event loop. */
const SLICES = 50;

/** @param {object} message */
const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
/** @param {Iterable<number>} bytes */
const hex = (bytes) => Buffer.from(Uint8Array.from(bytes)).toString('hex');

const [file] = process.argv.slice(2);
/** Bytes that the UART sent in this turn. @type {number[]} */
let sent = [];
const pico = new Pico(readUf2(readFileSync(file)), {
  uart: (byte) => sent.push(byte),
  usb: (bytes) => send({ usb: hex(bytes) }),
  event: (event) => send({ event }),
});
/** Cycle at which a command `run` ends. */
let end = Infinity;

/** @type {Record<string, () => void>} */
const actions = {
  unplug: () => pico.computer.unplug(),
  plug: () => pico.computer.plug(),
  close: () => pico.computer.setOpen(false),
  open: () => pico.computer.setOpen(true),
  stop: () => pico.computer.setReading(false),
  go: () => pico.computer.setReading(true),
};

/** @param {string} line */
function obey(line) {
  const command = JSON.parse(line);
  if (command.uart !== undefined) pico.typeOnUart(Buffer.from(command.uart, 'hex'));
  if (command.usb !== undefined) pico.computer.type(Buffer.from(command.usb, 'hex'));
  if (command.do !== undefined) actions[command.do]();
  if (command.run !== undefined) end = pico.cycles + command.run;
  if (command.count !== undefined) {
    const { instructions, cycles, toggles } = pico;
    send({ instructions, cycles, toggles });
  }
}

function turn() {
  for (let slice = 0; slice < SLICES && pico.cycles < end; slice += 1) {
    pico.run(Math.min(SLICE, end - pico.cycles));
  }
  if (sent.length > 0) {
    send({ uart: hex(sent) });
    sent = [];
  }
  if (pico.cycles >= end) {
    end = Infinity;
    send({ event: 'ran' });
  }
  setImmediate(turn);
}

createInterface({ input: process.stdin })
  .on('line', obey)
  .on('close', () => process.exit(0));
turn();
