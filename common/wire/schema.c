/* schema.c - decode, encode and defaults.  One walk per verb; see schema.h.
 *
 * A struct on the wire is its plain fields in order; a flexible version appends
 *   uvarint count, then count times { uvarint tag, uvarint size, size bytes }
 * with ascending tags and only for tagged fields that differ from their default. */
#include "common/wire/schema.h"

#include "common/wire/schema_walk.h"

/* compact: the version is flexible, so lengths are varints and structs end with tags.
 * is_out_of_memory tells ERR_LIMIT from ERR_CORRUPT; both also make the reader bad. */
struct decoder {
	struct reader *r;
	struct arena *arena;
	int version;
	bool compact;
	bool is_out_of_memory;
};

struct encoder {
	struct writer *w;
	int version;
	bool compact;
};

static void init_rows(const struct schema_row *, int n, uint8_t *out);
static void init_field(const struct schema_row *, uint8_t *out);
static void decode_struct(struct decoder *, const struct schema *, uint8_t *out);
static void decode_tags(struct decoder *, const struct schema *, uint8_t *out);
static void decode_field(struct decoder *, const struct schema_row *, uint8_t *out);
static void decode_array(struct decoder *, const struct schema_row *, uint8_t *out);
static void decode_value(struct decoder *, const struct schema_row *, uint8_t *at);
static void decode_pointer(struct decoder *, const struct schema_row *, uint8_t *at);
static struct records decode_records(struct decoder *);
static void *take_memory(struct decoder *, size_t n);
static void encode_struct(struct encoder *, const struct schema *, const uint8_t *in);
static void encode_tags(struct encoder *, const struct schema *, const uint8_t *in);
static void encode_field(struct encoder *, const struct schema_row *, const uint8_t *in);
static void encode_array(struct encoder *, const struct schema_row *, const uint8_t *in);
static void encode_value(struct encoder *, const struct schema_row *, const uint8_t *at);
static void encode_text(struct encoder *, const struct schema_row *, struct str);
static void encode_records(struct encoder *, const struct schema_row *, const struct records *);
static bool is_default(const struct schema_row *, const uint8_t *in);
static bool is_default_struct(const struct schema *, const uint8_t *in);

/* ---- defaults -------------------------------------------------------------------------------- */

void schema_init(const struct schema *s, void *out)
{
	memset(out, 0, s->size);
	init_rows(s->rows, s->n_rows, out);
}

/* arena memory is zeroed, so only the fields with another default need work. */
void *schema_new(const struct schema *s, struct arena *arena, int32_t n)
{
	uint8_t *items;

	ASSERT(n >= 0);
	items = arena_must(arena, (size_t)n * s->size);
	for (int32_t i = 0; i < n; i++)
		init_rows(s->rows, s->n_rows, items + (size_t)i * s->size);
	return items;
}

static void init_rows(const struct schema_row *row, int n, uint8_t *out)
{
	for (const struct schema_row *end = row + n; row < end; row++)
		init_field(row, out);
}

static void init_field(const struct schema_row *row, uint8_t *out)
{
	uint8_t *at = out + row->at;

	if (row->is_array) {
		*(void **)(void *)at = NULL;
		*(int32_t *)(void *)(out + row->n_at) = row->is_null ? -1 : 0;
		return;
	}
	switch ((enum schema_kind)row->kind) {
	case KIND_STR:
	case KIND_BYTES:
		*(struct str *)(void *)at = (struct str){ row->is_null ? NULL : "", 0 };
		break;
	case KIND_RECORDS:
		*(struct records *)(void *)at = (struct records){ .n = row->is_null ? -1 : 0 };
		break;
	case KIND_UUID: memset(at, 0, sizeof(struct uuid)); break;
	case KIND_STRUCT:
		if (walk_is_pointer(row))
			*(void **)(void *)at = NULL;
		else
			schema_init(row->sub, at);
		break;
	case KIND_BOOL:
	case KIND_I8:
	case KIND_I16:
	case KIND_I32:
	case KIND_I64:
	case KIND_U16:
	case KIND_U32:
	case KIND_F64: /* every number is little-endian and every f64 defaults to 0 */
		memcpy(at, &row->number, walk_size(row));
		break;
	}
}

/* ---- decode ---------------------------------------------------------------------------------- */

/* Recursion is as deep as the schema, never as deep as the message: no message nests itself. */
enum err schema_decode(const struct schema *s, int version, struct reader *r, struct arena *arena,
		       void *out)
{
	struct decoder d = { .r = r, .arena = arena, .version = version };

	d.compact = version >= s->flexible_from;
	decode_struct(&d, s, out);
	if (d.is_out_of_memory)
		return ERR_LIMIT;
	return r->bad ? ERR_CORRUPT : ERR_OK;
}

/* Tagged fields get their defaults first, because the wire mentions only those that differ. */
static void decode_struct(struct decoder *d, const struct schema *s, uint8_t *out)
{
	const struct schema_row *row = s->rows, *plain_end = row + s->n_plain;

	for (; row < plain_end; row++) {
		if (walk_has(row, d->version))
			decode_field(d, row, out);
		else
			init_field(row, out);
	}
	init_rows(plain_end, s->n_rows - s->n_plain, out);
	if (d->compact)
		decode_tags(d, s, out);
}

/* A tagged field is read with the reader's end moved to its own, so that it cannot reach into
 * what follows; what it leaves unread is a later version's and is skipped. */
static void decode_tags(struct decoder *d, const struct schema *s, uint8_t *out)
{
	struct reader *r = d->r;
	uint32_t n = reader_uvarint(r);

	for (uint32_t i = 0; i < n && !r->bad; i++) {
		const uint8_t *end = r->end;
		uint32_t tag = reader_uvarint(r), size = reader_uvarint(r);
		const struct schema_row *row;

		if (size > reader_left(r)) {
			reader_fail(r);
			return;
		}
		r->end = r->at + size;
		row = walk_tag(s, tag, d->version);
		if (row)
			decode_field(d, row, out);
		r->at = r->end;
		r->end = end;
	}
}

static void decode_field(struct decoder *d, const struct schema_row *row, uint8_t *out)
{
	if (row->is_array)
		decode_array(d, row, out);
	else
		decode_value(d, row, out + row->at);
}

/* The count is checked against the bytes left before memory is taken: an element takes wire_min
 * bytes at least, so a frame cannot ask for more than a fixed multiple of its own size. */
static void decode_array(struct decoder *d, const struct schema_row *row, uint8_t *out)
{
	const size_t size = walk_size(row), wire_min = walk_wire_min(row, d->compact);
	int32_t n = reader_length32(d->r, d->compact);
	uint8_t *items = NULL;

	if (n < -1 || (n == -1 && !walk_nullable(row, d->version)) ||
	    (n > 0 && (size_t)n > reader_left(d->r) / wire_min))
		reader_fail(d->r);
	if (d->r->bad)
		n = 0;
	if (n > 0 && !(items = take_memory(d, (size_t)n * size)))
		n = 0;
	*(void **)(void *)(out + row->at) = items;
	*(int32_t *)(void *)(out + row->n_at) = n;
	for (int32_t i = 0; i < n; i++) {
		if (row->kind == KIND_STRUCT)
			decode_struct(d, row->sub, items + (size_t)i * size);
		else
			decode_value(d, row, items + (size_t)i * size);
	}
}

/* Reads into a struct whose layout kgen knows; every kind is one reader call. */
static void decode_value(struct decoder *d, const struct schema_row *row, uint8_t *at)
{
	struct reader *r = d->r;
	struct str s;

	switch ((enum schema_kind)row->kind) {
	case KIND_BOOL: *(bool *)at = reader_u8(r) != 0; break;
	case KIND_I8: *(int8_t *)at = reader_i8(r); break;
	case KIND_I16:
	case KIND_U16: *(uint16_t *)(void *)at = reader_u16(r); break;
	case KIND_I32:
	case KIND_U32: *(uint32_t *)(void *)at = reader_u32(r); break;
	case KIND_I64: *(int64_t *)(void *)at = reader_i64(r); break;
	case KIND_F64: *(double *)(void *)at = reader_f64(r); break;
	case KIND_UUID: *(struct uuid *)at = reader_uuid(r); break;
	case KIND_STR:
	case KIND_BYTES:
		s = row->kind == KIND_STR ? reader_str(r, d->compact) : reader_bytes(r, d->compact);
		if (str_null(s) && (row->is_array || !walk_nullable(row, d->version)))
			reader_fail(r);
		*(struct str *)(void *)at = s;
		break;
	case KIND_RECORDS:
		*(struct records *)(void *)at = decode_records(d);
		if (((struct records *)(void *)at)->n < 0 && !walk_nullable(row, d->version))
			reader_fail(r);
		break;
	case KIND_STRUCT:
		if (walk_is_pointer(row))
			decode_pointer(d, row, at);
		else
			decode_struct(d, row->sub, at);
		break;
	}
}

/* A nullable struct is one byte, negative for null, and the struct. */
static void decode_pointer(struct decoder *d, const struct schema_row *row, uint8_t *at)
{
	uint8_t *item = NULL;

	if (reader_i8(d->r) >= 0 && !d->r->bad)
		item = take_memory(d, row->sub->size);
	if (item)
		decode_struct(d, row->sub, item);
	*(void **)(void *)at = item;
}

/* A view, never a copy: what a producer sent goes from this pointer to writev. */
static struct records decode_records(struct decoder *d)
{
	struct str s = reader_bytes(d->r, d->compact);

	return (struct records){ .at = (const uint8_t *)s.at, .n = s.at ? (int32_t)s.n : -1 };
}

static void *take_memory(struct decoder *d, size_t n)
{
	void *p = arena_alloc(d->arena, n);

	if (!p) {
		d->is_out_of_memory = true;
		reader_fail(d->r);
	}
	return p;
}

/* ---- encode ---------------------------------------------------------------------------------- */

void schema_encode(const struct schema *s, int version, const void *in, struct writer *w)
{
	struct encoder e = { .w = w, .version = version, .compact = version >= s->flexible_from };

	encode_struct(&e, s, in);
}

static void encode_struct(struct encoder *e, const struct schema *s, const uint8_t *in)
{
	const struct schema_row *row = s->rows, *plain_end = row + s->n_plain;

	for (; row < plain_end; row++)
		if (walk_has(row, e->version))
			encode_field(e, row, in);
	if (e->compact)
		encode_tags(e, s, in);
}

/* Two passes, since the count stands in front. Rows are sorted by tag, as the format wants them. */
static void encode_tags(struct encoder *e, const struct schema *s, const uint8_t *in)
{
	const struct schema_row *tagged = s->rows + s->n_plain, *end = s->rows + s->n_rows;
	uint32_t n = 0;

	for (const struct schema_row *row = tagged; row < end; row++)
		n += walk_has(row, e->version) && !is_default(row, in);
	writer_uvarint(e->w, n);
	for (const struct schema_row *row = tagged; row < end && n > 0; row++) {
		uint32_t at;

		if (!walk_has(row, e->version) || is_default(row, in))
			continue;
		writer_uvarint(e->w, (uint32_t)row->tag);
		at = writer_at(e->w);
		encode_field(e, row, in);
		writer_prefix_uvarint(e->w, at);
	}
}

static void encode_field(struct encoder *e, const struct schema_row *row, const uint8_t *in)
{
	if (row->is_array)
		encode_array(e, row, in);
	else
		encode_value(e, row, in + row->at);
}

/* A null array where the version allows none goes out as empty: callers need not ask. */
static void encode_array(struct encoder *e, const struct schema_row *row, const uint8_t *in)
{
	const uint8_t *items = *(uint8_t *const *)(const void *)(in + row->at);
	int32_t n = *(const int32_t *)(const void *)(in + row->n_at);
	const size_t size = walk_size(row);

	ASSERT(n <= 0 || items);
	if (n < 0 && !walk_nullable(row, e->version))
		n = 0;
	writer_length32(e->w, n, e->compact);
	for (int32_t i = 0; i < n; i++) {
		if (row->kind == KIND_STRUCT)
			encode_struct(e, row->sub, items + (size_t)i * size);
		else
			encode_value(e, row, items + (size_t)i * size);
	}
}

static void encode_value(struct encoder *e, const struct schema_row *row, const uint8_t *at)
{
	const void *item;

	switch ((enum schema_kind)row->kind) {
	case KIND_BOOL:
	case KIND_I8: writer_u8(e->w, *at); break;
	case KIND_I16:
	case KIND_U16: writer_u16(e->w, *(const uint16_t *)(const void *)at); break;
	case KIND_I32:
	case KIND_U32: writer_u32(e->w, *(const uint32_t *)(const void *)at); break;
	case KIND_I64:
	case KIND_F64: writer_u64(e->w, *(const uint64_t *)(const void *)at); break;
	case KIND_UUID: writer_uuid(e->w, *(const struct uuid *)at); break;
	case KIND_STR:
	case KIND_BYTES: encode_text(e, row, *(const struct str *)(const void *)at); break;
	case KIND_RECORDS: encode_records(e, row, (const struct records *)(const void *)at); break;
	case KIND_STRUCT:
		if (!walk_is_pointer(row)) {
			encode_struct(e, row->sub, at);
			break;
		}
		item = *(const void *const *)(const void *)at;
		writer_u8(e->w, item ? 1 : 0xff);
		if (item)
			encode_struct(e, row->sub, item);
		break;
	}
}

static void encode_text(struct encoder *e, const struct schema_row *row, struct str s)
{
	if (!s.at && (row->is_array || !walk_nullable(row, e->version)))
		s = STR("");
	if (row->kind == KIND_STR)
		writer_str(e->w, s, e->compact);
	else
		writer_bytes(e->w, s, e->compact);
}

static void encode_records(struct encoder *e, const struct schema_row *row,
			   const struct records *records)
{
	int32_t n = records->n;

	if (n < 0 && !walk_nullable(row, e->version))
		n = 0;
	writer_length32(e->w, n, e->compact);
	if (n > 0 && records->file)
		writer_splice(e->w, records->file, records->file_at, n);
	else if (n > 0)
		writer_raw(e->w, records->at, (size_t)n);
}

/* Bitwise for numbers, so -0.0 is not 0.0; no schema has a default where that matters. */
static bool is_default(const struct schema_row *row, const uint8_t *in)
{
	const void *at = in + row->at;
	uint8_t zero[sizeof(struct uuid)] = { 0 };

	if (row->is_array)
		return *(const int32_t *)(const void *)(in + row->n_at) == (row->is_null ? -1 : 0);
	switch ((enum schema_kind)row->kind) {
	case KIND_STR:
	case KIND_BYTES:
		return row->is_null ? !((const struct str *)at)->at : !((const struct str *)at)->n;
	case KIND_UUID: return memcmp(at, zero, sizeof(zero)) == 0;
	case KIND_STRUCT:
		if (walk_is_pointer(row))
			return !*(const void *const *)at;
		return is_default_struct(row->sub, at);
	case KIND_BOOL:
	case KIND_I8:
	case KIND_I16:
	case KIND_I32:
	case KIND_I64:
	case KIND_U16:
	case KIND_U32:
	case KIND_F64: return memcmp(at, &row->number, walk_size(row)) == 0;
	case KIND_RECORDS: /* kgen refuses tagged records */ break;
	}
	UNREACHABLE();
}

static bool is_default_struct(const struct schema *s, const uint8_t *in)
{
	for (int i = 0; i < s->n_rows; i++)
		if (!is_default(&s->rows[i], in))
			return false;
	return true;
}
