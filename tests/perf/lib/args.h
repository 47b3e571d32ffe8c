/* args.h - the words after a program's name: numbers in bounds and addresses, or how it is used. */
#pragma once
#include "common/env/env.h"

no_return void args_usage(const char *usage); /* on stderr; exit status 2 */
int32_t args_number(const char *usage, const char *text, int32_t min, int32_t max);
void args_address(const char *usage, struct str text, struct peer_addr *out); /* HOST:PORT */
