/* Output of the example: implemented in cortex_m.c and host.c. */

#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdint.h>

void print(const char *text);
void print_number(uint32_t number);

#endif
