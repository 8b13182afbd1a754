//! Console on a UART and on the board's USB connector at the same time. Both receive all output, and both can type.
//!
//! The console belongs to the link that typed last: it waits for a reader there. It never waits for a reader of the
//! other link.

use core::cell::RefCell;
use core::convert::Infallible;

use critical_section::Mutex;
use embedded_io::{ErrorType, Read, ReadReady, Write};
use usb_device::bus::UsbBusAllocator;
use usb_device::device::{StringDescriptors, UsbDevice, UsbDeviceBuilder, UsbDeviceState, UsbVidPid};
use usbd_serial::USB_CLASS_CDC;

use super::usb_port::{PACKET_BYTES, Port};
use super::{Bus, interrupt_off, interrupt_on};
use crate::board::serial::Uart;

/// Vendor and product that V-USB shares for serial ports whose texts name the device: V-USB, USB-IDs-for-free.txt.
const ID: UsbVidPid = UsbVidPid(0x16c0, 0x27dd);
/// Name of the maker, by which the rules of the shared number tell devices apart.
const MAKER: &str = "character-model.example";
/// Name of the device, which `cargo xtask talk` looks for.
const PRODUCT: &str = "character model console";
/// Number of times that `flush` looks at the port: more than 0.1 s. A computer that reads empties the buffer within
/// 20 ms.
const LOOKS: u32 = 100_000;

/// USB controller with its port.
struct Usb {
    device: UsbDevice<'static, Bus>,
    port: Port<'static, Bus>,
}

/// Set by [`start`]. The interrupt handler and the console share it.
static USB: Mutex<RefCell<Option<Usb>>> = Mutex::new(RefCell::new(None));

/// Starts the USB port. From now on the board must call [`on_interrupt`].
pub fn start(bus: &'static UsbBusAllocator<Bus>) {
    let port = Port::new(bus);
    let texts = StringDescriptors::default().manufacturer(MAKER).product(PRODUCT);
    let builder = UsbDeviceBuilder::new(bus, ID).device_class(USB_CLASS_CDC);
    // Fail only for more languages than 16, and for sizes that USB does not have.
    let Ok(builder) = builder.strings(&[texts]) else { panic!("texts of the USB device") };
    let Ok(builder) = builder.max_packet_size_0(PACKET_BYTES as u8) else { panic!("size of a USB packet") };
    let usb = Usb { device: builder.build(), port };
    critical_section::with(|section| USB.borrow(section).replace(Some(usb)));
    interrupt_on();
}

/// Serves the controller's interrupt, so that the computer never waits for a character being computed.
pub fn on_interrupt() {
    with_usb(Usb::serve);
}

/// Does something with the port. `None` before [`start`], and for a fault inside this module.
fn with_usb<T>(action: impl FnOnce(&mut Usb) -> T) -> Option<T> {
    critical_section::with(|section| {
        let mut usb = USB.borrow(section).try_borrow_mut().ok()?;
        usb.as_mut().map(action)
    })
}

impl Usb {
    fn serve(&mut self) {
        self.device.poll(&mut [&mut self.port]);
        // A packet that is held asks for an interrupt all the time. Then the console polls instead.
        if self.port.is_held() { interrupt_off() } else { interrupt_on() }
    }

    /// Returns whether a program on the computer reads the port, or will.
    fn is_open(&self) -> bool {
        self.device.state() == UsbDeviceState::Configured && self.port.is_open()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.port.take();
        if self.port.is_held() {
            self.serve();
        }
        byte
    }

    /// Takes output and returns the number of bytes taken: all bytes if `waits` is false or the port is closed.
    fn put(&mut self, bytes: &[u8], waits: bool) -> usize {
        if self.port.is_held() {
            self.serve();
        }
        if waits && self.is_open() {
            return self.port.put(bytes);
        }
        self.port.put_over_oldest(bytes);
        bytes.len()
    }

    /// Returns whether no output is left that somebody will read. Polls, since a fault handler has no interrupts.
    fn is_flushed(&mut self) -> bool {
        self.serve();
        self.port.is_flushed() || !self.is_open()
    }
}

/// The link that typed last.
#[derive(Clone, Copy, PartialEq)]
enum Link {
    Uart,
    Usb,
}

/// Console on both links.
pub struct UartAndUsb<U> {
    uart: U,
    /// The UART before anybody has typed: output never waits there.
    link: Link,
    /// Byte that was received to find out whether there is one.
    ahead: Option<u8>,
}

impl<U: Uart> UartAndUsb<U> {
    /// Returns a console before the first key.
    pub fn new(uart: U) -> Self {
        Self { uart, link: Link::Uart, ahead: None }
    }

    fn receive(&mut self) -> Option<u8> {
        if let Some(byte) = self.uart.try_receive() {
            self.link = Link::Uart;
            return Some(byte);
        }
        let byte = with_usb(Usb::take).flatten()?;
        self.link = Link::Usb;
        Some(byte)
    }

    /// Returns whether a byte is there, and keeps it for the next read.
    fn has_received(&mut self) -> bool {
        if self.ahead.is_none() {
            self.ahead = self.receive();
        }
        self.ahead.is_some()
    }

    fn send_to_usb(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = with_usb(|usb| usb.put(bytes, self.link == Link::Usb)).unwrap_or(bytes.len());
            bytes = bytes.get(count..).unwrap_or_default();
            // Somebody at the UART need not wait for a computer that does not read.
            if !bytes.is_empty() && self.ahead.is_none() {
                self.ahead = self.uart.try_receive();
                if self.ahead.is_some() {
                    self.link = Link::Uart;
                }
            }
        }
    }
}

impl<U> ErrorType for UartAndUsb<U> {
    type Error = Infallible;
}

impl<U: Uart> ReadReady for UartAndUsb<U> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_received())
    }
}

impl<U: Uart> Read for UartAndUsb<U> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = bytes.first_mut() else { return Ok(0) };
        *first = loop {
            if let Some(byte) = self.ahead.take().or_else(|| self.receive()) {
                break byte;
            }
        };
        Ok(1)
    }
}

impl<U: Uart> Write for UartAndUsb<U> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        bytes.iter().for_each(|&byte| self.uart.send(byte));
        self.send_to_usb(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.uart.flush();
        let _ = (0..LOOKS).any(|_| with_usb(Usb::is_flushed).unwrap_or(true));
        Ok(())
    }
}
