/* Draws words from a model: the same words on a computer and on a chip. */

#include "more.h"
#include "console.h"

/* Defined in model.S. */
extern const uint8_t model_blob[], model_blob_end[];

/* At least the number of bytes that more_memory_bytes() returns for the model. */
#ifndef MEMORY_BYTES
#define MEMORY_BYTES 4096
#endif
static uint8_t memory[MEMORY_BYTES];

int main(void) {
    size_t blob_bytes = (size_t)(model_blob_end - model_blob);
    more *model;
    more_status status = more_open(memory, sizeof memory, model_blob, blob_bytes, &model);
    if (status == MORE_OK) {
        status = more_self_test(model);
    }
    if (status != MORE_OK) {
        print(more_message(status));
        print("\n");
        return 1;
    }

    more_settings settings = more_defaults();
    settings.seed = 7;
    more_set(model, settings);
    char word[32];
    for (int i = 0; i < 5; i++) {
        status = more_word(model, i < 3 ? NULL : "ma", word, sizeof word);
        print(word);
        print(status == MORE_OK ? "\n" : "...\n");
    }

    uint64_t nll_micronats;
    uint32_t characters;
    if (more_score(model, "emma", &nll_micronats, &characters) == MORE_OK) {
        print("emma: ");
        print_number((uint32_t)(nll_micronats / characters));
        print(" millionths of a nat per character\n");
    }
    if (more_word(model, "?", word, sizeof word) != MORE_UNKNOWN_CHARACTER) {
        print("a question mark is in the vocabulary\n");
    }
    return 0;
}
