// The computer at the other end of the USB cable: enumerates the board, opens its serial port, reads and writes.

import { createSetupPacket, DataDirection, SetupRecipient, SetupType, USBCDC } from 'rp2040js';

const SET_CONTROL_LINE_STATE = 0x22;
const DTR_AND_RTS = 0b11;
/** Bits of the controller's registers: RP2040 datasheet, 4.1.4. */
const BUFFER_AVAILABLE = 1 << 10;
const SIE_STATUS = 0x50;
const SUSPENDED = 1 << 4;
/** Offset of the first buffer control in the controller's memory that is not of endpoint 0. */
const FIRST_BUFFER_CONTROL = 0x88;
/** Offset of the buffer control of endpoint 0 for packets to the board. */
const FIRST_OUT_BUFFER_CONTROL = 0x84;
const LAST_BUFFER_CONTROL = 0xff;
const MAX_PACKET = 64;

/** rp2040js's host for CDC, with a cable that can be pulled out and a terminal program that can stop. */
export class Computer extends USBCDC {
  /**
   * @param {import('rp2040js').RPUSBController} usb the board's controller
   * @param {(bytes: Uint8Array) => void} onReceived called with the bytes that the terminal program reads
   * @param {(event: string) => void} onEvent called when the board is enumerated
   */
  constructor(usb, onReceived, onEvent) {
    super(usb);
    this.isPlugged = true;
    this.isOpen = true;
    this.isReading = true;
    this.onSerialData = onReceived;
    /** Bytes typed but not yet sent. @type {number[]} */
    this.typed = [];
    /** Sizes of the board's empty buffers for input, by endpoint. @type {Map<number, number>} */
    this.readers = new Map();
    /** Offsets of the buffer controls of output that wait. @type {Set<number>} */
    this.held = new Set();
    this.onDeviceConnected = () => onEvent('configured');

    usb.onUSBEnabled = () => this.isPlugged && usb.resetDevice();
    // rp2040js's host sends an empty packet whenever it has no data, which no computer does.
    usb.onEndpointRead = (endpoint, size) => {
      if (endpoint !== 0) {
        this.setAvailable(endpoint, true);
        this.readers.set(endpoint, size);
        this.write();
      }
    };
    const finishRead = usb.finishRead.bind(usb);
    usb.finishRead = (endpoint, bytes) => {
      this.setAvailable(endpoint, false);
      finishRead(endpoint, bytes);
    };
    // A computer that does not read leaves the data in the board's buffer.
    const updated = usb.DPRAMUpdated.bind(usb);
    usb.DPRAMUpdated = (offset, value) => {
      const isInput = (offset & 4) === 0;
      const isData = offset >= FIRST_BUFFER_CONTROL && offset <= LAST_BUFFER_CONTROL;
      const isHeld = !this.isPlugged || (isData && isInput && !(this.isReading && this.isOpen));
      if (isHeld && value & BUFFER_AVAILABLE) {
        this.held.add(offset);
      } else {
        updated(offset, value);
      }
    };
    this.updated = updated;
    // rp2040js does not know that this bit is cleared by writing it.
    const writeUint32 = usb.writeUint32.bind(usb);
    usb.writeUint32 = (offset, value) => {
      if (offset === SIE_STATUS && usb.rawWriteValue & SUSPENDED) {
        usb.sieStatus &= ~SUSPENDED;
      }
      writeUint32(offset, value);
    };
  }

  /**
   * Tells the board whether the terminal program is open. rp2040js calls it at the end of the enumeration; its own
   * request has a recipient that the standard does not have.
   */
  cdcSetControlLineState() {
    this.usb.sendSetupPacket(
      createSetupPacket({
        dataDirection: DataDirection.HostToDevice,
        type: SetupType.Class,
        recipient: SetupRecipient.Interface,
        bRequest: SET_CONTROL_LINE_STATE,
        wValue: this.isOpen ? DTR_AND_RTS : 0,
        wIndex: 0,
        wLength: 0,
      }),
    );
    this.initialized = true;
  }

  /** Types bytes into the terminal program. @param {Uint8Array} bytes */
  type(bytes) {
    this.typed.push(...bytes);
    this.write();
  }

  /**
   * Marks a buffer for a packet to the board as empty or full. rp2040js clears the mark as soon as the board offers
   * the buffer. On the chip the mark stays until a packet is in the buffer, and embassy-rp reads the mark: RP2040
   * datasheet, 4.1.2.5.
   * @param {number} endpoint
   * @param {boolean} isAvailable
   */
  setAvailable(endpoint, isAvailable) {
    const memory = this.usb.rp2040.usbDPRAMView;
    const offset = FIRST_OUT_BUFFER_CONTROL + 8 * endpoint;
    const others = memory.getUint32(offset, true) & ~BUFFER_AVAILABLE;
    memory.setUint32(offset, isAvailable ? others | BUFFER_AVAILABLE : others, true);
  }

  write() {
    const size = this.readers.get(this.outEndpoint);
    if (this.isPlugged && this.isOpen && size !== undefined && this.typed.length > 0) {
      this.readers.delete(this.outEndpoint);
      const packet = this.typed.splice(0, Math.min(size, MAX_PACKET));
      this.usb.endpointReadDone(this.outEndpoint, Uint8Array.from(packet));
    }
  }

  /** Opens or closes the terminal program. @param {boolean} isOpen */
  setOpen(isOpen) {
    this.isOpen = isOpen;
    if (this.isPlugged && this.initialized) {
      this.cdcSetControlLineState();
    }
    this.release();
  }

  /** Lets the terminal program read, or stops it. @param {boolean} isReading */
  setReading(isReading) {
    this.isReading = isReading;
    this.release();
  }

  release() {
    if (this.isPlugged && this.isReading && this.isOpen) {
      const held = [...this.held];
      this.held.clear();
      for (const offset of held) {
        this.updated(offset, this.usb.rp2040.usbDPRAMView.getUint32(offset, true));
      }
    }
    this.write();
  }

  /** Reads what the board has sent before it restarts. rp2040js says that it was read 10 microseconds too early. */
  finish() {
    const sent = this.usb.endpointWriteAlarms[this.inEndpoint];
    sent?.buffers.forEach((bytes) => this.onSerialData(bytes));
  }

  /** Pulls the cable of a board with another supply. The board notices that the bus is silent. */
  unplug() {
    this.isPlugged = false;
    this.readers.clear();
    this.usb.sieStatus |= SUSPENDED;
    this.usb.sieStatusUpdated();
  }

  /** Plugs the cable in again: the computer enumerates the board. */
  plug() {
    this.isPlugged = true;
    this.held.clear();
    this.readers.clear();
    this.initialized = false;
    this.descriptorsSize = null;
    this.descriptors = [];
    this.usb.resetDevice();
  }
}
