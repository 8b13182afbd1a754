/* The model as bytes in flash: -DMODEL='"model.blob"'. */
    .section .rodata
    .balign 16
    .global model_blob
    .global model_blob_end
model_blob:
    .incbin MODEL
model_blob_end:
#ifdef __linux__
    .section .note.GNU-stack, "", %progbits
#endif
