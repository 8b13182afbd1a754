//! Serial console on USB, for a terminal program that sends a line byte by byte and shows only the echo.

use core::ops::Range;

use embassy_rp::peripherals::USB;
use embassy_rp::usb::Driver;
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::driver::EndpointError;
use embassy_usb::{Builder, Config, UsbDevice};
use static_cell::{ConstStaticCell, StaticCell};

/// Driver of the chip's USB controller.
pub type Usb = Driver<'static, USB>;

/// Size of a full-speed device's largest packet, in bytes.
const PACKET: usize = 64;
/// Length limit of a line, in bytes. It also limits the time of a prompt, which the model computes without a pause.
pub const LINE: usize = runtime::DEFAULT_MAX_LEN;

/// Message for a line with more bytes than that.
pub const TOO_LONG: &str = "The line is too long: type fewer letters.";
const NOT_UTF8: &str = "The line is not UTF-8: type letters from a to z.";

const BACKSPACE: u8 = 0x08;
/// Byte that most terminals send for the backspace key.
const DELETE: u8 = 0x7f;
/// Moves back, overwrites the character with a blank, and moves back again.
const RUB_OUT: &str = "\x08 \x08";

/// Returns the USB device, the terminal at its serial port, and the state of the port.
pub fn new(driver: Usb) -> (UsbDevice<'static, Usb>, Terminal, Port) {
    static CONFIGURATION: ConstStaticCell<[u8; 128]> = ConstStaticCell::new([0; 128]);
    static CONTROL: ConstStaticCell<[u8; PACKET]> = ConstStaticCell::new([0; PACKET]);
    static SERIAL: StaticCell<State<'static>> = StaticCell::new();

    // Numbers for tests, by <https://pid.codes/1209/0001>. A product needs numbers of its own.
    let mut config = Config::new(0x1209, 0x0001);
    config.product = Some("Names");
    let mut builder = Builder::new(driver, config, CONFIGURATION.take(), &mut [], &mut [], CONTROL.take());
    let serial = CdcAcmClass::new(&mut builder, SERIAL.init(State::new()), PACKET as u16);
    let (sender, receiver, control) = serial.split_with_control();
    (builder.build(), Terminal { sender, receiver }, Port(control))
}

/// State of the serial port. A program on the host that opens the port switches on its signal DTR, data terminal ready.
pub struct Port(ControlChanged<'static>);

impl Port {
    /// Waits until a program on the host has opened the port.
    pub async fn opened(&self) {
        while !self.0.dtr() {
            self.0.control_changed().await;
        }
    }

    /// Waits until the program has closed the port, or the host has reset the device.
    pub async fn closed(&self) {
        while self.0.dtr() {
            self.0.control_changed().await;
        }
    }
}

/// Both directions of the serial port.
pub struct Terminal {
    sender: Sender<'static, Usb>,
    receiver: Receiver<'static, Usb>,
}

impl Terminal {
    /// Prints a text. Waits as long as the host does not read.
    pub async fn print(&mut self, text: &str) -> Result<(), EndpointError> {
        self.write(text.as_bytes()).await
    }

    /// Reads a line, and echoes the keys. Returns the line, or a message to the user.
    pub async fn read<'i>(&mut self, input: &'i mut Input) -> Result<Result<&'i str, &'static str>, EndpointError> {
        let mut is_too_long = false;
        input.line.clear();
        loop {
            match self.key(input).await? {
                b'\r' | b'\n' => break,
                BACKSPACE | DELETE if input.rub_out() => self.print(RUB_OUT).await?,
                0..b' ' | DELETE => {}
                byte if input.line.push(byte).is_ok() => self.write(&[byte]).await?,
                _ => is_too_long = true,
            }
        }
        self.print("\r\n").await?;
        if is_too_long {
            return Ok(Err(TOO_LONG));
        }
        Ok(str::from_utf8(&input.line).map_err(|_| NOT_UTF8))
    }

    /// Returns the next byte from the host. A line end of two bytes counts as one.
    async fn key(&mut self, input: &mut Input) -> Result<u8, EndpointError> {
        loop {
            for at in input.unread.by_ref() {
                let (byte, before) = (input.packet[at], input.last);
                input.last = byte;
                if (before, byte) != (b'\r', b'\n') {
                    return Ok(byte);
                }
            }
            input.unread = 0..self.receiver.read_packet(&mut input.packet).await?;
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), EndpointError> {
        // After a packet of full size, the host would wait for another one.
        for packet in bytes.chunks(PACKET - 1) {
            self.sender.write_packet(packet).await?;
        }
        Ok(())
    }
}

/// Keys that a conversation has received.
pub struct Input {
    /// The last packet.
    packet: [u8; PACKET],
    /// The part of the packet that has not been read yet.
    unread: Range<usize>,
    /// The last byte that was read.
    last: u8,
    /// The line that is being typed.
    line: heapless::Vec<u8, LINE>,
}

impl Input {
    /// Returns an input without keys.
    pub const fn new() -> Self {
        Self { packet: [0; PACKET], unread: 0..0, last: 0, line: heapless::Vec::new() }
    }

    /// Removes the last character with all of its bytes. Returns whether there was one.
    fn rub_out(&mut self) -> bool {
        while let Some(byte) = self.line.pop() {
            // In UTF-8, only the first byte of a character is outside this range.
            if !(0x80..0xc0).contains(&byte) {
                return true;
            }
        }
        false
    }
}
