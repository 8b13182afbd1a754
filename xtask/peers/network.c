/* Counts instructions of a library's fully connected layer: one layer of 256 -> 128, and a character of wavenet-128
   (27 characters, 24 values per embedding, three levels of two to 128 values, int8, tanh from a table of 256 entries,
   softmax and sampling in integers), computed for the whole window and as a stream.

   `layer` is the library's function, in esp_nn.c or muriscv_nn.c. Everything around it is as small as we could write
   it, so that the library is not charged for it. */
#include "layer.h"

#define VOCABULARY 27
#define EMBEDDING 24
#define WIDTH 128
#define WINDOW 8
#define LEVELS 3
#define CHARACTERS 16

static int8_t embedding[VOCABULARY][EMBEDDING];
static int8_t weights_0[WIDTH * 2 * EMBEDDING], weights_1[WIDTH * 2 * WIDTH], weights_2[WIDTH * 2 * WIDTH];
static int8_t weights_out[VOCABULARY * WIDTH];
static int32_t bias[WIDTH];
static int8_t tanh_table[256];
static uint16_t exp_table[256];

static uint32_t seed = 42;

static uint32_t random_number(void) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    return seed ^= seed << 5;
}

static void fill(int8_t *to, int count) {
    for (int i = 0; i < count; i++) to[i] = (int8_t)(random_number() % 255) - 127;
}

/* Counts 64 ns for each instruction, under `-icount shift=6`. */
static uint32_t instructions(void) {
    uint32_t nanoseconds;
    __asm__ volatile("csrr %0, mcycle" : "=r"(nanoseconds));
    return nanoseconds >> 6;
}

static void level(const int8_t *x, int columns, const int8_t *weights, int8_t *out) {
    layer(x, columns, weights, bias, WIDTH, out);
    for (int i = 0; i < WIDTH; i++) out[i] = tanh_table[(uint8_t)out[i]];
}

/* Draws a character from 27 logits, by a softmax in integers. */
static int sample(const int8_t *logits) {
    int largest = -128;
    for (int i = 0; i < VOCABULARY; i++)
        if (logits[i] > largest) largest = logits[i];
    uint32_t total = 0;
    for (int i = 0; i < VOCABULARY; i++) total += exp_table[largest - logits[i]];
    uint32_t left = (uint32_t)(((uint64_t)random_number() * total) >> 32);
    for (int i = 0; i < VOCABULARY; i++) {
        uint32_t weight = exp_table[largest - logits[i]];
        if (left < weight) return i;
        left -= weight;
    }
    return 0;
}

static int output(const int8_t *x) {
    static int8_t logits[VOCABULARY];
    layer(x, WIDTH, weights_out, bias, VOCABULARY, logits);
    return sample(logits);
}

/* Computes all nodes of the tree above the last eight characters. */
static int whole_window(const uint8_t *characters) {
    static int8_t x[WINDOW * EMBEDDING], h0[WINDOW / 2 * WIDTH], h1[WINDOW / 4 * WIDTH], h2[WIDTH];
    for (int i = 0; i < WINDOW; i++) memcpy(x + i * EMBEDDING, embedding[characters[i]], EMBEDDING);
    for (int i = 0; i < WINDOW / 2; i++) level(x + i * 2 * EMBEDDING, 2 * EMBEDDING, weights_0, h0 + i * WIDTH);
    for (int i = 0; i < WINDOW / 4; i++) level(h0 + i * 2 * WIDTH, 2 * WIDTH, weights_1, h1 + i * WIDTH);
    level(h1, 2 * WIDTH, weights_2, h2);
    return output(h2);
}

/* Computes only the newest node of each level; the older ones come from rings. */
static int8_t ring_0[2][EMBEDDING], ring_1[2][WIDTH], ring_2[4][WIDTH];

static int streaming(int character, unsigned step) {
    static int8_t x[2 * WIDTH], h[WIDTH];
    memcpy(x, ring_0[0], EMBEDDING);
    memcpy(x + EMBEDDING, embedding[character], EMBEDDING);
    memcpy(ring_0[0], embedding[character], EMBEDDING);
    level(x, 2 * EMBEDDING, weights_0, h);
    memcpy(x, ring_1[step % 2], WIDTH);
    memcpy(x + WIDTH, h, WIDTH);
    memcpy(ring_1[step % 2], h, WIDTH);
    level(x, 2 * WIDTH, weights_1, h);
    memcpy(x, ring_2[step % 4], WIDTH);
    memcpy(x + WIDTH, h, WIDTH);
    memcpy(ring_2[step % 4], h, WIDTH);
    level(x, 2 * WIDTH, weights_2, h);
    return output(h);
}

static void print(char character) {
    *(volatile uint8_t *)0x10000000 = (uint8_t)character;
}

static void report(const char *name, uint32_t value) {
    char digits[10];
    int count = 0;
    while (*name) print(*name++);
    print('=');
    do digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count) print(digits[--count]);
    print('\n');
}

int main(void) {
    fill(embedding[0], sizeof embedding);
    fill(weights_0, sizeof weights_0);
    fill(weights_1, sizeof weights_1);
    fill(weights_2, sizeof weights_2);
    fill(weights_out, sizeof weights_out);
    for (int i = 0; i < WIDTH; i++) bias[i] = (int32_t)(random_number() % 4096) - 2048;
    /* Entries of both tables are arbitrary: the number of instructions does not depend on them. */
    for (int i = 0; i < 256; i++) {
        tanh_table[i] = (int8_t)i;
        exp_table[i] = (uint16_t)(65535u >> (i / 16));
    }

    /* The layer equals a plain loop: a wrong call would be a wrong count. */
    static int8_t x[2 * WIDTH], out[WIDTH], expected[WIDTH];
    fill(x, sizeof x);
    uint32_t start = instructions();
    layer(x, 2 * WIDTH, weights_1, bias, WIDTH, out);
    report("layer", instructions() - start);
    for (int row = 0; row < WIDTH; row++) {
        int32_t sum = bias[row];
        for (int i = 0; i < 2 * WIDTH; i++) sum += weights_1[row * 2 * WIDTH + i] * x[i];
        expected[row] = requantized(sum);
    }
    int wrong = 0;
    for (int row = 0; row < WIDTH; row++) {
        int difference = out[row] - expected[row];
        wrong += difference < -1 || difference > 1;
    }
    report("wrong", wrong);

    uint8_t characters[WINDOW] = {0};
    start = instructions();
    for (int i = 0; i < CHARACTERS; i++) {
        int next = whole_window(characters);
        for (int at = 1; at < WINDOW; at++) characters[at - 1] = characters[at];
        characters[WINDOW - 1] = next;
    }
    report("window", (instructions() - start) / CHARACTERS);

    int character = 0;
    start = instructions();
    for (unsigned i = 0; i < CHARACTERS; i++) character = streaming(character, i);
    report("streaming", (instructions() - start) / CHARACTERS);
    return 0;
}
