//! The runtime for C programs: a handle to a model, and functions that draw words from the model.
//!
//! The caller provides the memory of each handle. The library allocates nothing and has no global state, so a program
//! may have as many handles as fit in its memory. A test compares `include/more.h` with this file, from which it is
//! generated.
//!
//! ```text
//! memory:  [ handle: model, generator, settings ][ state: as many words as the blob needs ]
//! ```
//!
//! Every function checks its pointers for null and its texts for UTF-8, and returns a [`Status`]. `# Safety` of each
//! function lists what the caller promises because the function cannot check it. The header repeats these lists.
#![cfg_attr(target_os = "none", no_std)]
#![allow(unsafe_code, reason = "C passes pointers, which only this file handles")]

use core::ffi::{CStr, c_char, c_void};
use core::mem::offset_of;
use core::ptr;
use core::slice;

use runtime::DEFAULT_MAX_LEN;
use runtime::{COUNTER_WORDS, End, Error, Generator, Model, PromptError, Sampling, StateError, StateMut, state_words};

/// Result of a function.
// Four bytes, whatever size the C compiler chooses for an enum: on Arm chips it takes the smallest that fits.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::enum_variant_names, reason = "in C the names need a prefix: MORE_OK")]
pub enum Status {
    /// Success.
    MoreOk = 0,
    /// The word was cut off at the length limit or at the end of the buffer. This is not an error.
    MoreCut = 1,
    /// A pointer is null.
    MoreNull = 2,
    /// The bytes are damaged, or they are not a model that this build of the library can run.
    MoreBadModel = 3,
    /// The memory is smaller than more_memory_bytes() returns.
    MoreTooLittleMemory = 4,
    /// The model's results on this machine differ from those on the computer that exported it.
    MoreSelfTestFailed = 5,
    /// The text is not UTF-8.
    MoreNotUtf8 = 6,
    /// The text has a character that is not in the model's vocabulary.
    MoreUnknownCharacter = 7,
    /// The prompt is longer than the longest word allowed.
    MoreTooLong = 8,
}

/// Settings for drawing words.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Seed of the random numbers. The same seed draws the same words on every machine. Default 42.
    pub seed: u64,
    /// Temperature in thousandths; 0 always takes the most probable character. Default 1000.
    pub temperature_milli: u16,
    /// Number of the most probable characters to draw from; 0 for all characters. Default 0.
    pub top_k: u16,
    /// Maximum number of characters of a word, prompt included. Default 32.
    pub max_len: u32,
}

const DEFAULTS: Settings = Settings { seed: 42, temperature_milli: 1000, top_k: 0, max_len: DEFAULT_MAX_LEN as u32 };

/// Handle of a loaded model.
pub struct More {
    /// The model, which is before the handle in the same memory.
    model: &'static Model<'static>,
    /// Borrows the state. New settings make a new generator.
    generator: Option<Generator<'static>>,
    state: *mut u32,
    words: usize,
}

/// Front part of the caller's memory. The words of the state follow it.
#[repr(C)]
struct Front {
    model: Model<'static>,
    handle: More,
}

/// Bytes that alignment may skip at the front, since the caller's memory may begin at any address.
const SLACK: usize = align_of::<Front>() - 1;

/// Returns the bytes of memory that more_open() needs for a model, or 0 if the bytes are too few to be a model.
///
/// A model with 1348 bytes of state (see `exporter inspect`) needs about 2.2 kB on a 32-bit chip.
///
/// # Safety
/// blob points to blob_bytes bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn more_memory_bytes(blob: *const u8, blob_bytes: usize) -> usize {
    if blob.is_null() {
        return 0;
    }
    // SAFETY: not null, and as long as the caller promises; bytes need no alignment.
    let blob = unsafe { slice::from_raw_parts(blob, blob_bytes) };
    match state_words(blob) {
        0 => 0,
        words => bytes_for(words).saturating_add(SLACK),
    }
}

/// Saturates: more_open() refuses the size that a damaged blob asks for.
fn bytes_for(state_words: usize) -> usize {
    let words = state_words.saturating_add(COUNTER_WORDS);
    size_of::<Front>().saturating_add(words.saturating_mul(size_of::<u32>()))
}

/// Checks a model and prepares it for use. On success, *model is the handle for the other functions, otherwise NULL.
///
/// The settings are the defaults. Call more_self_test() next when a chip boots.
///
/// # Safety
/// memory points to memory_bytes bytes that belong to the model from now on: while the handle is in use, they must not
/// be moved, copied, read or written. blob points to blob_bytes bytes at an address that is a multiple of four; while
/// the handle is in use, they stay at that address and do not change. model points to memory for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn more_open(
    memory: *mut c_void,
    memory_bytes: usize,
    blob: *const u8,
    blob_bytes: usize,
    model: *mut *mut More,
) -> Status {
    if model.is_null() {
        return Status::MoreNull;
    }
    // SAFETY: not null; the caller promises that it can be written.
    unsafe { model.write(ptr::null_mut()) };
    if memory.is_null() || blob.is_null() {
        return Status::MoreNull;
    }
    // SAFETY: not null, as long as the caller promises, unchanged while the handle lives.
    let blob: &'static [u8] = unsafe { slice::from_raw_parts(blob, blob_bytes) };
    let words = state_words(blob).saturating_add(COUNTER_WORDS);
    let start = memory.align_offset(align_of::<Front>());
    let fits = memory_bytes >= bytes_for(state_words(blob)).saturating_add(start);
    if !fits {
        // A blob that is not a model may ask for any amount of memory, so report that first.
        return if Model::new(blob).is_err() { Status::MoreBadModel } else { Status::MoreTooLittleMemory };
    }
    // SAFETY: the bytes from here on were counted above.
    let front = unsafe { memory.byte_add(start) };
    // SAFETY: as above; the model is the first field of `Front`.
    let place = unsafe { front.byte_add(offset_of!(Front, model)) }.cast::<Model<'static>>();
    match Model::new(blob) {
        // SAFETY: aligned and large enough; nothing else points there.
        Ok(checked) => unsafe { place.write(checked) },
        Err(_) => return Status::MoreBadModel,
    }
    // SAFETY: just written, and not changed while the handle is in use.
    let checked: &'static Model<'static> = unsafe { &*place };
    // SAFETY: as above; the size of `Front` is a multiple of its alignment, which is at least that of u32.
    let state = unsafe { front.byte_add(size_of::<Front>()) }.cast::<u32>();
    // SAFETY: these `words` words after the front were counted above; nothing else points there.
    unsafe { state.write_bytes(0, words) };
    // SAFETY: as above.
    let handle = unsafe { front.byte_add(offset_of!(Front, handle)) }.cast::<More>();
    // SAFETY: aligned and large enough; nothing else points there.
    unsafe { handle.write(More { model: checked, generator: None, state, words }) };
    // SAFETY: just written.
    let status = unsafe { more_set(handle, DEFAULTS) };
    if status == Status::MoreOk {
        // SAFETY: not null; the caller promises that it can be written.
        unsafe { model.write(handle) };
    }
    status
}

/// Returns the default settings.
#[unsafe(no_mangle)]
pub extern "C" fn more_defaults() -> Settings {
    DEFAULTS
}

/// Sets how words are drawn from now on, and starts again at the first word of the seed.
///
/// # Safety
/// model is NULL or a handle from more_open().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn more_set(model: *mut More, settings: Settings) -> Status {
    // SAFETY: as the caller promises.
    let Some(more) = (unsafe { model.as_mut() }) else { return Status::MoreNull };
    let sampling = Sampling::default().temperature_milli(settings.temperature_milli).top_k(settings.top_k);
    let model = more.model;
    match more.state().and_then(|state| Generator::new(model, state, sampling, settings.seed)) {
        Ok(generator) => {
            more.generator = Some(generator.max_len(usize::try_from(settings.max_len).unwrap_or(usize::MAX)));
            Status::MoreOk
        }
        Err(_) => Status::MoreTooLittleMemory,
    }
}

impl More {
    /// Takes the state back from the generator.
    fn state(&mut self) -> Result<StateMut<'static>, StateError> {
        self.generator = None;
        // SAFETY: the words after the handle; `more_open` has written all of them, and only the generator used them.
        let words = unsafe { slice::from_raw_parts_mut(self.state, self.words) };
        StateMut::new(words)
    }
}

/// Compares the model's results on its golden text with those of the computer that exported it, bit by bit, and resets
/// the settings to the defaults.
///
/// # Safety
/// model is NULL or a handle from more_open().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn more_self_test(model: *mut More) -> Status {
    // SAFETY: as the caller promises.
    let Some(more) = (unsafe { model.as_mut() }) else { return Status::MoreNull };
    let checked = more.model;
    let tested = more.state().map_err(Error::from).and_then(|state| checked.self_test(state));
    // SAFETY: as the caller promises.
    let set = unsafe { more_set(model, DEFAULTS) };
    if tested.is_ok() { set } else { Status::MoreSelfTestFailed }
}

/// Draws the next word of the seed and writes it to word as a string that ends with a zero. The word begins with
/// prompt, if prompt is not NULL.
///
/// A word that does not fit is cut after a whole character; the status is then MORE_CUT. After any status other than
/// MORE_OK and MORE_CUT, nothing has been drawn and word is empty.
///
/// # Safety
/// model is NULL or a handle from more_open(). prompt is NULL or ends with a zero. word points to word_bytes
/// initialized bytes, at least one, that do not overlap prompt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn more_word(
    model: *mut More,
    prompt: *const c_char,
    word: *mut c_char,
    word_bytes: usize,
) -> Status {
    if word.is_null() || word_bytes == 0 {
        return Status::MoreNull;
    }
    // SAFETY: not null, as long as the caller promises, and initialized; c_char is a byte.
    let out = unsafe { slice::from_raw_parts_mut(word.cast::<u8>(), word_bytes) };
    out.fill(0);
    // SAFETY: as the caller promises.
    let Some(More { generator: Some(generator), .. }) = (unsafe { model.as_mut() }) else { return Status::MoreNull };
    // SAFETY: as the caller promises.
    let prompt = match unsafe { text(prompt) } {
        Some(Ok(prompt)) => prompt,
        Some(Err(status)) => return status,
        None => "",
    };
    if prompt.len() >= word_bytes {
        return Status::MoreTooLong;
    }
    let mut characters = match generator.start(prompt) {
        Ok(characters) => characters,
        Err(error) => return refused(error),
    };
    // The last byte remains the zero that ends the string.
    let Some((_, mut rest)) = out.split_last_mut() else { return Status::MoreNull };
    for character in characters.by_ref() {
        let mut utf8 = [0; 4];
        let bytes = character.encode_utf8(&mut utf8).as_bytes();
        let Some((place, behind)) = rest.split_at_mut_checked(bytes.len()) else { return Status::MoreCut };
        place.copy_from_slice(bytes);
        rest = behind;
    }
    match characters.end() {
        Some(End::Boundary) => Status::MoreOk,
        _ => Status::MoreCut,
    }
}

/// Computes how probable a whole word is to the model. Writes its negative log-likelihood, in millionths of a nat, to
/// nll_micronats, and the number of characters that this sum covers (the word's and its end) to characters.
///
/// Draws nothing: the next words remain the same.
///
/// # Safety
/// model is NULL or a handle from more_open(). word ends with a zero. nll_micronats and characters are each NULL or
/// point to memory for the number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn more_score(
    model: *mut More,
    word: *const c_char,
    nll_micronats: *mut u64,
    characters: *mut u32,
) -> Status {
    // SAFETY: as the caller promises.
    let Some(More { generator: Some(generator), .. }) = (unsafe { model.as_mut() }) else { return Status::MoreNull };
    // SAFETY: as the caller promises.
    let word = match unsafe { text(word) } {
        Some(Ok(word)) => word,
        Some(Err(status)) => return status,
        None => return Status::MoreNull,
    };
    let score = match generator.score(word) {
        Ok(score) => score,
        Err(error) => return refused(error),
    };
    if !nll_micronats.is_null() {
        // SAFETY: not null; the caller promises that it can be written.
        unsafe { nll_micronats.write(score.nll_micronats) };
    }
    if !characters.is_null() {
        // SAFETY: not null; the caller promises that it can be written.
        unsafe { characters.write(u32::try_from(score.characters).unwrap_or(u32::MAX)) };
    }
    Status::MoreOk
}

/// Returns the message of a status, as a string that ends with a zero.
#[unsafe(no_mangle)]
pub extern "C" fn more_message(status: i32) -> *const c_char {
    // Takes a number because C can pass any: a `Status` that is none of its variants must not exist.
    let message = MESSAGES.get(usize::try_from(status).unwrap_or(usize::MAX)).copied().unwrap_or(c"no status");
    message.as_ptr()
}

/// The messages, in the order of the statuses' numbers.
static MESSAGES: [&CStr; 9] = [
    c"all is well",
    c"the word was cut short",
    c"a pointer is null",
    c"not a model that this build can run, or a damaged one",
    c"too little memory for this model",
    c"the self-test failed: this chip computes other numbers than the exporter did",
    c"the text is not UTF-8",
    c"the text has a character that the model does not know",
    c"the prompt is longer than a word may become",
];

fn refused(error: PromptError) -> Status {
    match error {
        PromptError::TooLong { .. } => Status::MoreTooLong,
        _ => Status::MoreUnknownCharacter,
    }
}

/// Returns a text of the caller, or `None` if the pointer is null.
///
/// # Safety
/// The text ends with a zero and does not change while it is used.
unsafe fn text<'a>(text: *const c_char) -> Option<Result<&'a str, Status>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null; it ends with a zero, as the caller promises.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_str().map_err(|_| Status::MoreNotUtf8))
}

/// Panic handler, which the linker requires. No function above can panic. If one did, the instruction would raise a
/// fault, which the board's own handler reports.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: an instruction that is defined to be undefined raises a fault; it reads and writes nothing.
    unsafe { core::arch::asm!("udf #0", options(noreturn, nomem, nostack)) }
}

#[cfg(test)]
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "the tests list calls that are all invalid in the same way")]
mod tests;
