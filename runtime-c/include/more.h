/* The runtime for C programs. Made from runtime-c/src/lib.rs: do not edit.
   How to build and link the library: runtime-c/README.md. */

#ifndef MORE_H
#define MORE_H

#include <stddef.h>
#include <stdint.h>

/*
 Result of a function.
 */
enum more_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   Success.
   */
  MORE_OK = 0,
  /*
   The word was cut off at the length limit or at the end of the buffer. This is not an error.
   */
  MORE_CUT = 1,
  /*
   A pointer is null.
   */
  MORE_NULL = 2,
  /*
   The bytes are damaged, or they are not a model that this build of the library can run.
   */
  MORE_BAD_MODEL = 3,
  /*
   The memory is smaller than more_memory_bytes() returns.
   */
  MORE_TOO_LITTLE_MEMORY = 4,
  /*
   The model's results on this machine differ from those on the computer that exported it.
   */
  MORE_SELF_TEST_FAILED = 5,
  /*
   The text is not UTF-8.
   */
  MORE_NOT_UTF8 = 6,
  /*
   The text has a character that is not in the model's vocabulary.
   */
  MORE_UNKNOWN_CHARACTER = 7,
  /*
   The prompt is longer than the longest word allowed.
   */
  MORE_TOO_LONG = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum more_status more_status;
#else
typedef int32_t more_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 Handle of a loaded model.
 */
typedef struct more more;

/*
 Settings for drawing words.
 */
typedef struct more_settings {
  /*
   Seed of the random numbers. The same seed draws the same words on every machine. Default 42.
   */
  uint64_t seed;
  /*
   Temperature in thousandths; 0 always takes the most probable character. Default 1000.
   */
  uint16_t temperature_milli;
  /*
   Number of the most probable characters to draw from; 0 for all characters. Default 0.
   */
  uint16_t top_k;
  /*
   Maximum number of characters of a word, prompt included. Default 32.
   */
  uint32_t max_len;
} more_settings;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Returns the bytes of memory that more_open() needs for a model, or 0 if the bytes are too few to be a model.

 A model with 1348 bytes of state (see `exporter inspect`) needs about 2.2 kB on a 32-bit chip.

 # Safety
 blob points to blob_bytes bytes.
 */
size_t more_memory_bytes(const uint8_t *blob,
                         size_t blob_bytes);

/*
 Checks a model and prepares it for use. On success, *model is the handle for the other functions, otherwise NULL.

 The settings are the defaults. Call more_self_test() next when a chip boots.

 # Safety
 memory points to memory_bytes bytes that belong to the model from now on: while the handle is in use, they must not
 be moved, copied, read or written. blob points to blob_bytes bytes at an address that is a multiple of four; while
 the handle is in use, they stay at that address and do not change. model points to memory for a pointer.
 */
more_status more_open(void *memory,
                      size_t memory_bytes,
                      const uint8_t *blob,
                      size_t blob_bytes,
                      struct more **model);

/*
 Returns the default settings.
 */
struct more_settings more_defaults(void);

/*
 Sets how words are drawn from now on, and starts again at the first word of the seed.

 # Safety
 model is NULL or a handle from more_open().
 */
more_status more_set(struct more *model, struct more_settings settings);

/*
 Compares the model's results on its golden text with those of the computer that exported it, bit by bit, and resets
 the settings to the defaults.

 # Safety
 model is NULL or a handle from more_open().
 */
more_status more_self_test(struct more *model);

/*
 Draws the next word of the seed and writes it to word as a string that ends with a zero. The word begins with
 prompt, if prompt is not NULL.

 A word that does not fit is cut after a whole character; the status is then MORE_CUT. After any status other than
 MORE_OK and MORE_CUT, nothing has been drawn and word is empty.

 # Safety
 model is NULL or a handle from more_open(). prompt is NULL or ends with a zero. word points to word_bytes
 initialized bytes, at least one, that do not overlap prompt.
 */
more_status more_word(struct more *model,
                      const char *prompt,
                      char *word,
                      size_t word_bytes);

/*
 Computes how probable a whole word is to the model. Writes its negative log-likelihood, in millionths of a nat, to
 nll_micronats, and the number of characters that this sum covers (the word's and its end) to characters.

 Draws nothing: the next words remain the same.

 # Safety
 model is NULL or a handle from more_open(). word ends with a zero. nll_micronats and characters are each NULL or
 point to memory for the number.
 */
more_status more_score(struct more *model,
                       const char *word,
                       uint64_t *nll_micronats,
                       uint32_t *characters);

/*
 Returns the message of a status, as a string that ends with a zero.
 */
const char *more_message(int32_t status);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MORE_H */
