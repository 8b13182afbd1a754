//! Functions that JavaScript calls.
//!
//! JavaScript writes an input of any length to where [`input`] says, and reads the answer from where [`output`] says.
//! The other functions return the answer's length in bytes. For an error the answer is a text, and the returned number
//! is `-1 - length`.
#![allow(unsafe_code, reason = "the names of exported functions must not be changed by the compiler")]

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use runtime::Sampling;

use crate::run::{Refused, Run};

/// The heap.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Ends the call: JavaScript gets a `RuntimeError`, and makes another instance.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// The only object of an instance. JavaScript holds its address.
#[derive(Debug, Default)]
pub struct Page {
    input: Vec<u8>,
    output: Vec<u8>,
    run: Option<Run>,
}

impl Page {
    fn answer(&mut self, result: Result<Vec<u8>, Refused>) -> i32 {
        let (bytes, is_error) = match result {
            Ok(bytes) => (bytes, false),
            Err(text) => (text.into_bytes(), true),
        };
        self.output = bytes;
        let len = i32::try_from(self.output.len()).unwrap_or(i32::MAX);
        if is_error { -1 - len } else { len }
    }

    /// Returns the loaded model.
    fn run(&mut self) -> Result<&mut Run, Refused> {
        self.run.as_mut().ok_or_else(|| "no model is loaded".to_string())
    }

    /// Returns the loaded model and the input as a text.
    fn run_and_text(&mut self) -> Result<(&mut Run, &str), Refused> {
        let text = core::str::from_utf8(&self.input).map_err(|error| error.to_string())?;
        Ok((self.run.as_mut().ok_or_else(|| "no model is loaded".to_string())?, text))
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Refused> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}

/// Makes the object that all other functions take.
#[unsafe(no_mangle)]
extern "C" fn page() -> Box<Page> {
    Box::default()
}

/// Returns the address of an input of `len` bytes.
#[unsafe(no_mangle)]
extern "C" fn input(page: &mut Page, len: usize) -> *mut u8 {
    page.input.clear();
    page.input.resize(len, 0);
    page.input.as_mut_ptr()
}

/// Returns the address of the last answer.
#[unsafe(no_mangle)]
extern "C" fn output(page: &Page) -> *const u8 {
    page.output.as_ptr()
}

/// Loads the blob in the input. Answers with [`crate::Facts`] as JSON.
#[unsafe(no_mangle)]
extern "C" fn load(page: &mut Page) -> i32 {
    let run = Run::load(&page.input);
    let answer = run.and_then(|run| json(&page.run.insert(run).facts()));
    page.answer(answer)
}

/// Starts a list of words. The answer is empty.
#[unsafe(no_mangle)]
extern "C" fn begin(page: &mut Page, seed: u64, temperature_milli: u32, top_k: u32) -> i32 {
    let limited = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let sampling = Sampling::default().temperature_milli(limited(temperature_milli)).top_k(limited(top_k));
    let answer = page.run().map(|run| run.begin(sampling, seed));
    page.answer(answer.map(|()| Vec::new()))
}

/// Draws the next words of the list; the input is their beginning. Answers with a JSON array of strings.
#[unsafe(no_mangle)]
extern "C" fn next(page: &mut Page, count: usize) -> i32 {
    let answer = page.run_and_text().and_then(|(run, prompt)| run.next(prompt, count));
    page.answer(answer.and_then(|words: Vec<String>| json(&words)))
}

/// Computes the steps along the word in the input. Answers with the numbers of [`Run::film`].
#[unsafe(no_mangle)]
extern "C" fn film(page: &mut Page) -> i32 {
    let answer = page.run_and_text().and_then(|(run, word)| run.film(word));
    page.answer(answer)
}

/// Answers with the work of the model on each core, a JSON array of [`crate::Work`].
#[unsafe(no_mangle)]
extern "C" fn works(page: &mut Page) -> i32 {
    let answer = page.run().and_then(|run| run.works()).and_then(|works| json(&works));
    page.answer(answer)
}

/// Answers with the blob in the layout that the input names.
#[unsafe(no_mangle)]
extern "C" fn relayout(page: &mut Page) -> i32 {
    let answer = page.run_and_text().and_then(|(run, layout)| run.in_layout(layout));
    page.answer(answer)
}
