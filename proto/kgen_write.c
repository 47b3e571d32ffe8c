/* kgen_write.c - the C that kgen makes of an api: structs, rows, and the index of all apis. */
#include "proto/kgen.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The C type, the kind's name in the rows, and the least it takes on the wire, plain and flexible;
 * the latter bounds array counts (common/wire/schema_walk.c has the same numbers for decoding). */
static const struct {
	const char *c_type, *kind;
	int wire_min, wire_min_flexible;
} kinds[KIND_COUNT] = {
	[KIND_BOOL] = { "bool ", "BOOL", 1, 1 },
	[KIND_I8] = { "int8_t ", "I8", 1, 1 },
	[KIND_I16] = { "int16_t ", "I16", 2, 2 },
	[KIND_I32] = { "int32_t ", "I32", 4, 4 },
	[KIND_I64] = { "int64_t ", "I64", 8, 8 },
	[KIND_U16] = { "uint16_t ", "U16", 2, 2 },
	[KIND_U32] = { "uint32_t ", "U32", 4, 4 },
	[KIND_F64] = { "double ", "F64", 8, 8 },
	[KIND_UUID] = { "struct uuid ", "UUID", 16, 16 },
	[KIND_STR] = { "struct str ", "STR", 2, 1 },
	[KIND_BYTES] = { "struct str ", "BYTES", 4, 1 },
	[KIND_RECORDS] = { "struct records ", "RECORDS", 4, 1 },
	[KIND_STRUCT] = { NULL, "STRUCT", 0, 0 },
};

static FILE *create(const char *dir, const char *name, const char *suffix);
static void finish(FILE *);
static void write_header(FILE *, const struct api *);
static void write_struct(FILE *, const struct record *);
static void write_field_note(FILE *, const struct field *);
static void write_range(FILE *, struct versions);
static void write_tables(FILE *, const struct api *, const struct record *);
static void write_row(FILE *, const struct record *, const struct field *);
static int record_wire_min(const struct api *, const struct record *);
static int wire_min_at(const struct api *, const struct record *, int version);
static void upper(char *to, const char *from);

void kgen_write(const char *dir, const struct api *api)
{
	FILE *h = create(dir, api->prefix, ".h");
	FILE *c;

	write_header(h, api);
	finish(h);
	c = create(dir, api->prefix, ".c");
	fprintf(c, "/* From %s; do not edit. */\n#include \"kafka/%s.h\"\n", api->source,
		api->prefix);
	for (const struct record *r = api->request; r; r = r->next)
		write_tables(c, api, r);
	for (const struct record *r = api->response; r; r = r->next)
		write_tables(c, api, r);
	finish(c);
}

void kgen_write_index(const char *dir, const struct api *all)
{
	char name[NAME_MAX_BYTES];
	FILE *h = create(dir, "apis", ".h"), *c;
	int n = 0;

	fprintf(h,
		"/* apis.h - every Kafka api that the wire knows; from proto/kafka, do not edit.\n"
		" *\n"
		" * min..max can be decoded and encoded; advertised_min..advertised_max is what a\n"
		" * broker that implements the api may announce (min > max: never). */\n"
		"#pragma once\n#include \"common/wire/schema.h\"\n\nenum api_key {\n");
	for (const struct api *a = all; a; a = a->next, n++) {
		upper(name, a->prefix);
		fprintf(h, "\tAPI_%s = %d,\n", name, a->key);
	}
	fprintf(h,
		"};\n\nstruct kafka_api {\n"
		"\tint16_t key;\n\tconst char *name;\n\tint16_t min, max;\n"
		"\tint16_t advertised_min, advertised_max;\n"
		"\tint16_t flexible_from; /* %d: never */\n"
		"\tconst struct schema *request, *response;\n};\n\n",
		VERSION_OPEN);
	fprintf(h,
		"enum { KAFKA_APIS = %d };\n"
		"extern const struct kafka_api kafka_apis[KAFKA_APIS]; /* ascending by key */\n",
		n);
	finish(h);
	c = create(dir, "apis", ".c");
	fprintf(c, "/* From proto/kafka; do not edit. */\n#include \"kafka/apis.h\"\n");
	for (const struct api *a = all; a; a = a->next)
		fprintf(c, "#include \"kafka/%s.h\"\n", a->prefix);
	fprintf(c, "\nconst struct kafka_api kafka_apis[KAFKA_APIS] = {\n");
	for (const struct api *a = all; a; a = a->next) {
		if (a->next && a->next->key <= a->key) {
			fprintf(stderr, "kgen: key %d does not ascend\n", a->next->key);
			exit(1);
		}
		fprintf(c,
			"\t{ %d, \"%s\", %d, %d, %d, %d, %d, &%s_request_schema,\n"
			"\t  &%s_response_schema },\n",
			a->key, a->name, a->versions.lo, a->versions.hi, a->advertised.lo,
			a->advertised.hi, a->flexible_from, a->prefix, a->prefix);
	}
	fprintf(c, "};\n");
	finish(c);
}

static void write_header(FILE *h, const struct api *api)
{
	fprintf(h, "/* %s (key %d), versions %d-%d", api->name, api->key, api->versions.lo,
		api->versions.hi);
	if (api->flexible_from != VERSION_OPEN)
		fprintf(h, ", flexible from %d", api->flexible_from);
	fprintf(h, "; from %s, do not edit. */\n#pragma once\n#include \"common/wire/schema.h\"\n",
		api->source);
	for (const struct record *r = api->request; r; r = r->next)
		write_struct(h, r);
	for (const struct record *r = api->response; r; r = r->next)
		write_struct(h, r);
	fprintf(h, "\n");
	for (const struct record *r = api->request; r; r = r->next)
		fprintf(h, "extern const struct schema %s_schema;\n", r->name);
	for (const struct record *r = api->response; r; r = r->next)
		fprintf(h, "extern const struct schema %s_schema;\n", r->name);
}

static void write_struct(FILE *h, const struct record *r)
{
	fprintf(h, "\nstruct %s {\n", r->name);
	for (const struct field *f = r->fields; f; f = f->next) {
		const bool is_pointer = f->is_array || f->nullable.lo <= f->nullable.hi;

		fprintf(h, "\t");
		if (f->kind == KIND_STRUCT)
			fprintf(h, "struct %s %s%s;", f->sub->name, is_pointer ? "*" : "", f->name);
		else
			fprintf(h, "%s%s%s;", kinds[f->kind].c_type, f->is_array ? "*" : "",
				f->name);
		write_field_note(h, f);
		if (f->is_array)
			fprintf(h, "\tint32_t n_%s;\n", f->name);
	}
	if (!r->fields)
		fprintf(h, "\tchar empty; /* no version has fields */\n");
	fprintf(h, "};\n");
}

/* What a reader of the struct wants to know: versions, nullable, default, tag. */
static void write_field_note(FILE *h, const struct field *f)
{
	const bool is_nullable = f->nullable.lo <= f->nullable.hi;
	const bool has_default = f->is_null_default || f->number_default != 0;
	const bool is_always = f->versions.lo == 0 && f->versions.hi == VERSION_OPEN;

	if (is_always && !is_nullable && !has_default && f->tag < 0) {
		fprintf(h, "\n");
		return;
	}
	fprintf(h, " /*");
	if (!is_always)
		write_range(h, f->versions);
	if (is_nullable) {
		fprintf(h, " nullable");
		if (f->nullable.lo > 0)
			write_range(h, f->nullable);
	}
	if (f->is_null_default)
		fprintf(h, " = null");
	else if (has_default)
		fprintf(h, " = %" PRId64, f->number_default);
	if (f->tag >= 0)
		fprintf(h, " tag %d", f->tag);
	fprintf(h, " */\n");
}

static void write_range(FILE *h, struct versions v)
{
	if (v.hi == VERSION_OPEN)
		fprintf(h, " %d+", v.lo);
	else if (v.lo == v.hi)
		fprintf(h, " %d", v.lo);
	else
		fprintf(h, " %d-%d", v.lo, v.hi);
}

static void write_tables(FILE *c, const struct api *api, const struct record *r)
{
	int n = 0, n_plain = 0;

	for (const struct field *f = r->fields; f; f = f->next, n++)
		n_plain += f->tag < 0;
	if (n > 0) {
		fprintf(c, "\nstatic const struct schema_row %s_rows[] = {\n", r->name);
		for (const struct field *f = r->fields; f; f = f->next)
			write_row(c, r, f);
		fprintf(c, "};\n");
	}
	fprintf(c, "\nconst struct schema %s_schema = {\n\t.name = \"%s\",\n", r->name, r->name);
	if (n > 0)
		fprintf(c, "\t.rows = %s_rows,\n", r->name);
	fprintf(c, "\t.n_rows = %d,\n\t.n_plain = %d,\n\t.size = sizeof(struct %s),\n", n, n_plain,
		r->name);
	fprintf(c, "\t.wire_min = %d,\n\t.flexible_from = %d,\n};\n", record_wire_min(api, r),
		api->flexible_from);
}

static void write_row(FILE *c, const struct record *r, const struct field *f)
{
	fprintf(c, "\t{ .name = \"%s\",\n\t  .at = offsetof(struct %s, %s),\n", f->name, r->name,
		f->name);
	if (f->is_array)
		fprintf(c, "\t  .is_array = true,\n\t  .n_at = offsetof(struct %s, n_%s),\n",
			r->name, f->name);
	fprintf(c, "\t  .kind = KIND_%s, .vmin = %d, .vmax = %d, .null_min = %d, .null_max = %d,\n",
		kinds[f->kind].kind, f->versions.lo, f->versions.hi, f->nullable.lo,
		f->nullable.hi);
	if (f->kind == KIND_STRUCT)
		fprintf(c, "\t  .sub = &%s_schema,\n", f->sub->name);
	if (f->is_null_default)
		fprintf(c, "\t  .is_null = true,\n");
	if (f->number_default)
		fprintf(c, "\t  .number = %" PRId64 ",\n", f->number_default);
	fprintf(c, "\t  .tag = %d },\n", f->tag);
}

static int record_wire_min(const struct api *api, const struct record *r)
{
	int min = wire_min_at(api, r, api->versions.lo);

	for (int v = api->versions.lo + 1; v <= api->versions.hi; v++) {
		int n = wire_min_at(api, r, v);

		min = n < min ? n : min;
	}
	return min;
}

/* The fewest bytes that version can take: every array empty, every text null, no tagged field. */
static int wire_min_at(const struct api *api, const struct record *r, int version)
{
	const bool is_flexible = version >= api->flexible_from;
	int n = is_flexible ? 1 : 0;

	for (const struct field *f = r->fields; f; f = f->next) {
		const bool is_nullable = f->nullable.lo <= f->nullable.hi;

		if (f->tag >= 0 || version < f->versions.lo || version > f->versions.hi)
			continue;
		if (f->is_array)
			n += is_flexible ? 1 : 4;
		else if (f->kind == KIND_STRUCT)
			n += is_nullable ? 1 : wire_min_at(api, f->sub, version);
		else
			n += is_flexible ? kinds[f->kind].wire_min_flexible
					 : kinds[f->kind].wire_min;
	}
	return n;
}

static void upper(char *to, const char *from)
{
	while (*from)
		*to++ = (char)toupper((unsigned char)*from++);
	*to = '\0';
}

static FILE *create(const char *dir, const char *name, const char *suffix)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
	f = fopen(path, "w");
	if (!f) {
		fprintf(stderr, "kgen: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return f;
}

static void finish(FILE *f)
{
	if (ferror(f) | fclose(f)) {
		fprintf(stderr, "kgen: write failed: %s\n", strerror(errno));
		exit(1);
	}
}
