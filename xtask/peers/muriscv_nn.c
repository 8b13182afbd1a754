/* muRISCV-NN without vector or packed instructions:
   Source/FullyConnectedFunctions/muriscv_nn_fully_connected_s8.c and what it calls. */
#include "layer.h"
#include "muriscv_nn_functions.h"

void layer(const int8_t *x, int columns, const int8_t *weights, const int32_t *bias, int rows, int8_t *out) {
    muriscv_nn_context context = {0};
    muriscv_nn_fc_params parameters = {.activation = {.min = -128, .max = 127}};
    muriscv_nn_per_tensor_quant_params scale = {.multiplier = MULTIPLIER, .shift = SHIFT};
    muriscv_nn_dims input = {1, 1, 1, columns}, filter = {columns, 1, 1, rows}, one = {1, 1, 1, rows};
    muriscv_nn_fully_connected_s8(&context, &parameters, &scale, &input, x, &filter, weights, &one, bias, &one, out);
}
