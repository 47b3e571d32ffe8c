/* mark.h - names of rare branches, so that a long simulation can say which of them it never took:
 * `weir-sim --seeds N --marks`.
 *
 *	if (some rare case) {
 *		MARK(what_is_rare_about_it);
 *		...
 *
 * A mark is one byte, set by one store without a read; nothing but the simulator looks at it.  It
 * is the only state that code shares across threads without saying so, and decides nothing. */
#pragma once
#include "common/base/base.h"

struct mark {
	const char *name, *file;
	uint8_t is_hit;
};

/* The linker collects pointers to all marks of the program between these two. */
extern struct mark *__start_marks[], *__stop_marks[];

#define MARK(what)                                                                                 \
	do {                                                                                       \
		static struct mark mark_ = { #what, __FILE__, 0 };                                 \
		static struct mark *at_ __attribute__((section("marks"), used)) = &mark_;          \
		__atomic_store_n(&mark_.is_hit, 1, __ATOMIC_RELAXED);                              \
	} while (0)
