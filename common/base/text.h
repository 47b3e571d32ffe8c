/* text.h - bounded text building and strict parsing; never overruns, never silently wraps. */
#pragma once
#include "common/base/base.h"

/* A text builder over memory of the caller; always NUL terminated; cut marks an overflow. */
struct text {
	char *at;
	size_t n, cap;
	bool cut;
};
void text_init(struct text *, char *at, size_t cap);
void text_printf(struct text *, const char *fmt, ...) printf_like(2, 3);
void text_str(struct text *, struct str);
void text_json(struct text *, struct str); /* quoted and escaped; null for a null str */

must_check enum err parse_i64(struct str, int64_t *); /* the whole text, decimal, optional sign */
must_check enum err parse_i32(struct str, int32_t *);
must_check enum err parse_bool(struct str, bool *);      /* true, false; any case */
must_check enum err parse_f64(struct str, double *);
struct str str_trim(struct str);
/* Next field; a text ending in sep has an empty last field; rest becomes null with the last one. */
bool str_cut(struct str *rest, char sep, struct str *head);      /* false when none is left */
int text_distance(struct str, struct str);               /* edit distance, for "did you mean" */
