/* Start-up code of a Cortex-M, and a console through the emulator or a debugger (semihosting). Your own program uses
   the vendor's start-up code and a UART instead. */

#include <stdint.h>

#include "console.h"

extern uint32_t stack_top[], data_start[], data_end[], data_load[], bss_start[], bss_end[];

int main(void);

/* Arm, "Semihosting for AArch32 and AArch64". */
enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_EXIT_EXTENDED = 0x20, STOPPED = 0x20026 };

static uint32_t semihosting(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void print(const char *text) {
    /* ":tt" opened for writing (mode 4, "w") is the standard output. */
    static uint32_t output;
    static const struct {
        const char *name;
        uint32_t mode, bytes;
    } console = {":tt", 4, 3};
    if (output == 0) {
        output = semihosting(SYS_OPEN, &console);
    }
    struct {
        uint32_t handle;
        const char *text;
        uint32_t bytes;
    } write = {output, text, 0};
    while (text[write.bytes] != 0) {
        write.bytes++;
    }
    semihosting(SYS_WRITE, &write);
}

void print_number(uint32_t number) {
    char digits[11];
    char *first = digits + sizeof digits - 1;
    *first = 0;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    print(first);
}

static void leave(uint32_t status) {
    uint32_t block[2] = {STOPPED, status};
    semihosting(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}

void reset(void) {
#ifdef __ARM_FP
    /* Enables coprocessors 10 and 11, the FPU: CPACR, Armv7-M Architecture Reference Manual, B3.2.20. */
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;
    __asm__ volatile("dsb\n isb");
#endif
    for (uint32_t *to = data_start, *from = data_load; to < data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end;) {
        *to++ = 0;
    }
    leave((uint32_t)main());
}

void fault(void) {
    print("fault\n");
    leave(139);
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    stack_top, (void *)reset, (void *)fault, (void *)fault,
    (void *)fault, (void *)fault, (void *)fault,
};
