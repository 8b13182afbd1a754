//! Serial port on USB (CDC-ACM), with buffers in both directions. Computers need no driver for it.
//!
//! The port loses no byte. While no program on the computer has the port open, the last [`SEND_BYTES`] of output wait
//! for one. A full buffer for input makes the computer wait.

use heapless::Deque;
use usb_device::class_prelude::{ControlIn, ControlOut, EndpointAddress, UsbBus, UsbBusAllocator, UsbClass};
use usb_device::descriptor::DescriptorWriter;
use usbd_serial::CdcAcmClass;

/// Bytes of a full packet: the largest that full-speed USB has.
pub const PACKET_BYTES: usize = 64;
/// Size of the buffer for output: the banner fits.
const SEND_BYTES: usize = 1_024;
/// Size of the buffer for input.
const RECEIVE_BYTES: usize = 256;

/// Serial port with its buffers.
pub struct Port<'a, B: UsbBus> {
    cdc: CdcAcmClass<'a, B>,
    to_send: Deque<u8, SEND_BYTES>,
    /// Number of bytes at the front of `to_send` that the computer is fetching; `None` between two packets.
    in_flight: Option<usize>,
    /// True if a packet must follow: a computer waits for more after a full packet.
    needs_end: bool,
    received: Deque<u8, RECEIVE_BYTES>,
    /// True if the computer has sent a packet for which `received` has no room. The packet stays in the controller,
    /// which asks for an interrupt until it is taken.
    is_held: bool,
}

impl<'a, B: UsbBus> Port<'a, B> {
    /// Returns a port with empty buffers.
    pub fn new(bus: &'a UsbBusAllocator<B>) -> Self {
        Self {
            cdc: CdcAcmClass::new(bus, PACKET_BYTES as u16),
            to_send: Deque::new(),
            in_flight: None,
            needs_end: false,
            received: Deque::new(),
            is_held: false,
        }
    }

    /// Returns whether a program on the computer has opened the port.
    pub fn is_open(&self) -> bool {
        self.cdc.dtr()
    }

    /// Returns whether a packet waits for room; see [`Port::take`].
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Returns whether all output has been sent.
    pub fn is_flushed(&self) -> bool {
        self.to_send.is_empty()
    }

    /// Takes the next byte of input.
    pub fn take(&mut self) -> Option<u8> {
        self.received.pop_front()
    }

    /// Takes bytes of output until the buffer is full, and returns their number.
    pub fn put(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.iter().take_while(|&&byte| self.to_send.push_back(byte).is_ok()).count();
        self.send();
        count
    }

    /// Takes all bytes of output. The oldest bytes make room for them.
    pub fn put_over_oldest(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.to_send.is_full() {
                self.to_send.pop_front();
                self.in_flight = self.in_flight.map(|count| count.saturating_sub(1));
            }
            let _ = self.to_send.push_back(byte);
        }
        self.send();
    }

    /// Passes the next packet to the controller, if the port is open and the last packet has been fetched.
    fn send(&mut self) {
        if self.in_flight.is_some() || !self.is_open() {
            return;
        }
        let (next, _) = self.to_send.as_slices();
        let packet = next.chunks(PACKET_BYTES).next().unwrap_or_default();
        if packet.is_empty() && !self.needs_end {
            return;
        }
        if self.cdc.write_packet(packet).is_ok() {
            self.in_flight = Some(packet.len());
            self.needs_end = packet.len() == PACKET_BYTES;
        }
    }

    /// Takes a packet of input from the controller, if there is room for a full one.
    fn receive(&mut self) {
        self.is_held = self.received.capacity() - self.received.len() < PACKET_BYTES;
        if self.is_held {
            return;
        }
        let mut packet = [0; PACKET_BYTES];
        let count = self.cdc.read_packet(&mut packet).unwrap_or(0);
        for &byte in packet.iter().take(count) {
            let _ = self.received.push_back(byte);
        }
    }
}

impl<B: UsbBus> UsbClass<B> for Port<'_, B> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> usb_device::Result<()> {
        self.cdc.get_configuration_descriptors(writer)
    }

    /// The cable was plugged in. A packet that the computer did not fetch is sent again.
    fn reset(&mut self) {
        self.cdc.reset();
        self.in_flight = None;
        self.needs_end = false;
        self.is_held = false;
    }

    fn control_in(&mut self, transfer: ControlIn<'_, '_, '_, B>) {
        self.cdc.control_in(transfer);
    }

    fn control_out(&mut self, transfer: ControlOut<'_, '_, '_, B>) {
        self.cdc.control_out(transfer);
        // The port may have been opened.
        self.send();
    }

    fn endpoint_out(&mut self, address: EndpointAddress) {
        if address == self.cdc.read_ep().address() {
            self.receive();
        }
    }

    fn endpoint_in_complete(&mut self, address: EndpointAddress) {
        if address == self.cdc.write_ep().address() {
            for _ in 0..self.in_flight.take().unwrap_or(0) {
                self.to_send.pop_front();
            }
            self.send();
        }
    }
}
