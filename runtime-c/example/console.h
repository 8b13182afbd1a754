/* Where the words go. */

#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdint.h>

void print(const char *text);
void print_number(uint32_t number);

#endif
