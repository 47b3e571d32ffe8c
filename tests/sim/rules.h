/* rules.h - what must always be true of a cluster, by number: what the simulator checks.
 *
 * A violation names its rule, so that whoever reads it, or a list of mutants, knows which promise
 * was broken.  Numbers are the project's own and never change their meaning. */
#pragma once
#include "common/base/base.h"

struct rule {
	int number;
	const char *text;
};

const struct rule *rule_find(int number); /* NULL: no such rule */
const struct rule *rule_at(int i);        /* in order; NULL: no more */
no_return void rule_broken(int number, const char *fmt, ...) printf_like(2, 3);
