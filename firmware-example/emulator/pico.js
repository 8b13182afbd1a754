// A Raspberry Pi Pico: rp2040js with the program in flash, a wire on its UART and a computer on its USB connector.

import { LogLevel, ConsoleLogger, RP2040 } from 'rp2040js';
import { Computer } from './computer.js';

const FLASH = 0x10000000;
/** Stack of the boot ROM, which the second stage of the boot loader uses: RP2040 datasheet, 2.8.1. */
const BOOT_STACK = 0x20041f00;
const NANOSECONDS_PER_CYCLE = 8;
/** Cortex-M0+ Devices Generic User Guide, 4.3.4: the register, its key, and the bit that restarts the chip. */
const AIRCR = 0xd0c;
const AIRCR_RESET = 0x05fa0004;
const AIRCR_MASK = 0xffff0004;
/** Pin of the light. */
const LED = 25;

export class Pico {
  /**
   * @param {{address: number, bytes: Uint8Array}[]} pages contents of flash
   * @param {object} on
   * @param {(byte: number) => void} on.uart called with each byte that the UART sends
   * @param {(bytes: Uint8Array) => void} on.usb called with the bytes that the computer reads
   * @param {(event: string) => void} on.event called when something happens to the board
   */
  constructor(pages, on) {
    this.pages = pages;
    this.on = on;
    this.instructions = 0;
    this.cycles = 0;
    this.toggles = 0;
    this.restart();
  }

  /** Starts the chip from reset. */
  restart() {
    const before = this.computer;
    const chip = new RP2040();
    chip.logger = new ConsoleLogger(LogLevel.Error, true);
    for (const { address, bytes } of this.pages) {
      chip.flash.set(bytes, address - FLASH);
    }
    // The boot ROM enters the second stage like this. The second stage then jumps to the program's vector table.
    chip.core.registers[13] = BOOT_STACK;
    chip.core.registers[14] = 0;
    chip.core.PC = FLASH;
    chip.uart[0].onByte = this.on.uart;
    this.computer = new Computer(chip.usbCtrl, this.on.usb, this.on.event);
    if (before !== undefined) {
      before.finish();
      this.computer.isPlugged = before.isPlugged;
      this.computer.isOpen = before.isOpen;
      this.computer.isReading = before.isReading;
    }
    // rp2040js enters a handler with the lowest bit of its address set, so that relative jumps miss.
    const exceptionEntry = chip.core.exceptionEntry.bind(chip.core);
    chip.core.exceptionEntry = (number) => {
      exceptionEntry(number);
      chip.core.PC &= ~1;
    };
    const writeUint32 = chip.ppb.writeUint32.bind(chip.ppb);
    chip.ppb.writeUint32 = (offset, value) => {
      if (offset === AIRCR && (value & AIRCR_MASK) >>> 0 === AIRCR_RESET) {
        this.isResetting = true;
      } else {
        writeUint32(offset, value);
      }
    };
    chip.gpio[LED].addListener(() => {
      this.toggles += 1;
    });
    this.isResetting = false;
    /** Bytes on the wire to the UART. @type {number[]} */
    this.typed = [];
    this.chip = chip;
  }

  /** Runs the program for a number of cycles. @param {number} cycles */
  run(cycles) {
    const end = this.cycles + cycles;
    while (this.cycles < end) {
      const { chip } = this;
      if (chip.core.waiting) {
        // The processor sleeps until an interrupt.
        const nanoseconds = Math.max(chip.clock.nanosToNextAlarm, NANOSECONDS_PER_CYCLE);
        const slept = Math.min(nanoseconds, (end - this.cycles) * NANOSECONDS_PER_CYCLE);
        chip.clock.tick(slept);
        this.cycles += slept / NANOSECONDS_PER_CYCLE;
        continue;
      }
      const spent = chip.core.executeInstruction();
      chip.clock.tick(spent * NANOSECONDS_PER_CYCLE);
      this.instructions += 1;
      this.cycles += spent;
      if (this.isResetting) {
        this.restart();
        this.on.event('reset');
      }
    }
    this.feed();
  }

  /** Types bytes on the wire to the UART. @param {Uint8Array} bytes */
  typeOnUart(bytes) {
    this.typed.push(...bytes);
    this.feed();
  }

  /** Passes bytes to the UART while its buffer is empty, as slowly as a careful person types. */
  feed() {
    const { rxFIFO } = this.chip.uart[0];
    while (this.typed.length > 0 && rxFIFO.empty) {
      this.chip.uart[0].feedByte(/** @type {number} */ (this.typed.shift()));
    }
  }
}
