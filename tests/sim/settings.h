/* settings.h - what a run may be told on the command line, and what a schedule's first line says:
 * one row per field of struct swarm, with human units.
 *
 * Times are 10s, 250ms, 40us, 2m or 1h.  Rates are 2/min, 1/s, 30/h, a mean pause between two, or 0
 * for never.  What is printed is read back as exactly the same. */
#pragma once
#include "tests/sim/swarm.h"

struct setting {
	const char *name, *value; /* the name without its dashes */
};

/* False: there is no such option, or the value is none of its. */
bool settings_set(struct swarm *, const char *name, const char *value);
/* All of them over what the seed drew; what was drawn gives way where it does not fit.  False: they
 * contradict each other, and `why` says how. */
bool settings_apply(struct swarm *, const struct setting *, int n, char *why, size_t cap);
void settings_print(const struct swarm *, char *out, size_t cap); /* all of them: --a 1 --b 2 */
void settings_help(void);
