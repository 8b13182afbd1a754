//! Tests of valid and invalid arguments from C.

use super::*;

static TINY: &[u8] = runtime::include_blob!("../../models/tiny.int8.blob");

/// Opens a model in memory that begins `offset` bytes after a multiple of eight and is `less` bytes smaller than
/// needed.
fn open(memory: &mut [u64], offset: usize, less: usize) -> (Status, *mut More) {
    // SAFETY: the bytes of the slice.
    let need = unsafe { more_memory_bytes(TINY.as_ptr(), TINY.len()) };
    assert!(memory.len() * 8 >= need + offset);
    let mut model = ptr::dangling_mut();
    // SAFETY: the bytes are in the caller's vector, which outlives the handle; the blob is a static.
    let status = unsafe {
        more_open(memory.as_mut_ptr().byte_add(offset).cast(), need - less, TINY.as_ptr(), TINY.len(), &mut model)
    };
    (status, model)
}

fn memory() -> Vec<u64> {
    vec![0xdddd_dddd_dddd_dddd; 4096]
}

/// Draws a word. Returns the status and the contents of the buffer.
fn word(model: *mut More, prompt: Option<&CStr>, buffer: &mut [u8]) -> (Status, String) {
    let prompt = prompt.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: a handle, a text that ends with a zero, the bytes of the buffer.
    let status = unsafe { more_word(model, prompt, buffer.as_mut_ptr().cast(), buffer.len()) };
    (status, CStr::from_bytes_until_nul(buffer).unwrap().to_str().unwrap().to_owned())
}

#[test]
fn the_words_of_the_generator() {
    let model = Model::new(TINY).unwrap();
    let mut state = runtime::State::<{ state_words(TINY) }>::new();
    let mut memory = memory();
    for offset in 0..8 {
        let mut generator = Generator::new(&model, &mut state, Sampling::default(), 42).unwrap();
        let (status, handle) = open(&mut memory, offset, 0);
        assert_eq!(status, Status::MoreOk);
        // SAFETY: a handle.
        assert_eq!(unsafe { more_self_test(handle) }, Status::MoreOk);
        let mut buffer = [0xdd; 64];
        for prompt in [None, Some(c"ma"), None, Some(c"")] {
            let expected: String =
                generator.start(prompt.map_or("", |prompt| prompt.to_str().unwrap())).unwrap().collect();
            let (status, found) = word(handle, prompt, &mut buffer);
            assert!(status == Status::MoreOk || expected.len() == 32, "{status:?}");
            assert_eq!(found, expected);
            let (mut nll, mut characters) = (0, 0);
            // SAFETY: a handle, a text that ends with a zero, two numbers.
            let status = unsafe { more_score(handle, c"emma".as_ptr(), &mut nll, &mut characters) };
            assert_eq!((status, characters), (Status::MoreOk, 5));
            assert_eq!(nll, generator.score("emma").unwrap().nll_micronats);
        }
    }
}

#[test]
fn a_buffer_of_any_size() {
    let mut memory = memory();
    let (_, handle) = open(&mut memory, 0, 0);
    let whole = word(handle, None, &mut [0; 64]).1;
    for len in 1..=whole.len() + 2 {
        // SAFETY: a handle.
        assert_eq!(unsafe { more_set(handle, more_defaults()) }, Status::MoreOk);
        let (status, cut) = word(handle, None, &mut vec![0xdd; len]);
        assert_eq!(status, if len > whole.len() { Status::MoreOk } else { Status::MoreCut });
        assert_eq!(cut, whole[..whole.len().min(len - 1)]);
    }
}

#[test]
fn what_is_refused() {
    let mut memory = memory();
    let (status, handle) = open(&mut memory, 1, 8 + SLACK);
    assert_eq!((status, handle), (Status::MoreTooLittleMemory, ptr::null_mut()));

    let (_, handle) = open(&mut memory, 0, 0);
    let mut buffer = [0xdd; 40];
    assert_eq!(word(handle, Some(c"?"), &mut buffer), (Status::MoreUnknownCharacter, String::new()));
    assert_eq!(word(handle, Some(c"\xff"), &mut buffer), (Status::MoreNotUtf8, String::new()));
    assert_eq!(word(handle, Some(c"mamamamamamamamamamamamamamamamam"), &mut buffer).0, Status::MoreTooLong);
    assert_eq!(word(handle, Some(c"ma"), &mut buffer[..2]).0, Status::MoreTooLong);
    assert_eq!(word(ptr::null_mut(), None, &mut buffer).0, Status::MoreNull);
    // SAFETY: null is allowed everywhere.
    unsafe {
        assert_eq!(more_word(handle, ptr::null(), ptr::null_mut(), 8), Status::MoreNull);
        assert_eq!(more_word(handle, ptr::null(), buffer.as_mut_ptr().cast(), 0), Status::MoreNull);
        assert_eq!(more_score(handle, ptr::null(), ptr::null_mut(), ptr::null_mut()), Status::MoreNull);
        assert_eq!(more_score(handle, c"a".as_ptr(), ptr::null_mut(), ptr::null_mut()), Status::MoreOk);
        assert_eq!(more_set(ptr::null_mut(), DEFAULTS), Status::MoreNull);
        assert_eq!(more_self_test(ptr::null_mut()), Status::MoreNull);
        assert_eq!(more_memory_bytes(ptr::null(), 5), 0);
        let mut model = ptr::null_mut();
        let (blob, bytes, at) = (TINY.as_ptr(), TINY.len(), memory.as_mut_ptr().cast());
        assert_eq!(more_open(ptr::null_mut(), 99, blob, bytes, &mut model), Status::MoreNull);
        assert_eq!(more_open(at, 99, ptr::null(), bytes, &mut model), Status::MoreNull);
        assert_eq!(more_open(at, 99, blob, bytes, ptr::null_mut()), Status::MoreNull);
        assert_eq!(more_open(at, 99, blob, bytes, &mut model), Status::MoreTooLittleMemory);
        // The blob, cut short at various lengths, then with each kind of damage in one place.
        for bytes in (0..bytes).step_by(7) {
            assert_eq!(more_open(at, 32_000, blob, bytes, &mut model), Status::MoreBadModel);
        }
        let mut damaged = [0_u64; 1024];
        let copy: &mut [u8] = slice::from_raw_parts_mut(damaged.as_mut_ptr().cast(), 8192);
        for place in 0..20 {
            copy[..bytes].copy_from_slice(TINY);
            copy[place] ^= 0xff;
            assert_eq!(more_open(at, 32_000, copy.as_ptr(), bytes, &mut model), Status::MoreBadModel, "{place}");
        }
    }
}

#[test]
fn every_status_has_its_message() {
    let text = |status| {
        // SAFETY: a static text that ends with a zero.
        unsafe { CStr::from_ptr(more_message(status)) }.to_str().unwrap()
    };
    assert_eq!(text(Status::MoreOk as i32), "all is well");
    assert_eq!(text(Status::MoreTooLong as i32), "the prompt is longer than a word may become");
    assert_eq!(text(9), "no status");
    assert_eq!(text(-1), "no status");
}
