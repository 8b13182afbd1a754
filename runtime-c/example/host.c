/* Console of a computer. */

#include <stdio.h>

#include "console.h"

void print(const char *text) {
    fputs(text, stdout);
}

void print_number(uint32_t number) {
    printf("%lu", (unsigned long)number);
}
