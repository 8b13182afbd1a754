/* The runtime for C programs. Made from runtime-c/src/lib.rs: do not edit.
   How to build and link the library: runtime-c/README.md. */

#ifndef MORE_H
#define MORE_H

#include <stddef.h>
#include <stdint.h>

/*
 What a function reports.
 */
enum more_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   All is well.
   */
  MORE_OK = 0,
  /*
   The word was cut short by the length limit or the size of the buffer. Not an error.
   */
  MORE_CUT = 1,
  /*
   A pointer is null.
   */
  MORE_NULL = 2,
  /*
   The bytes are not a model that this build of the library can run, or are damaged.
   */
  MORE_BAD_MODEL = 3,
  /*
   The memory is smaller than more_memory_bytes() says.
   */
  MORE_TOO_LITTLE_MEMORY = 4,
  /*
   The model computes other numbers here than on the computer that exported it.
   */
  MORE_SELF_TEST_FAILED = 5,
  /*
   The text is not UTF-8.
   */
  MORE_NOT_UTF8 = 6,
  /*
   The text has a character that the model does not know.
   */
  MORE_UNKNOWN_CHARACTER = 7,
  /*
   The prompt is longer than a word may become.
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
 A model at work.
 */
typedef struct more more;

/*
 How words are drawn.
 */
typedef struct more_settings {
  /*
   Seed of the random numbers: the same seed gives the same words on every machine. Default 42.
   */
  uint64_t seed;
  /*
   Temperature in thousandths; 0 takes the most probable character always. Default 1000.
   */
  uint16_t temperature_milli;
  /*
   Draw from so many of the most probable characters only; 0 for all. Default 0.
   */
  uint16_t top_k;
  /*
   Most characters of a word, the prompt included. Default 32.
   */
  uint32_t max_len;
} more_settings;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The bytes of memory that more_open() needs for a model; 0 if the bytes are too few to be one.

 For a model of 1348 bytes of state (exporter inspect tells) some 2.2 kB on a 32-bit chip.

 # Safety
 blob points to blob_bytes bytes.
 */
size_t more_memory_bytes(const uint8_t *blob, size_t blob_bytes);

/*
 Checks a model and makes it ready; *model is then the handle for the other functions, else NULL.

 Settings are the defaults. Run more_self_test() behind it at boot.

 # Safety
 memory points to memory_bytes bytes that belong to the model from now on: they must not be moved, copied, read or
 written for as long as the handle is used. blob points to blob_bytes bytes at a multiple of four that stay where they are
 and do not change as long as that. model points to where a pointer can be written.
 */
more_status more_open(void *memory,
                      size_t memory_bytes,
                      const uint8_t *blob,
                      size_t blob_bytes,
                      struct more **model);

/*
 The default settings.
 */
struct more_settings more_defaults(void);

/*
 Sets how words are drawn from now on, and begins with the first word of the seed.

 # Safety
 model is NULL or what more_open() gave.
 */
more_status more_set(struct more *model, struct more_settings settings);

/*
 Compares the model's numbers along its golden text with those of the computer that exported it, bit by bit. Settings are
 the defaults afterwards.

 # Safety
 model is NULL or what more_open() gave.
 */
more_status more_self_test(struct more *model);

/*
 Draws the next word of the seed, one that begins with prompt (NULL for any), and writes it to word, ended by a zero.

 A word that does not fit is cut behind a whole character, with MORE_CUT. After any other status than MORE_OK and MORE_CUT
 nothing has been drawn, and word is empty.

 # Safety
 model is NULL or what more_open() gave. prompt is NULL or ends with a zero. word points to word_bytes bytes, at least one,
 which are not those of prompt.
 */
more_status more_word(struct more *model,
                      const char *prompt,
                      char *word,
                      size_t word_bytes);

/*
 How probable the model finds a whole word: its negative log-likelihood in millionths of a nat goes to nll_micronats, and
 over how many characters it is spread (those of the word, and its end) to characters. Draws nothing: the words to come stay
 the same.

 # Safety
 model is NULL or what more_open() gave. word ends with a zero. nll_micronats and characters are each NULL or point to where
 the number can be written.
 */
more_status more_score(struct more *model,
                       const char *word,
                       uint64_t *nll_micronats,
                       uint32_t *characters);

/*
 A status in words, ended by a zero.
 */
const char *more_message(int32_t status);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MORE_H */
