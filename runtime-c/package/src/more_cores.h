/* Refuses a processor for which this package has no archive. more.h includes this file. */

#ifndef MORE_CORES_H
#define MORE_CORES_H

#if defined(__AVR__)
#error "more: no archive for AVR. The library is for Arm Cortex-M0, M0+, M3, M4, M7, M33 and M55."
#elif defined(__XTENSA__)
#error "more: no archive for Xtensa (ESP32, ESP8266). The library is for Arm Cortex-M0, M0+, M3, M4, M7, M33 and M55."
#elif defined(__riscv)
#error "more: no archive for RISC-V. The library is for Arm Cortex-M0, M0+, M3, M4, M7, M33 and M55."
#elif !defined(__ARM_ARCH_6M__) && !defined(__ARM_ARCH_7M__) && !defined(__ARM_ARCH_7EM__) \
    && !defined(__ARM_ARCH_8M_MAIN__) && !defined(__ARM_ARCH_8_1M_MAIN__)
#error "more: no archive for this processor. The library is for Arm Cortex-M0, M0+, M3, M4, M7, M33 and M55."
#endif

#endif
