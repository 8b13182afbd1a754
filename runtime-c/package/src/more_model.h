/* The model in the archive: @model@. */

#ifndef MORE_MODEL_H
#define MORE_MODEL_H

#include "more.h"

/* Memory for more_open(), with this model: what more_memory_bytes() returns on a chip, or a little more. */
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
