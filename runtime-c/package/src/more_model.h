/* The model in the archive: @model@. */

#ifndef MORE_MODEL_H
#define MORE_MODEL_H

#include "more.h"

/* Memory for more_open() with this model, enough on each core. more_memory_bytes() returns the exact number: on a core
   with an FPU it can be 1 kB less. */
#define MORE_MODEL_MEMORY_BYTES @memory_bytes@

#ifdef __cplusplus
extern "C" {
#endif

/* The blob, at a multiple of 16. */
extern const uint8_t more_model[];
extern const size_t more_model_bytes;

#ifdef __cplusplus
}
#endif

#endif
