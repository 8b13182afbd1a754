/* ESP-NN, the function for ESP32-C3: src/fully_connected/esp_nn_fully_connected_ansi.c. */
#include "layer.h"

void esp_nn_fully_connected_s8_ansi(const int8_t *input_data, const int32_t input_offset, const uint16_t row_len,
                                    const int8_t *filter_data, const int32_t filter_offset, const int32_t *bias,
                                    int8_t *out_data, const uint16_t out_channels, const int32_t out_offset,
                                    const int32_t out_shift, const int32_t out_mult, const int32_t activation_min,
                                    const int32_t activation_max);

void layer(const int8_t *x, int columns, const int8_t *weights, const int32_t *bias, int rows, int8_t *out) {
    esp_nn_fully_connected_s8_ansi(x, 0, columns, weights, 0, bias, out, rows, 0, SHIFT, MULTIPLIER, -128, 127);
}
