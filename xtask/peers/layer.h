/* The function that network.c calls, which an adapter defines for each library. */
#include <stdint.h>
#include <string.h>

/* Scale of a layer's output: sum * MULTIPLIER / 2^31 * 2^SHIFT. */
#define MULTIPLIER 1288490188
#define SHIFT (-12)

/* out[row] = requantized(bias[row] + sum of weights[row][i] * x[i]) */
void layer(const int8_t *x, int columns, const int8_t *weights, const int32_t *bias, int rows, int8_t *out);

static inline int8_t requantized(int32_t sum) {
    int64_t scaled = ((int64_t)sum * MULTIPLIER + (1LL << (30 - SHIFT))) >> (31 - SHIFT);
    return (int8_t)(scaled > 127 ? 127 : scaled < -128 ? -128 : scaled);
}
