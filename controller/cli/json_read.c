/* json_read.c - see json_read.h.  RFC 8259, by recursive descent, less what no file of ours needs:
 * numbers are integers.  JSON_NEST_MAX bounds the stack, whatever somebody hands us. */
#include "controller/cli/json_read.h"
#include "common/base/text.h"

struct read {
	struct arena *mem;
	const char *text;
	size_t n, at;
	int depth;
};

static enum err read_value(struct read *, struct json_value *);

static void skip_blanks(struct read *r)
{
	/* strchr finds the NUL that ends its list, too. */
	while (r->at < r->n && strchr(" \t\r\n", r->text[r->at]) && r->text[r->at])
		r->at++;
}

static bool take(struct read *r, char c)
{
	skip_blanks(r);
	if (r->at == r->n || r->text[r->at] != c)
		return false;
	r->at++;
	return true;
}

static bool take_word(struct read *r, const char *word)
{
	size_t n = strlen(word);

	if (r->n - r->at < n || memcmp(r->text + r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

enum err json_read(struct arena *mem, struct str text, struct json_value **out, size_t *at)
{
	struct read r = { mem, text.at, text.n, 0, 0 };
	enum err e;

	*out = arena_must(mem, sizeof(**out));
	e = read_value(&r, *out);
	skip_blanks(&r);
	if (!e && r.at < r.n)
		e = ERR_CORRUPT;
	*at = r.at;
	return e;
}

const struct json_value *json_member(const struct json_value *v, const char *key)
{
	const struct json_value *m = v && v->kind == JSON_OBJECT ? v->first : NULL;

	while (m && !str_eq(m->key, str_of(key)))
		m = m->next;
	return m;
}

/* ---- texts --------------------------------------------------------------------------------- */

static enum err read_hex(struct read *r, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *d =
			r->at < r->n && r->text[r->at] ? strchr(digits, r->text[r->at]) : NULL;

		if (!d)
			return ERR_CORRUPT;
		*out = *out * 16 + (uint32_t)(d - digits) % 16;
		r->at++;
	}
	return ERR_OK;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

static enum err read_escape(struct read *r, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	char c = r->at < r->n ? r->text[r->at++] : '\0';
	const char *found = c ? strchr(from, c) : NULL;
	uint32_t code;
	enum err e;

	if (found) {
		*(*to)++ = into[found - from];
		return ERR_OK;
	}
	if (c != 'u')
		return ERR_CORRUPT;
	if ((e = read_hex(r, &code)))
		return e;
	*to = put_utf8(*to, code);
	return ERR_OK;
}

/* The bytes up to the closing quote.  What is escaped grows shorter: that is room enough. */
static size_t length_of(const struct read *r)
{
	size_t n = 0;

	while (r->at + n < r->n && r->text[r->at + n] != '"')
		n += r->text[r->at + n] == '\\' ? 2 : 1;
	return n;
}

static enum err read_text(struct read *r, struct str *out)
{
	char *memory, *to;
	enum err e = ERR_OK;

	if (!take(r, '"'))
		return ERR_CORRUPT;
	memory = to = arena_must(r->mem, length_of(r) + 1);
	while (!e && r->at < r->n && r->text[r->at] != '"') {
		char c = r->text[r->at++];

		if ((unsigned char)c < 0x20)
			e = ERR_CORRUPT;
		else if (c == '\\')
			e = read_escape(r, &to);
		else
			*to++ = c;
	}
	if (e || r->at == r->n)
		return ERR_CORRUPT;
	r->at++;
	*out = (struct str){ memory, (size_t)(to - memory) };
	return ERR_OK;
}

/* ---- values -------------------------------------------------------------------------------- */

static enum err read_number(struct read *r, struct json_value *v)
{
	size_t from = r->at;

	v->kind = JSON_INT;
	while (r->at < r->n && r->text[r->at] && strchr("-0123456789", r->text[r->at]))
		r->at++;
	if (parse_i64((struct str){ r->text + from, r->at - from }, &v->number) == ERR_OK)
		return ERR_OK;
	/* The sentence about the file is to name where the number begins. */
	r->at = from;
	return ERR_CORRUPT;
}

static enum err read_many(struct read *r, struct json_value *v, char closing)
{
	struct json_value **end = &v->first;
	enum err e = ERR_OK;

	r->at++;
	if (take(r, closing))
		return ERR_OK;
	do {
		struct json_value *one = *end = arena_must(r->mem, sizeof(*one));

		skip_blanks(r);
		if (closing == '}' && ((e = read_text(r, &one->key)) || !take(r, ':')))
			return ERR_CORRUPT;
		if ((e = read_value(r, one)))
			return e;
		end = &one->next;
		v->n++;
	} while (take(r, ','));
	return take(r, closing) ? ERR_OK : ERR_CORRUPT;
}

static enum err read_value(struct read *r, struct json_value *v)
{
	enum err e;
	char c;

	skip_blanks(r);
	if (r->at == r->n || r->depth == JSON_NEST_MAX)
		return ERR_CORRUPT;
	c = r->text[r->at];
	if (c == '{' || c == '[') {
		v->kind = c == '{' ? JSON_OBJECT : JSON_LIST;
		r->depth++;
		e = read_many(r, v, c == '{' ? '}' : ']');
		r->depth--;
		return e;
	}
	if (c == '"') {
		v->kind = JSON_TEXT;
		return read_text(r, &v->text);
	}
	if (take_word(r, "null"))
		return ERR_OK;
	v->kind = JSON_BOOL;
	if (take_word(r, "true")) {
		v->number = 1;
		return ERR_OK;
	}
	return take_word(r, "false") ? ERR_OK : read_number(r, v);
}
