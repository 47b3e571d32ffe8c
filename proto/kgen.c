/* kgen.c - compiles proto/kafka/NNN_name.msg to C structs and descriptor tables.
 *
 *   kgen OUTDIR FILE.msg...
 *
 * Reading is a recursive descent over tokens; a token is a run of characters other than blanks,
 * `{` and `}` are tokens, `#` starts a comment.  A line end matters: it ends a field. */
#include "proto/kgen.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_TOKENS_MAX = 16 };

struct source {
	const char *path;
	FILE *file;
	int line;
	char text[512];
	char *tokens[LINE_TOKENS_MAX];
	int n_tokens, at;
	struct record *records; /* of the message being read, in order of definition */
	const struct api *api;
	const char *side; /* "request" or "response" */
};

static void *must_alloc(size_t n);
static _Noreturn void fail(const struct source *, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static bool next_line(struct source *);
static const char *take(struct source *, const char *what);
static const char *peek(const struct source *);
static bool take_if(struct source *, const char *token);
static void read_api_line(struct source *, struct api *);
static struct record *read_message(struct source *, const char *side);
static void read_fields(struct source *, struct record *);
static struct field *read_field(struct source *, const struct record *owner);
static void read_type(struct source *, struct field *, char *alias);
static void read_sub(struct source *, struct field *, const struct record *owner,
		     const char *alias);
static void read_default(struct source *, struct field *);
static struct versions read_versions(struct source *, const char *);
static struct versions common_versions(struct versions, struct versions);
static long read_number(struct source *, const char *);
static void check_field(struct source *, const struct field *, const struct record *owner);
static void add_field(struct source *, struct record *, struct field *);
static void copy_name(struct source *, char *to, const char *from);

int main(int argc, char **argv)
{
	struct api *first = NULL, **tail = &first;

	if (argc < 3) {
		fprintf(stderr, "usage: kgen OUTDIR FILE.msg...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		*tail = kgen_read(argv[i]);
		kgen_write(argv[1], *tail);
		tail = &(*tail)->next;
	}
	kgen_write_index(argv[1], first);
	return 0;
}

struct api *kgen_read(const char *path)
{
	struct source s = { .path = path, .file = fopen(path, "r") };
	struct api *api = must_alloc(sizeof(*api));
	const char *slash = strrchr(path, '/');

	if (!s.file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	api->source = slash ? slash + 1 : path;
	s.api = api;
	if (!next_line(&s))
		fail(&s, "empty file");
	read_api_line(&s, api);
	api->request = read_message(&s, "request");
	api->response = read_message(&s, "response");
	if (next_line(&s))
		fail(&s, "text after the response");
	fclose(s.file);
	return api;
}

/* api 0 Produce versions 3-13 flexible 9+ advertise 0-13 */
static void read_api_line(struct source *s, struct api *api)
{
	char *to = api->prefix;

	if (!take_if(s, "api"))
		fail(s, "expected `api KEY Name versions A-B`");
	api->key = (int)read_number(s, take(s, "the api key"));
	copy_name(s, api->name, take(s, "the api name"));
	for (const char *c = api->name; *c; c++) {
		if (c > api->name && isupper((unsigned char)*c))
			*to++ = '_';
		*to++ = (char)tolower((unsigned char)*c);
	}
	if (!take_if(s, "versions"))
		fail(s, "expected `versions A-B`");
	api->versions = read_versions(s, take(s, "versions"));
	if (api->versions.hi == VERSION_OPEN)
		fail(s, "an api needs a last version");
	api->advertised = api->versions;
	api->flexible_from = VERSION_OPEN;
	if (take_if(s, "flexible"))
		api->flexible_from = read_versions(s, take(s, "versions")).lo;
	if (take_if(s, "advertise")) {
		if (take_if(s, "none"))
			api->advertised = (struct versions){ 0, -1 };
		else
			api->advertised = read_versions(s, take(s, "versions"));
	}
	if (peek(s))
		fail(s, "unexpected `%s`", peek(s));
}

/* Request or response of one API; the structs it spells out follow it in order of definition, so
 * that C sees each before it is used. */
static struct record *read_message(struct source *s, const char *side)
{
	struct record *top = must_alloc(sizeof(*top));
	struct record **tail;

	if (!next_line(s) || !take_if(s, side) || !take_if(s, "{"))
		fail(s, "expected `%s {`", side);
	s->side = side;
	s->records = NULL;
	snprintf(top->name, sizeof(top->name), "%.60s_%s", s->api->prefix, side);
	top->versions = s->api->versions;
	read_fields(s, top);
	for (tail = &s->records; *tail; tail = &(*tail)->next)
		;
	*tail = top;
	return s->records;
}

static void read_fields(struct source *s, struct record *owner)
{
	for (;;) {
		if (take_if(s, "}"))
			break;
		if (peek(s))
			fail(s, "unexpected `%s`", peek(s));
		if (!next_line(s))
			fail(s, "the file ends inside `{`");
		if (!take_if(s, "}"))
			add_field(s, owner, read_field(s, owner));
		else
			break;
	}
	if (peek(s))
		fail(s, "unexpected `%s`", peek(s));
}

/* name type [versions] [= default] [tag N] [{ ... }] */
static struct field *read_field(struct source *s, const struct record *owner)
{
	struct field *f = must_alloc(sizeof(*f));
	char alias[NAME_MAX_BYTES] = "";

	copy_name(s, f->name, take(s, "a field name"));
	f->versions = (struct versions){ 0, VERSION_OPEN };
	f->tag = -1;
	read_type(s, f, alias);
	if (peek(s) && isdigit((unsigned char)*peek(s)))
		f->versions = read_versions(s, take(s, "versions"));
	if (take_if(s, "="))
		read_default(s, f);
	if (take_if(s, "tag"))
		f->tag = (int)read_number(s, take(s, "the tag"));
	check_field(s, f, owner);
	if (f->kind == KIND_STRUCT)
		read_sub(s, f, owner, alias);
	return f;
}

/* `i32`, `str?`, `str?7+`, `struct`, `struct?`, `alias`, or `[]`, `[]?`, `[]?1+` and an element
 * type */
static void read_type(struct source *s, struct field *f, char *alias)
{
	static const char *const kinds[KIND_COUNT] = { "bool",  "i8",      "i16",   "i32",  "i64",
						       "u16",   "u32",     "f64",   "uuid", "str",
						       "bytes", "records", "struct" };
	char word[NAME_MAX_BYTES], *mark;

	f->nullable = (struct versions){ 1, 0 };
	copy_name(s, word, take(s, "a type"));
	mark = strchr(word, '?');
	if (mark) {
		*mark++ = '\0';
		f->nullable = (struct versions){ 0, VERSION_OPEN };
		if (*mark)
			f->nullable = read_versions(s, mark);
	}
	f->is_array = strcmp(word, "[]") == 0;
	if (f->is_array) {
		f->kind = KIND_STRUCT;
		if (!peek(s) || !isalpha((unsigned char)*peek(s)) || strcmp(peek(s), "tag") == 0)
			return;
		copy_name(s, word, take(s, "an element type"));
	}
	for (int k = 0; k < KIND_COUNT; k++) {
		f->kind = (enum kind)k;
		if (strcmp(word, kinds[k]) == 0)
			return;
	}
	f->kind = KIND_STRUCT;
	copy_name(s, alias, word);
}

/* A struct is either spelt out here or names one that this message has spelt out before. */
static void read_sub(struct source *s, struct field *f, const struct record *owner,
		     const char *alias)
{
	char name[NAME_MAX_BYTES];
	size_t n = strlen(f->name);
	struct record **tail;

	copy_name(s, name, alias[0] ? alias : f->name);
	if (!alias[0] && f->is_array && n > 3 && strcmp(name + n - 3, "ies") == 0)
		memcpy(name + n - 3, "y", 2);
	else if (!alias[0] && f->is_array && n > 1 && name[n - 1] == 's')
		name[n - 1] = '\0';
	for (tail = &s->records; *tail; tail = &(*tail)->next)
		if (strcmp((*tail)->alias, name) == 0)
			f->sub = *tail;
	if (!take_if(s, "{")) {
		if (!f->sub)
			fail(s, "`%s` is neither a type nor a struct above", name);
		return;
	}
	if (f->sub)
		fail(s, "a second struct `%s`: give it a name after the type", name);
	f->sub = must_alloc(sizeof(*f->sub));
	copy_name(s, f->sub->alias, name);
	snprintf(f->sub->name, sizeof(f->sub->name), "%.40s_%s_%.40s", s->api->prefix, s->side,
		 name);
	f->sub->versions = common_versions(owner->versions, f->versions);
	read_fields(s, f->sub);
	for (tail = &s->records; *tail; tail = &(*tail)->next)
		;
	*tail = f->sub;
}

static void read_default(struct source *s, struct field *f)
{
	const char *word = take(s, "a default");
	char *end;

	if (strcmp(word, "null") == 0) {
		f->is_null_default = true;
		return;
	}
	if (f->is_array || f->kind >= KIND_F64)
		fail(s, "`%s` can only default to null", f->name);
	if (strcmp(word, "true") == 0) {
		f->number_default = 1;
		return;
	}
	errno = 0;
	f->number_default = strtoll(word, &end, 0);
	if (*end || errno)
		fail(s, "`%s` is no default", word);
}

/* `3`, `3-7` or `3+` */
static struct versions read_versions(struct source *s, const char *word)
{
	struct versions v;
	char *end;

	v.lo = v.hi = (int)strtol(word, &end, 10);
	if (end == word)
		fail(s, "`%s` is no version range", word);
	if (*end == '+') {
		v.hi = VERSION_OPEN;
		end++;
	} else if (*end == '-') {
		v.hi = (int)strtol(end + 1, &end, 10);
	}
	if (*end || v.lo > v.hi)
		fail(s, "`%s` is no version range", word);
	return v;
}

static struct versions common_versions(struct versions a, struct versions b)
{
	return (struct versions){ a.lo > b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi };
}

/* What the engine cannot do is refused here, with file and line, and not found at run time. */
static void check_field(struct source *s, const struct field *f, const struct record *owner)
{
	const struct versions when = common_versions(owner->versions, f->versions);
	const bool is_nullable = f->nullable.lo <= f->nullable.hi;
	const bool can_be_null = f->is_array || f->kind >= KIND_STR;

	if (when.lo > when.hi)
		fail(s, "`%s` is in no version of its struct", f->name);
	if (is_nullable && !can_be_null)
		fail(s, "`%s` cannot be nullable", f->name);
	if (f->is_null_default && !is_nullable)
		fail(s, "`%s` defaults to null but is not nullable", f->name);
	if (is_nullable && f->kind == KIND_STRUCT && !f->is_array && !f->is_null_default)
		fail(s, "nullable struct `%s` must default to null", f->name);
	if (f->tag >= 0 && when.lo < s->api->flexible_from)
		fail(s, "tagged `%s` needs flexible versions", f->name);
	if (f->kind == KIND_RECORDS && (f->tag >= 0 || f->is_array))
		fail(s, "records can neither be tagged nor an array");
}

static void add_field(struct source *s, struct record *owner, struct field *f)
{
	struct field **at = &owner->fields;

	for (const struct field *other = owner->fields; other; other = other->next)
		if (strcmp(other->name, f->name) == 0 || (f->tag >= 0 && other->tag == f->tag))
			fail(s, "`%s` is there twice", f->name);
	while (*at && ((*at)->tag < 0 || (f->tag >= 0 && (*at)->tag < f->tag)))
		at = &(*at)->next;
	f->next = *at;
	*at = f;
}

static long read_number(struct source *s, const char *word)
{
	char *end;
	long n = strtol(word, &end, 10);

	if (*end || n < 0 || n > INT16_MAX)
		fail(s, "`%s` is no number from 0 to 32767", word);
	return n;
}

static void copy_name(struct source *s, char *to, const char *from)
{
	size_t n = strlen(from);

	if (n >= NAME_MAX_BYTES)
		fail(s, "`%s` is too long", from);
	memcpy(to, from, n + 1);
}

/* The next line that holds a token. */
static bool next_line(struct source *s)
{
	char *rest;

	while (fgets(s->text, sizeof(s->text), s->file)) {
		s->line++;
		s->text[strcspn(s->text, "#\n")] = '\0';
		s->n_tokens = s->at = 0;
		for (char *t = strtok_r(s->text, " \t", &rest); t;
		     t = strtok_r(NULL, " \t", &rest)) {
			if (s->n_tokens == LINE_TOKENS_MAX)
				fail(s, "too many words in one line");
			s->tokens[s->n_tokens++] = t;
		}
		if (s->n_tokens > 0)
			return true;
	}
	s->n_tokens = s->at = 0;
	return false;
}

static const char *peek(const struct source *s)
{
	return s->at < s->n_tokens ? s->tokens[s->at] : NULL;
}

static const char *take(struct source *s, const char *what)
{
	if (!peek(s))
		fail(s, "expected %s", what);
	return s->tokens[s->at++];
}

static bool take_if(struct source *s, const char *token)
{
	if (!peek(s) || strcmp(peek(s), token) != 0)
		return false;
	s->at++;
	return true;
}

/* Never freed: the process ends with the last file. */
static void *must_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (!p) {
		fprintf(stderr, "kgen: out of memory\n");
		exit(1);
	}
	return p;
}

static _Noreturn void fail(const struct source *s, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", s->path, s->line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}
