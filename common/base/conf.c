/* conf.c - see conf.h.
 *
 * Every option keeps its value twice: parsed, in the field of the options struct, and as the text
 * it was given as.  Files follow java.util.Properties: `#` and `!` comments, `=`, `:` or a blank
 * between key and value, a backslash at the end of a line to go on, \n \t \r \f \uXXXX; the last
 * value of a key wins.  As in Kafka, blanks around a value are dropped. */
#include "common/base/conf.h"

#include "common/base/log.h"
#include "common/base/text.h"

struct conf_store {
	const struct conf_row *rows;
	int n_rows;
	uint8_t *options;
	char **text; /* per row: what a CONF_STR field points to */
	bool *set;   /* per row: not the default */
};

union parsed {
	int64_t i64;
	int32_t i32;
	bool yes;
	double f64;
};

static enum err check(const struct conf_row *, struct str value, union parsed *, struct text *why);
static enum err check_number(const struct conf_row *, struct str value, union parsed *,
			     struct text *why);
static enum err check_enum(const struct conf_row *, struct str value, union parsed *,
			   struct text *why);
static void store(struct conf_store *, const struct conf_row *, struct str value,
		  const union parsed *);
static void say_unknown(const struct conf_store *, struct str key, struct text *why);
static size_t logical_line(struct str *rest, char *line, int *lines);
static void split(struct str line, struct str *key, struct str *value);
static bool unescape(struct str *, char *to);

/* A default goes through the same check as a value from a file, so a row
 * cannot contradict itself. */
struct conf_store *conf_new(const struct conf_row *rows, int n_rows, void *options)
{
	struct conf_store *c = mem_alloc(sizeof(*c));
	char text[256];
	struct text why;

	*c = (struct conf_store){ rows, n_rows, options, NULL, NULL };
	c->text = mem_alloc((size_t)n_rows * sizeof(*c->text));
	c->set = mem_alloc((size_t)n_rows * sizeof(*c->set));
	for (const struct conf_row *r = rows; r != rows + n_rows; r++) {
		union parsed v;
		enum err e;

		if (!r->def)
			continue;
		text_init(&why, text, sizeof(text));
		e = check(r, str_of(r->def), &v, &why);
		ASSERT(e == ERR_OK); /* a default outside its own range */
		store(c, r, str_of(r->def), &v);
	}
	return c;
}

void conf_free(struct conf_store *c)
{
	if (!c)
		return;
	for (int i = 0; i < c->n_rows; i++)
		mem_free(c->text[i]);
	mem_free(c->text);
	mem_free(c->set);
	mem_free(c);
}

/* Checked before anything is stored: a refused value leaves the old one in force. */
enum err conf_set(struct conf_store *c, struct str key, struct str value, const char *where,
		  char *why, size_t why_cap)
{
	const struct conf_row *r = conf_find(c->rows, c->n_rows, key);
	struct text t;
	union parsed v;
	enum err e;

	text_init(&t, why, why_cap);
	text_printf(&t, "%s: ", where);
	if (!r) {
		say_unknown(c, key, &t);
		return ERR_NOT_FOUND;
	}
	value = str_trim(value);
	e = check(r, value, &v, &t);
	if (e)
		return e;
	store(c, r, value, &v);
	c->set[r - c->rows] = true;
	return ERR_OK;
}

/* Stops at the first bad value; a key that no row has is a warning (files written for Kafka name
 * options that Weir does not have).  One buffer of the text's size holds each logical line in
 * turn. */
enum err conf_parse(struct conf_store *c, struct str text, const char *path, char *why,
		    size_t why_cap)
{
	char *line = mem_alloc(text.n + 1), where[256];
	enum err e = ERR_OK;
	struct str rest = text;
	int next_line = 1;

	while (e == ERR_OK && rest.n) {
		int first_line = next_line;
		struct str raw = { line, logical_line(&rest, line, &next_line) }, key, value;
		struct text t;

		raw = str_trim(raw);
		if (!raw.n || raw.at[0] == '#' || raw.at[0] == '!')
			continue;
		text_init(&t, where, sizeof(where));
		text_printf(&t, "%s:%d", path, first_line);
		split(raw, &key, &value);
		if (!unescape(&key, line) || !unescape(&value, line + (value.at - line))) {
			text_init(&t, why, why_cap);
			text_printf(&t, "%s: \\u must be followed by four hexadecimal digits",
				    where);
			e = ERR_INVALID;
			break;
		}
		e = conf_set(c, key, value, where, why, why_cap);
		if (e == ERR_NOT_FOUND) { /* files written for Kafka name options that we lack */
			log_warn("conf", "option ignored", F_Z("why", why));
			e = ERR_OK;
		}
	}
	mem_free(line);
	return e;
}

enum err conf_check(const struct conf_row *r, struct str value, char *why, size_t why_cap)
{
	union parsed v;
	struct text t;

	text_init(&t, why, why_cap);
	return check(r, str_trim(value), &v, &t);
}

const struct conf_row *conf_find(const struct conf_row *rows, int n_rows, struct str key)
{
	for (const struct conf_row *r = rows; r != rows + n_rows; r++)
		if (str_eq(str_of(r->name), key) || (r->alias && str_eq(str_of(r->alias), key)))
			return r;
	return NULL;
}

/* A name further off than a third of its length is no help. */
const char *conf_nearest(const struct conf_row *rows, int n_rows, struct str key)
{
	int best = (int)size_max(key.n, 6) / 3 + 1;
	const char *name = NULL;

	for (const struct conf_row *r = rows; r != rows + n_rows; r++) {
		int d = text_distance(str_of(r->name), key);

		if (d < best) {
			best = d;
			name = r->name;
		}
	}
	return name;
}

/* The text as it was given, not the parsed number printed again: "1.0" stays "1.0". */
struct str conf_value(const struct conf_store *c, const struct conf_row *r, char *tmp, size_t cap)
{
	const char *text = c->text[r - c->rows];
	struct text t;

	if (!text)
		return (struct str){ 0 };
	text_init(&t, tmp, cap);
	text_str(&t, str_of(text));
	return (struct str){ t.at, t.n };
}

bool conf_is_set(const struct conf_store *c, const struct conf_row *r)
{
	return c->set[r - c->rows];
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Parses by type; on failure `why` says what would have been right. CONF_STR takes anything: what a
 * text means is its user's to judge. */
static enum err check(const struct conf_row *r, struct str value, union parsed *v, struct text *why)
{
	switch (r->type) {
	case CONF_STR: return ERR_OK;
	case CONF_ENUM: return check_enum(r, value, v, why);
	case CONF_BOOL:
		if (!parse_bool(value, &v->yes))
			return ERR_OK;
		text_printf(why, "%s=%.*s: must be true or false", r->name, (int)value.n, value.at);
		return ERR_INVALID;
	case CONF_F64:
		if (!parse_f64(value, &v->f64))
			return ERR_OK;
		text_printf(why, "%s=%.*s: must be a number", r->name, (int)value.n, value.at);
		return ERR_INVALID;
	case CONF_I32:
	case CONF_I64: return check_number(r, value, v, why);
	}
	UNREACHABLE();
}

static enum err check_number(const struct conf_row *r, struct str value, union parsed *v,
			     struct text *why)
{
	bool wide = r->type == CONF_I64, free = r->min == 0 && r->max == 0;
	int64_t min = free ? (wide ? INT64_MIN : INT32_MIN) : r->min;
	int64_t max = free ? (wide ? INT64_MAX : INT32_MAX) : r->max, n;
	enum err e = parse_i64(value, &n);

	if (e == ERR_INVALID) {
		text_printf(why, "%s=%.*s: must be a whole number", r->name, (int)value.n,
			    value.at);
		return ERR_INVALID;
	}
	if (e || n < min || n > max) {
		text_printf(why, "%s=%.*s: must be between %lld and %lld", r->name, (int)value.n,
			    value.at, (long long)min, (long long)max);
		return ERR_LIMIT;
	}
	if (wide)
		v->i64 = n;
	else
		v->i32 = (int32_t)n;
	return ERR_OK;
}

/* The place of the value in the row's list is the number; enums in C are written in
 * the same order. */
static enum err check_enum(const struct conf_row *r, struct str value, union parsed *v,
			   struct text *why)
{
	struct str rest = str_of(r->values), one;

	for (v->i32 = 0; str_cut(&rest, ',', &one); v->i32++)
		if (str_eq(one, value))
			return ERR_OK;
	text_printf(why, "%s=%.*s: must be one of %s", r->name, (int)value.n, value.at, r->values);
	return ERR_INVALID;
}

/* The field of a CONF_STR points into the store's copy, so it must be set again whenever that
 * moves. */
static void store(struct conf_store *c, const struct conf_row *r, struct str value,
		  const union parsed *v)
{
	char **text = &c->text[r - c->rows];
	void *field = c->options + r->at;
	struct str kept;

	mem_free(*text);
	*text = mem_alloc(value.n + 1);
	if (value.n)
		memcpy(*text, value.at, value.n);
	kept = (struct str){ *text, value.n };
	switch (r->type) {
	case CONF_STR: memcpy(field, &kept, sizeof(kept)); return;
	case CONF_I32:
	case CONF_ENUM: memcpy(field, &v->i32, sizeof(v->i32)); return;
	case CONF_I64: memcpy(field, &v->i64, sizeof(v->i64)); return;
	case CONF_BOOL: memcpy(field, &v->yes, sizeof(v->yes)); return;
	case CONF_F64: memcpy(field, &v->f64, sizeof(v->f64)); return;
	}
	UNREACHABLE();
}

static void say_unknown(const struct conf_store *c, struct str key, struct text *why)
{
	const char *nearest = conf_nearest(c->rows, c->n_rows, key);

	text_printf(why, "%.*s: no such option", (int)key.n, key.at);
	if (nearest)
		text_printf(why, "; did you mean %s?", nearest);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* An even number of backslashes is so many literal ones; an odd number continues the line. */
static bool ends_in_escape(const char *line, size_t n)
{
	size_t slashes = 0;

	while (slashes < n && line[n - 1 - slashes] == '\\')
		slashes++;
	return slashes % 2 == 1;
}

/* Joins the lines that a backslash continues; comments are never continued. */
static size_t logical_line(struct str *rest, char *line, int *lines)
{
	struct str one;
	size_t n = 0;

	while (str_cut(rest, '\n', &one)) {
		bool first = n == 0;

		++*lines;
		if (one.n && one.at[one.n - 1] == '\r')
			one.n--;
		while (one.n && strchr(" \t\f", one.at[0]))
			one = (struct str){ one.at + 1, one.n - 1 };
		memcpy(line + n, one.at, one.n);
		n += one.n;
		if ((first && n && (line[0] == '#' || line[0] == '!')) || !ends_in_escape(line, n))
			break;
		n--;
	}
	return n;
}

/* The key ends at the first '=', ':' or blank that is not escaped; one '=' or ':' with blanks
 * around it is the separator, everything behind it the value. */
static void split(struct str line, struct str *key, struct str *value)
{
	size_t n = 0;

	while (n < line.n && !strchr("=: \t\f", line.at[n]))
		n += line.at[n] == '\\' ? 2 : 1;
	n = size_min(n, line.n);
	*key = (struct str){ line.at, n };
	*value = str_trim((struct str){ line.at + n, line.n - n });
	if (value->n && (value->at[0] == '=' || value->at[0] == ':'))
		*value = str_trim((struct str){ value->at + 1, value->n - 1 });
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c | 0x20) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* The unit of a \uXXXX as UTF-8; halves of surrogate pairs are encoded one by one. */
static char *put_utf8(char *to, uint32_t u)
{
	if (u < 0x80) {
		*to++ = (char)u;
		return to;
	}
	if (u < 0x800) {
		*to++ = (char)(0xc0 | u >> 6);
	} else {
		*to++ = (char)(0xe0 | u >> 12);
		*to++ = (char)(0x80 | (u >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (u & 0x3f));
	return to;
}

/* In place: the text never grows.  `to` is where s lies, writable. */
static bool unescape(struct str *s, char *to)
{
	const char *in = s->at, *end = s->at + s->n;
	char *out = to;

	while (in < end) {
		static const char letters[] = "ntrf", meant[] = "\n\t\r\f";
		const char *found;
		uint32_t u = 0;

		if (*in != '\\' || in + 1 == end) {
			*out++ = *in++;
			continue;
		}
		in += 2;
		if (in[-1] != 'u') {
			found = in[-1] ? strchr(letters, in[-1]) : NULL;
			*out++ = found ? meant[found - letters] : in[-1];
			continue;
		}
		for (int i = 0; i < 4; i++, in++) {
			if (in >= end || hex_digit(*in) < 0)
				return false;
			u = u << 4 | (uint32_t)hex_digit(*in);
		}
		out = put_utf8(out, u);
	}
	*s = (struct str){ to, (size_t)(out - to) };
	return true;
}
