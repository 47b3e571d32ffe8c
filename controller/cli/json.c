/* json.c - JSON as it is made: no tree, no memory but the nesting. */
#include "controller/cli/json.h"

#include <inttypes.h>
#include <stdio.h>

static void quote(struct str);

static void item(struct json *j, const char *key)
{
	if (j->used[j->depth])
		putchar(',');
	j->used[j->depth] = true;
	if (!key)
		return;
	quote(str_of(key));
	putchar(':');
}

static void nest(struct json *j, const char *key, char opening, char closing)
{
	item(j, key);
	putchar(opening);
	j->depth++;
	ASSERT(j->depth < JSON_DEPTH_MAX);
	j->used[j->depth] = false;
	j->closing[j->depth] = closing;
}

void json_object(struct json *j, const char *key)
{
	nest(j, key, '{', '}');
}

void json_array(struct json *j, const char *key)
{
	nest(j, key, '[', ']');
}

void json_close(struct json *j)
{
	ASSERT(j->depth > 0);
	putchar(j->closing[j->depth]);
	j->depth--;
}

void json_end(struct json *j)
{
	ASSERT(j->depth == 0);
	putchar('\n');
	j->used[0] = false;
}

void json_str(struct json *j, const char *key, struct str s)
{
	item(j, key);
	if (str_null(s))
		fputs("null", stdout);
	else
		quote(s);
}

void json_i64(struct json *j, const char *key, int64_t v)
{
	item(j, key);
	printf("%" PRId64, v);
}

void json_bool(struct json *j, const char *key, bool v)
{
	item(j, key);
	fputs(v ? "true" : "false", stdout);
}

void json_ids(struct json *j, const char *key, const int32_t *v, int n)
{
	json_array(j, key);
	for (int i = 0; i < n; i++)
		json_i64(j, NULL, v[i]);
	json_close(j);
}

/* Bytes that are not UTF-8 (keys and values of records may hold any) come out as U+FFFD, so that
 * the answer is always valid JSON. */
static size_t utf8_length(const unsigned char *at, size_t n)
{
	size_t want = at[0] < 0x80   ? 1
		      : at[0] < 0xc2 ? 0
		      : at[0] < 0xe0 ? 2
		      : at[0] < 0xf0 ? 3
		      : at[0] < 0xf5 ? 4
				     : 0;

	if (want > n)
		return 0;
	for (size_t i = 1; i < want; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if (want == 3 && ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0)))
		return 0;
	if (want == 4 && ((at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] >= 0x90)))
		return 0;
	return want;
}

static void quote(struct str s)
{
	putchar('"');
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.at[i];
		size_t n = utf8_length((const unsigned char *)s.at + i, s.n - i);

		if (n == 0)
			fputs("\\ufffd", stdout);
		else if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c == '\n')
			fputs("\\n", stdout);
		else if (c < 0x20)
			printf("\\u%04x", c);
		else
			fwrite(s.at + i, 1, n, stdout);
		i += n ? n : 1;
	}
	putchar('"');
}
