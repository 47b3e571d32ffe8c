/* text.c - building text that cannot overrun, and parsing that takes the whole text or nothing.
 *
 * The builder cuts at its capacity and remembers that it did (`cut`): log lines and error messages
 * want that, a file that must be whole checks it.  Parsers know no locale, no leading blanks and no
 * trailing rubbish, unlike strtol and friends. */
#include "common/base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define NUMBER_MAX 64   /* longest text that parse_f64 looks at */
#define DISTANCE_MAX 64 /* longest text that text_distance compares */

void text_init(struct text *t, char *at, size_t cap)
{
	ASSERT(cap > 0);
	*t = (struct text){ .at = at, .cap = cap };
	at[0] = '\0';
}

void text_printf(struct text *t, const char *fmt, ...)
{
	size_t room = t->cap - t->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at + t->n, room, fmt, ap);
	va_end(ap);
	ASSERT(n >= 0);
	t->cut |= (size_t)n >= room;
	t->n += size_min((size_t)n, room - 1);
}

void text_str(struct text *t, struct str s)
{
	size_t n = size_min(s.n, t->cap - 1 - t->n);

	if (n)
		memcpy(t->at + t->n, s.at, n);
	t->cut |= n < s.n;
	t->n += n;
	t->at[t->n] = '\0';
}

/* RFC 8259: the two-letter escapes, \u00XX for other controls, bytes above 0x7f as they are. */
static void json_char(struct text *t, char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	const char *found = c ? strchr(plain, c) : NULL;

	if (found)
		text_printf(t, "\\%c", letter[found - plain]);
	else if ((unsigned char)c < 0x20)
		text_printf(t, "\\u%04x", (unsigned)c);
	else
		text_str(t, (struct str){ &c, 1 });
}

void text_json(struct text *t, struct str s)
{
	if (str_null(s)) {
		text_str(t, STR("null"));
		return;
	}
	text_str(t, STR("\""));
	for (size_t i = 0; i < s.n; i++)
		json_char(t, s.at[i]);
	text_str(t, STR("\""));
}

/* Counts up in unsigned and compares before each step, because signed overflow is undefined.
 * ERR_INVALID: not a number; ERR_LIMIT: a number, but none of 64 bits. */
enum err parse_i64(struct str s, int64_t *out)
{
	bool negative = s.n && s.at[0] == '-';
	size_t i = s.n && (s.at[0] == '-' || s.at[0] == '+');
	uint64_t max = (uint64_t)INT64_MAX + negative, v = 0;

	if (i == s.n)
		return ERR_INVALID;
	for (; i < s.n; i++) {
		uint64_t digit = (uint64_t)((unsigned char)s.at[i] - '0');

		if (digit > 9)
			return ERR_INVALID;
		if (v > (max - digit) / 10)
			return ERR_LIMIT;
		v = v * 10 + digit;
	}
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return ERR_OK;
}

enum err parse_i32(struct str s, int32_t *out)
{
	int64_t v;
	enum err e = parse_i64(s, &v);

	if (e)
		return e;
	if (v < INT32_MIN || v > INT32_MAX)
		return ERR_LIMIT;
	*out = (int32_t)v;
	return ERR_OK;
}

enum err parse_bool(struct str s, bool *out)
{
	bool yes = s.n == 4 && strncasecmp(s.at, "true", 4) == 0;
	bool no = s.n == 5 && strncasecmp(s.at, "false", 5) == 0;

	if (!yes && !no)
		return ERR_INVALID;
	*out = yes;
	return ERR_OK;
}

/* strtod needs a NUL and would skip blanks; NaN is refused, since no option means it. */
enum err parse_f64(struct str s, double *out)
{
	char z[NUMBER_MAX], *end;
	double v;

	if (s.n == 0 || s.n >= sizeof(z) || strchr(" \t\n\v\f\r", s.at[0]))
		return ERR_INVALID;
	memcpy(z, s.at, s.n);
	z[s.n] = '\0';
	errno = 0;
	v = strtod(z, &end);
	if (end != z + s.n || v != v)
		return ERR_INVALID;
	if (errno == ERANGE)
		return ERR_LIMIT;
	*out = v;
	return ERR_OK;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.n && is_blank(s.at[0]))
		s = (struct str){ s.at + 1, s.n - 1 };
	while (s.n && is_blank(s.at[s.n - 1]))
		s.n--;
	return s;
}

bool str_cut(struct str *rest, char sep, struct str *head)
{
	const char *end;

	if (str_null(*rest))
		return false;
	end = rest->n ? memchr(rest->at, sep, rest->n) : NULL;
	*head = *rest;
	if (!end) {
		*rest = (struct str){ 0 };
		return true;
	}
	head->n = (size_t)(end - rest->at);
	*rest = (struct str){ end + 1, rest->n - head->n - 1 };
	return true;
}

/* Levenshtein's distance, one row at a time. */
int text_distance(struct str a, struct str b)
{
	int row[DISTANCE_MAX + 1];

	a.n = size_min(a.n, DISTANCE_MAX);
	b.n = size_min(b.n, DISTANCE_MAX);
	for (size_t j = 0; j <= b.n; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= a.n; i++) {
		int diagonal = row[0];

		row[0] = (int)i;
		for (size_t j = 1; j <= b.n; j++) {
			int change = diagonal + (a.at[i - 1] != b.at[j - 1]);

			diagonal = row[j];
			row[j] = i32_min(change, i32_min(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.n];
}
