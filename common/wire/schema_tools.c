/* schema_tools.c - the verbs off the hot path: print, equal, random.
 *
 * Each is one walk over the rows that the version has, in the manner of schema.c; adding a verb
 * means adding a walk here, not code per message. print and equal serve logs and tests, random
 * makes the messages that the round-trip tests and the fuzzers send. */
#include "common/wire/schema_walk.h"

#include <inttypes.h>

/* Small on purpose: messages nest arrays four deep, and 3^4 elements are enough to find a bug. */
enum { RANDOM_ITEMS_MAX = 3, RANDOM_TEXT_MAX = 20 };

struct printer {
	struct text *to;
	int version;
};

struct maker {
	struct prng *prng;
	struct arena *arena;
	int version;
};

static void print_struct(const struct printer *, const struct schema *, const uint8_t *in);
static void print_field(const struct printer *, const struct schema_row *, const uint8_t *in);
static void print_value(const struct printer *, const struct schema_row *, const uint8_t *at);
static void print_hex(const struct printer *, struct str);
static bool equal_struct(const struct schema *, int version, const uint8_t *, const uint8_t *);
static bool equal_field(const struct schema_row *, int version, const uint8_t *, const uint8_t *);
static bool equal_value(const struct schema_row *, int version, const uint8_t *, const uint8_t *);
static bool equal_text(struct str, struct str, bool nullable);
static void make_struct(const struct maker *, const struct schema *, uint8_t *out);
static void make_array(const struct maker *, const struct schema_row *, uint8_t *out);
static void make_value(const struct maker *, const struct schema_row *, uint8_t *at);
static struct str make_text(const struct maker *);
static uint64_t make_number(const struct maker *);

/* ---- print ----------------------------------------------------------------------------------- */

/* JSON, with bytes as hex and records as their size only: they may be megabytes. */
void schema_print(const struct schema *s, int version, const void *in, struct text *to)
{
	const struct printer p = { to, version };

	print_struct(&p, s, in);
}

static void print_struct(const struct printer *p, const struct schema *s, const uint8_t *in)
{
	const char *comma = "";

	text_printf(p->to, "{");
	for (int i = 0; i < s->n_rows; i++) {
		const struct schema_row *row = &s->rows[i];

		if (!walk_has(row, p->version))
			continue;
		text_printf(p->to, "%s\"%s\":", comma, row->name);
		comma = ",";
		print_field(p, row, in);
	}
	text_printf(p->to, "}");
}

static void print_field(const struct printer *p, const struct schema_row *row, const uint8_t *in)
{
	const uint8_t *items;
	int32_t n;

	if (!row->is_array) {
		print_value(p, row, in + row->at);
		return;
	}
	items = *(const uint8_t *const *)(const void *)(in + row->at);
	n = *(const int32_t *)(const void *)(in + row->n_at);
	text_printf(p->to, n < 0 ? "null" : "[");
	for (int32_t i = 0; i < n; i++) {
		text_printf(p->to, i > 0 ? "," : "");
		if (row->kind == KIND_STRUCT)
			print_struct(p, row->sub, items + (size_t)i * walk_size(row));
		else
			print_value(p, row, items + (size_t)i * walk_size(row));
	}
	text_printf(p->to, n < 0 ? "" : "]");
}

static void print_value(const struct printer *p, const struct schema_row *row, const uint8_t *at)
{
	const void *v = at;
	char uuid[UUID_TEXT];

	switch ((enum schema_kind)row->kind) {
	case KIND_BOOL: text_printf(p->to, "%s", *(const bool *)v ? "true" : "false"); break;
	case KIND_I8: text_printf(p->to, "%d", *(const int8_t *)v); break;
	case KIND_I16: text_printf(p->to, "%d", *(const int16_t *)v); break;
	case KIND_U16: text_printf(p->to, "%u", *(const uint16_t *)v); break;
	case KIND_I32: text_printf(p->to, "%" PRId32, *(const int32_t *)v); break;
	case KIND_U32: text_printf(p->to, "%" PRIu32, *(const uint32_t *)v); break;
	case KIND_I64: text_printf(p->to, "%" PRId64, *(const int64_t *)v); break;
	case KIND_F64: text_printf(p->to, "%.17g", *(const double *)v); break;
	case KIND_UUID:
		uuid_text(*(const struct uuid *)v, uuid);
		text_printf(p->to, "\"%s\"", uuid);
		break;
	case KIND_STR: text_json(p->to, *(const struct str *)v); break;
	case KIND_BYTES: print_hex(p, *(const struct str *)v); break;
	case KIND_RECORDS:
		text_printf(p->to, "{\"bytes\":%" PRId32 "}", ((const struct records *)v)->n);
		break;
	case KIND_STRUCT:
		if (walk_is_pointer(row))
			v = *(const void *const *)v;
		if (v)
			print_struct(p, row->sub, v);
		else
			text_printf(p->to, "null");
		break;
	}
}

static void print_hex(const struct printer *p, struct str s)
{
	text_printf(p->to, s.at ? "\"" : "null");
	for (size_t i = 0; s.at && i < s.n; i++)
		text_printf(p->to, "%02x", (uint8_t)s.at[i]);
	text_printf(p->to, s.at ? "\"" : "");
}

/* ---- equal ----------------------------------------------------------------------------------- */

bool schema_equal(const struct schema *s, int version, const void *a, const void *b)
{
	return equal_struct(s, version, a, b);
}

static bool equal_struct(const struct schema *s, int version, const uint8_t *a, const uint8_t *b)
{
	for (int i = 0; i < s->n_rows; i++)
		if (walk_has(&s->rows[i], version) && !equal_field(&s->rows[i], version, a, b))
			return false;
	return true;
}

static bool equal_field(const struct schema_row *row, int version, const uint8_t *a,
			const uint8_t *b)
{
	const size_t size = walk_size(row);
	const uint8_t *a_items, *b_items;
	int32_t n;

	if (!row->is_array)
		return equal_value(row, version, a + row->at, b + row->at);
	a_items = *(const uint8_t *const *)(const void *)(a + row->at);
	b_items = *(const uint8_t *const *)(const void *)(b + row->at);
	n = *(const int32_t *)(const void *)(a + row->n_at);
	if (n != *(const int32_t *)(const void *)(b + row->n_at))
		return false;
	for (int32_t i = 0; i < n; i++, a_items += size, b_items += size) {
		if (row->kind == KIND_STRUCT ? !equal_struct(row->sub, version, a_items, b_items)
					     : !equal_value(row, version, a_items, b_items))
			return false;
	}
	return true;
}

/* A file splice equals only the same range of the same file: the bytes are not read. */
static bool equal_value(const struct schema_row *row, int version, const uint8_t *a,
			const uint8_t *b)
{
	const struct records *ra = (const void *)a, *rb = (const void *)b;
	const uint8_t *sub_a = a, *sub_b = b;

	switch ((enum schema_kind)row->kind) {
	case KIND_BOOL:
	case KIND_I8:
	case KIND_I16:
	case KIND_I32:
	case KIND_I64:
	case KIND_U16:
	case KIND_U32:
	case KIND_F64:
	case KIND_UUID: return memcmp(a, b, walk_size(row)) == 0;
	case KIND_STR:
	case KIND_BYTES:
		return equal_text(*(const struct str *)(const void *)a,
				  *(const struct str *)(const void *)b,
				  walk_nullable(row, version));
	case KIND_RECORDS:
		if (ra->n != rb->n || ra->file != rb->file)
			return false;
		return ra->n <= 0 || (ra->file ? ra->file_at == rb->file_at
					       : memcmp(ra->at, rb->at, (size_t)ra->n) == 0);
	case KIND_STRUCT:
		if (walk_is_pointer(row)) {
			sub_a = *(const uint8_t *const *)(const void *)a;
			sub_b = *(const uint8_t *const *)(const void *)b;
		}
		if (!sub_a || !sub_b)
			return sub_a == sub_b;
		return equal_struct(row->sub, version, sub_a, sub_b);
	}
	UNREACHABLE();
}

/* Where the version knows no null, a null goes out as empty: then the two are the same. */
static bool equal_text(struct str a, struct str b, bool nullable)
{
	if (!nullable && a.n == 0 && b.n == 0)
		return true;
	return str_eq(a, b);
}

/* ---- random ---------------------------------------------------------------------------------- */

void schema_random(const struct schema *s, int version, void *out, struct prng *prng,
		   struct arena *arena)
{
	const struct maker m = { prng, arena, version };

	make_struct(&m, s, out);
}

/* One field in eight stays at its default, which is what decides whether a tag is sent at all. */
static void make_struct(const struct maker *m, const struct schema *s, uint8_t *out)
{
	schema_init(s, out);
	for (int i = 0; i < s->n_rows; i++) {
		const struct schema_row *row = &s->rows[i];

		if (!walk_has(row, m->version) || prng_chance(m->prng, 1, 8))
			continue; /* left at its default */
		if (row->is_array)
			make_array(m, row, out);
		else
			make_value(m, row, out + row->at);
	}
}

static void make_array(const struct maker *m, const struct schema_row *row, uint8_t *out)
{
	const size_t size = walk_size(row);
	int32_t n = (int32_t)prng_below(m->prng, RANDOM_ITEMS_MAX + 1);
	uint8_t *items = arena_must(m->arena, (size_t)n * size);

	if (walk_nullable(row, m->version) && prng_chance(m->prng, 1, 4))
		n = -1;
	*(void **)(void *)(out + row->at) = n > 0 ? items : NULL;
	*(int32_t *)(void *)(out + row->n_at) = n;
	for (int32_t i = 0; i < n; i++) {
		if (row->kind == KIND_STRUCT)
			make_struct(m, row->sub, items + (size_t)i * size);
		else
			make_value(m, row, items + (size_t)i * size);
	}
}

static void make_value(const struct maker *m, const struct schema_row *row, uint8_t *at)
{
	const bool is_null =
		!row->is_array && walk_nullable(row, m->version) && prng_chance(m->prng, 1, 4);
	const uint64_t number = make_number(m);
	struct str s;
	uint8_t *sub = at;

	switch ((enum schema_kind)row->kind) {
	case KIND_BOOL: *(bool *)at = number & 1; break;
	case KIND_I8:
	case KIND_I16:
	case KIND_I32:
	case KIND_I64:
	case KIND_U16:
	case KIND_U32:
	case KIND_F64: /* any bits will do, they are compared as bits */
		memcpy(at, &number, walk_size(row));
		break;
	case KIND_UUID: *(struct uuid *)at = prng_uuid(m->prng); break;
	case KIND_STR:
	case KIND_BYTES:
		*(struct str *)(void *)at = is_null ? (struct str){ NULL, 0 } : make_text(m);
		break;
	case KIND_RECORDS:
		s = make_text(m);
		*(struct records *)(void *)at =
			is_null ? (struct records){ .n = -1 }
				: (struct records){ .at = (const void *)s.at, .n = (int32_t)s.n };
		break;
	case KIND_STRUCT:
		if (walk_is_pointer(row)) {
			sub = is_null ? NULL : arena_must(m->arena, row->sub->size);
			*(void **)(void *)at = sub;
		}
		if (sub)
			make_struct(m, row->sub, sub);
		break;
	}
}

/* Sometimes longer than one byte of a compact length can say. */
static struct str make_text(const struct maker *m)
{
	size_t n = prng_chance(m->prng, 1, 32) ? 200 : prng_below(m->prng, RANDOM_TEXT_MAX);
	char *at = arena_must(m->arena, n + 1);

	for (size_t i = 0; i < n; i++)
		at[i] = (char)(' ' + prng_below(m->prng, 95));
	return (struct str){ at, n };
}

/* Edges as often as anything else. */
static uint64_t make_number(const struct maker *m)
{
	switch (prng_below(m->prng, 4)) {
	case 0: return 0 - (uint64_t)1;
	case 1: return prng_below(m->prng, 256);
	case 2: return (uint64_t)1 << prng_below(m->prng, 64);
	default: return prng_u64(m->prng);
	}
}
