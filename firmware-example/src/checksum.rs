//! Checksums by which the tests compare a chip with a host. This code runs on both.

use crc::{CRC_32_ISO_HDLC, Crc, Table};
use runtime::{Stream, Token};

/// CRC-32 as in zlib and PNG, with one table of 1 KiB.
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// Random tokens, the same on every machine. Each step computes `x = x * A + C` modulo 2^64, starting from `x = seed`;
/// the token is the upper half of x, as a fraction of 2^32, times the size of the vocabulary. A and C are those of
/// Knuth's MMIX.
///
/// ```
/// use firmware_example::checksum::RandomTokens;
/// let tokens: Vec<_> = RandomTokens::new(1, 27).take(8).collect();
/// assert_eq!(tokens, [11, 13, 17, 10, 21, 13, 14, 1]);
/// ```
#[derive(Debug, Clone)]
pub struct RandomTokens {
    x: u64,
    vocab_size: u64,
}

impl RandomTokens {
    /// Returns random tokens for a vocabulary of at most 256.
    pub fn new(seed: u64, vocab_size: usize) -> Self {
        Self { x: seed, vocab_size: vocab_size as u64 }
    }
}

impl Iterator for RandomTokens {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.x = self.x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Always less than the size of the vocabulary.
        Some((((self.x >> 32) * self.vocab_size) >> 32) as Token)
    }
}

/// Returns the CRC-32 of the logits over `contexts` random contexts: the windows that end at each of the first
/// `contexts` [`RandomTokens`].
///
/// The stream continues from token to token, as along a text. All logits of every context count, in little-endian
/// order.
pub fn of_logits(stream: &mut Stream<'_>, contexts: u32, seed: u64) -> u32 {
    let tokens = RandomTokens::new(seed, stream.model().config().vocab_size());
    let mut digest = CRC.digest();
    for (token, _) in tokens.zip(0..contexts) {
        stream.push(token);
        stream.logits().for_each_bytes(|bytes| digest.update(&bytes));
    }
    digest.finalize()
}

/// CRC-32 of words, each followed by a line feed.
pub struct Words(crc::Digest<'static, u32, Table<1>>);

impl Default for Words {
    fn default() -> Self {
        Self(CRC.digest())
    }
}

impl Words {
    /// Adds a word.
    pub fn add(&mut self, word: &str) {
        self.0.update(word.as_bytes());
        self.0.update(b"\n");
    }

    /// Returns the checksum.
    pub fn finish(self) -> u32 {
        self.0.finalize()
    }
}
