//! The runtime for C programs: a model, and the words it makes up, behind one handle.
//!
//! The handle lies in memory that the caller gives: nothing is allocated, nothing is global, and a program may have as many
//! as it has memory for. `include/more.h` is written from this file; a test compares the two.
//!
//! ```text
//! memory:  [ handle: model, generator, settings ][ state: the words the blob asks for ]
//! ```
//!
//! Every function checks its pointers for null and its texts for UTF-8, and gives a [`Status`]. What it cannot check, and
//! the caller promises, stands under `# Safety` of each, and in the header.
#![cfg_attr(target_os = "none", no_std)]
#![allow(unsafe_code, reason = "C hands over addresses; this file is the whole border")]

use core::ffi::{CStr, c_char, c_void};
use core::mem::offset_of;
use core::ptr;
use core::slice;

use runtime::DEFAULT_MAX_LEN;
use runtime::{COUNTER_WORDS, End, Error, Generator, Model, PromptError, Sampling, StateError, StateMut, state_words};

/// What a function reports.
// Of four bytes, whatever the C compiler takes for an enum: for Arm chips, as few as will do.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::enum_variant_names, reason = "in C they have no name space of their own: MORE_OK")]
pub enum Status {
    /// All is well.
    MoreOk = 0,
    /// The word was cut short by the length limit or the size of the buffer. Not an error.
    MoreCut = 1,
    /// A pointer is null.
    MoreNull = 2,
    /// The bytes are not a model that this build of the library can run, or are damaged.
    MoreBadModel = 3,
    /// The memory is smaller than more_memory_bytes() says.
    MoreTooLittleMemory = 4,
    /// The model computes other numbers here than on the computer that exported it.
    MoreSelfTestFailed = 5,
    /// The text is not UTF-8.
    MoreNotUtf8 = 6,
    /// The text has a character that the model does not know.
    MoreUnknownCharacter = 7,
    /// The prompt is longer than a word may become.
    MoreTooLong = 8,
}

/// How words are drawn.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Seed of the random numbers: the same seed gives the same words on every machine. Default 42.
    pub seed: u64,
    /// Temperature in thousandths; 0 takes the most probable character always. Default 1000.
    pub temperature_milli: u16,
    /// Draw from so many of the most probable characters only; 0 for all. Default 0.
    pub top_k: u16,
    /// Most characters of a word, the prompt included. Default 32.
    pub max_len: u32,
}

const DEFAULTS: Settings = Settings { seed: 42, temperature_milli: 1000, top_k: 0, max_len: DEFAULT_MAX_LEN as u32 };

/// A model at work.
pub struct More {
    /// In front of this.
    model: &'static Model<'static>,
    /// Borrows the state; made anew for new settings.
    generator: Option<Generator<'static>>,
    state: *mut u32,
    words: usize,
}

/// What lies at the front of the caller's memory; the words of the state behind it.
#[repr(C)]
struct Front {
    model: Model<'static>,
    handle: More,
}

/// What may have to be left free in front, so that the caller's memory may begin anywhere.
const SLACK: usize = align_of::<Front>() - 1;

/// The bytes of memory that more_open() needs for a model; 0 if the bytes are too few to be one.
///
/// For a model of 1348 bytes of state (exporter inspect tells) some 2.2 kB on a 32-bit chip.
///
/// # Safety
/// blob points to blob_bytes bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn more_memory_bytes(blob: *const u8, blob_bytes: usize) -> usize {
    if blob.is_null() {
        return 0;
    }
    // SAFETY: not null, and as long as the caller promises; a byte has no alignment.
    let blob = unsafe { slice::from_raw_parts(blob, blob_bytes) };
    match state_words(blob) {
        0 => 0,
        words => bytes_for(words).saturating_add(SLACK),
    }
}

/// Saturating: what a damaged blob asks for is refused later.
fn bytes_for(state_words: usize) -> usize {
    let words = state_words.saturating_add(COUNTER_WORDS);
    size_of::<Front>().saturating_add(words.saturating_mul(size_of::<u32>()))
}

/// Checks a model and makes it ready; *model is then the handle for the other functions, else NULL.
///
/// Settings are the defaults. Run more_self_test() behind it at boot.
///
/// # Safety
/// memory points to memory_bytes bytes that belong to the model from now on: they must not be moved, copied, read or
/// written for as long as the handle is used. blob points to blob_bytes bytes at a multiple of four that stay where they are
/// and do not change as long as that. model points to where a pointer can be written.
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
        // A blob that is no model asks for anything: say that first.
        return if Model::new(blob).is_err() { Status::MoreBadModel } else { Status::MoreTooLittleMemory };
    }
    // SAFETY: the bytes from here on were counted above.
    let front = unsafe { memory.byte_add(start) };
    // SAFETY: as above; the model is the first field of `Front`.
    let place = unsafe { front.byte_add(offset_of!(Front, model)) }.cast::<Model<'static>>();
    match Model::new(blob) {
        // SAFETY: aligned and large enough, and nobody else's.
        Ok(checked) => unsafe { place.write(checked) },
        Err(_) => return Status::MoreBadModel,
    }
    // SAFETY: just written; nobody changes it as long as the handle is used.
    let checked: &'static Model<'static> = unsafe { &*place };
    // SAFETY: as above; the size of `Front` is a multiple of its alignment, which is not below that of u32.
    let state = unsafe { front.byte_add(size_of::<Front>()) }.cast::<u32>();
    // SAFETY: `words` words behind the front, which were counted above, nobody else's.
    unsafe { state.write_bytes(0, words) };
    // SAFETY: as above.
    let handle = unsafe { front.byte_add(offset_of!(Front, handle)) }.cast::<More>();
    // SAFETY: aligned and large enough, and nobody else's.
    unsafe { handle.write(More { model: checked, generator: None, state, words }) };
    // SAFETY: just written.
    let status = unsafe { more_set(handle, DEFAULTS) };
    if status == Status::MoreOk {
        // SAFETY: not null; the caller promises that it can be written.
        unsafe { model.write(handle) };
    }
    status
}

/// The default settings.
#[unsafe(no_mangle)]
pub extern "C" fn more_defaults() -> Settings {
    DEFAULTS
}

/// Sets how words are drawn from now on, and begins with the first word of the seed.
///
/// # Safety
/// model is NULL or what more_open() gave.
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
    /// The state, taken from the generator that had it.
    fn state(&mut self) -> Result<StateMut<'static>, StateError> {
        self.generator = None;
        // SAFETY: the words behind the handle, all written in `more_open`; the generator was the only one to use them.
        let words = unsafe { slice::from_raw_parts_mut(self.state, self.words) };
        StateMut::new(words)
    }
}

/// Compares the model's numbers along its golden text with those of the computer that exported it, bit by bit. Settings are
/// the defaults afterwards.
///
/// # Safety
/// model is NULL or what more_open() gave.
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

/// Draws the next word of the seed, one that begins with prompt (NULL for any), and writes it to word, ended by a zero.
///
/// A word that does not fit is cut behind a whole character, with MORE_CUT. After any other status than MORE_OK and MORE_CUT
/// nothing has been drawn, and word is empty.
///
/// # Safety
/// model is NULL or what more_open() gave. prompt is NULL or ends with a zero. word points to word_bytes bytes, at least one,
/// which are not those of prompt.
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
    // SAFETY: not null, and as long as the caller promises, who has to give bytes that hold anything; c_char is a byte.
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
    // The zero at the end stays.
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

/// How probable the model finds a whole word: its negative log-likelihood in millionths of a nat goes to nll_micronats, and
/// over how many characters it is spread (those of the word, and its end) to characters. Draws nothing: the words to come stay
/// the same.
///
/// # Safety
/// model is NULL or what more_open() gave. word ends with a zero. nll_micronats and characters are each NULL or point to where
/// the number can be written.
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

/// A status in words, ended by a zero.
#[unsafe(no_mangle)]
pub extern "C" fn more_message(status: i32) -> *const c_char {
    // A number, since C gives out any: a `Status` that is none of its values must not exist.
    let message = MESSAGES.get(usize::try_from(status).unwrap_or(usize::MAX)).copied().unwrap_or(c"no status");
    message.as_ptr()
}

/// In the order of their numbers.
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

/// A text of the caller's; `None` for null.
///
/// # Safety
/// It ends with a zero, and is not changed while it is used.
unsafe fn text<'a>(text: *const c_char) -> Option<Result<&'a str, Status>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null; it ends with a zero, as the caller promises.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_str().map_err(|_| Status::MoreNotUtf8))
}

/// What the linker asks for. No function above can panic; should one all the same, it is a fault that the board's own handler
/// reports.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: an instruction that is defined to be none raises a fault; nothing is read or written.
    unsafe { core::arch::asm!("udf #0", options(noreturn, nomem, nostack)) }
}

#[cfg(test)]
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "a list of calls that are all wrong in one way")]
mod tests;
