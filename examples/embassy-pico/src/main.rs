//! Draws names on a Raspberry Pi Pico: type the beginning of a name into the serial console on USB and press Enter.
//!
//! Three tasks share the processor: [`main`] talks to the user, [`usb`] answers the host, [`blink`] blinks the LED.
//! A task runs until its next `.await` that has to wait. The model takes about 2 ms per character, and [`main`] yields
//! after each of them. So the LED keeps its rhythm and the host gets its answers while a name is drawn.

#![no_std]
#![no_main]

mod terminal;

use embassy_executor::Spawner;
use embassy_futures::select::select;
use embassy_futures::yield_now;
use embassy_rp::bind_interrupts;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_time::{Duration, Ticker};
use embassy_usb::UsbDevice;
use embassy_usb::driver::EndpointError;
use runtime::{Generator, PromptError, Sampling, State};
use static_cell::ConstStaticCell;

use terminal::{Input, TOO_LONG, Terminal, Usb};

include!(concat!(env!("OUT_DIR"), "/model.rs")); // MODEL and STATE_WORDS

/// Buffers of the model, which are all of its RAM. Its weights stay in flash.
static STATE: ConstStaticCell<State<STATE_WORDS>> = ConstStaticCell::new(State::new());

/// Seed of the random numbers. The same seed and the same lines draw the same names on every machine.
const SEED: u64 = 42;

/// Time between two changes of the LED.
const BLINK: Duration = Duration::from_millis(250);

bind_interrupts!(struct Interrupts {
    USBCTRL_IRQ => InterruptHandler<USB>;
});

/// Sets up the chip, starts the other tasks, and talks to the program that opens the serial port.
#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let chip = embassy_rp::init(Default::default());
    let (device, mut terminal, port) = terminal::new(Driver::new(chip.USB, Interrupts));
    spawner.spawn(usb(device).unwrap());
    spawner.spawn(blink(Output::new(chip.PIN_25, Level::Low)).unwrap());

    let mut names = Generator::new(&MODEL, STATE.take(), Sampling::default(), SEED).unwrap();
    loop {
        port.opened().await;
        // Dropping a conversation ends it wherever it waits, even for a host that has stopped reading.
        select(talk(&mut terminal, &mut names), port.closed()).await;
        // After an error of the driver the port may still be open.
        port.closed().await;
    }
}

/// Answers each line with a name that begins with it. Returns only if a packet fails.
async fn talk(terminal: &mut Terminal, names: &mut Generator<'static>) -> Result<(), EndpointError> {
    terminal.print("\r\nType the beginning of a name and press Enter.\r\n").await?;
    let mut input = Input::new();
    loop {
        terminal.print("> ").await?;
        match terminal.read(&mut input).await? {
            Ok(prompt) => draw(terminal, names, prompt).await?,
            Err(message) => terminal.print(message).await?,
        }
        terminal.print("\r\n").await?;
    }
}

/// Draws a name, character by character.
async fn draw(terminal: &mut Terminal, names: &mut Generator<'static>, prompt: &str) -> Result<(), EndpointError> {
    match names.start(prompt) {
        Ok(name) => {
            for character in name {
                terminal.print(character.encode_utf8(&mut [0; 4])).await?;
                yield_now().await; // The other tasks run here.
            }
        }
        Err(PromptError::UnknownCharacter { character }) => {
            terminal.print("The model does not know `").await?;
            terminal.print(character.encode_utf8(&mut [0; 4])).await?;
            terminal.print("`: type letters from a to z.").await?;
        }
        Err(_) => terminal.print(TOO_LONG).await?,
    }
    Ok(())
}

/// Answers the host's requests, for ever.
#[embassy_executor::task]
async fn usb(mut device: UsbDevice<'static, Usb>) {
    device.run().await;
}

/// Blinks the LED, for ever.
#[embassy_executor::task]
async fn blink(mut led: Output<'static>) {
    let mut ticker = Ticker::every(BLINK);
    loop {
        led.toggle();
        ticker.next().await;
    }
}

/// Starts the chip again: the host sees a device that was unplugged and plugged in.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
