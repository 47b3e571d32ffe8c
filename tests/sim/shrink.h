/* shrink.h - makes a failing run small: the same rule broken, by less. */
#pragma once
#include "tests/sim/run.h"

struct shrunk {
	struct outcome outcome; /* of what is left; code 0: the run did not fail at all */
	int n_runs, n_before;   /* runs it took; faults there were */
};
/* Reduces the run in place. */
void shrink(struct run *, struct shrunk *);
