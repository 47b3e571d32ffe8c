/* cmd_metadata.c - weir metadata log dump and snapshot show: records of the metadata log.
 *
 * Records are printed from their protobuf descriptors, so a new field or kind needs no line here.
 */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/json.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"

#include <inttypes.h>
#include <stdio.h>

#define PAGE 1000

static int read_range(struct cli *, int64_t *from, int64_t *to);
static void print_entry(struct cli *, int64_t offset, int64_t epoch, const Weir__MetadataRecord *);

/* ---- fields by descriptor ------------------------------------------------------------------- */

/* One field of a message, or one element of a repeated one. */
struct value {
	const ProtobufCFieldDescriptor *field;
	const void *at;
};

static void print_value_text(struct value);
static void print_value_json(struct json *, const char *key, struct value);

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64: return sizeof(int64_t);
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM: return sizeof(int32_t);
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE: break;
	}
	UNREACHABLE(); /* our .proto files use none of these */
}

/* How many values the field has: 0 or 1, or as many as it is repeated. */
static size_t count_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const char *base = (const char *)m;
	uint32_t quantifier;

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t n;

		memcpy(&n, base + f->quantifier_offset, sizeof(n));
		return n;
	}
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		memcpy(&quantifier, base + f->quantifier_offset, sizeof(quantifier));
		return quantifier == f->id;
	}
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->type != PROTOBUF_C_TYPE_STRING &&
	    f->type != PROTOBUF_C_TYPE_MESSAGE)
		return *(const protobuf_c_boolean *)(base + f->quantifier_offset) != 0;
	if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(void *const *)(base + f->offset) != NULL;
	return 1;
}

static struct value value_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t i)
{
	const char *at = (const char *)m + f->offset;

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		at = *(const char *const *)at + i * size_of(f);
	return (struct value){ f, at };
}

/* Ids of 16 bytes as Kafka writes them, other bytes in hex. */
static void bytes_text(const ProtobufCBinaryData *b, char *out, size_t cap)
{
	struct uuid id;
	struct text t;

	text_init(&t, out, cap);
	if (b->len == sizeof(id.b) && cap >= UUID_TEXT) {
		memcpy(id.b, b->data, sizeof(id.b));
		uuid_text(id, out);
		return;
	}
	for (size_t i = 0; i < b->len; i++)
		text_printf(&t, "%02x", b->data[i]);
}

static bool scalar_text(struct value v, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	if (v.field->type == PROTOBUF_C_TYPE_INT64)
		text_printf(&t, "%" PRId64, *(const int64_t *)v.at);
	else if (v.field->type == PROTOBUF_C_TYPE_INT32)
		text_printf(&t, "%" PRId32, *(const int32_t *)v.at);
	else if (v.field->type == PROTOBUF_C_TYPE_BOOL)
		text_printf(&t, "%s", *(const protobuf_c_boolean *)v.at ? "true" : "false");
	return t.n > 0;
}

static const char *enum_text(struct value v)
{
	const ProtobufCEnumValue *e =
		protobuf_c_enum_descriptor_get_value(v.field->descriptor, *(const int *)v.at);

	return e ? e->name : "?";
}

static void print_message_text(const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		size_t n = count_of(m, f);

		if (n == 0)
			continue;
		printf("  %s ", f->name);
		for (size_t k = 0; k < n; k++) {
			fputs(k ? "," : "", stdout);
			print_value_text(value_of(m, f, k));
		}
	}
}

static void print_value_text(struct value v)
{
	char text[128];

	if (v.field->type == PROTOBUF_C_TYPE_MESSAGE) {
		putchar('{');
		print_message_text(*(const ProtobufCMessage *const *)v.at);
		fputs(" }", stdout);
	} else if (v.field->type == PROTOBUF_C_TYPE_STRING) {
		fputs(*(const char *const *)v.at, stdout);
	} else if (v.field->type == PROTOBUF_C_TYPE_BYTES) {
		bytes_text(v.at, text, sizeof(text));
		fputs(text, stdout);
	} else if (v.field->type == PROTOBUF_C_TYPE_ENUM) {
		fputs(enum_text(v), stdout);
	} else if (scalar_text(v, text, sizeof(text))) {
		fputs(text, stdout);
	}
}

static void print_message_json(struct json *j, const char *key, const ProtobufCMessage *m)
{
	json_object(j, key);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		size_t n = count_of(m, f);

		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			if (n)
				print_value_json(j, f->name, value_of(m, f, 0));
			continue;
		}
		json_array(j, f->name);
		for (size_t k = 0; k < n; k++)
			print_value_json(j, NULL, value_of(m, f, k));
		json_close(j);
	}
	json_close(j);
}

static void print_value_json(struct json *j, const char *key, struct value v)
{
	char text[128];

	if (v.field->type == PROTOBUF_C_TYPE_MESSAGE)
		print_message_json(j, key, *(const ProtobufCMessage *const *)v.at);
	else if (v.field->type == PROTOBUF_C_TYPE_STRING)
		json_str(j, key, str_of(*(const char *const *)v.at));
	else if (v.field->type == PROTOBUF_C_TYPE_BYTES)
		bytes_text(v.at, text, sizeof(text)), json_str(j, key, str_of(text));
	else if (v.field->type == PROTOBUF_C_TYPE_ENUM)
		json_str(j, key, str_of(enum_text(v)));
	else if (v.field->type == PROTOBUF_C_TYPE_BOOL)
		json_bool(j, key, *(const protobuf_c_boolean *)v.at != 0);
	else if (v.field->type == PROTOBUF_C_TYPE_INT64)
		json_i64(j, key, *(const int64_t *)v.at);
	else
		json_i64(j, key, *(const int32_t *)v.at);
}

/* ---- one record ----------------------------------------------------------------------------- */

/* The member of the oneof that is set: the record's kind; NULL for one newer than this program. */
static const ProtobufCFieldDescriptor *body_of(const Weir__MetadataRecord *r)
{
	return protobuf_c_message_descriptor_get_field(r->base.descriptor, (unsigned)r->body_case);
}

static void print_entry(struct cli *cli, int64_t offset, int64_t epoch,
			const Weir__MetadataRecord *r)
{
	const ProtobufCFieldDescriptor *body = body_of(r);
	struct json j = { 0 };

	if (cli->format != FORMAT_TABLE && cli->format != FORMAT_WIDE) {
		json_object(&j, NULL);
		json_i64(&j, "offset", offset);
		if (epoch >= 0)
			json_i64(&j, "epoch", epoch);
		if (r->has_time_ms)
			json_str(&j, "time", str_of(text_of_time(cli, r->time_ms)));
		json_str(&j, "type", str_of(body ? body->name : "unknown"));
		if (body)
			print_value_json(&j, "record", value_of(&r->base, body, 0));
		json_close(&j);
		return;
	}
	printf("%-6" PRId64, offset);
	if (epoch >= 0)
		printf("  e%" PRId64, epoch);
	if (r->has_time_ms && cli->format == FORMAT_WIDE)
		printf("  %s", text_of_time(cli, r->time_ms));
	printf("  %-16s", body ? body->name : "unknown");
	if (body)
		print_message_text(
			*(const ProtobufCMessage *const *)value_of(&r->base, body, 0).at);
	putchar('\n');
}

/* ---- the commands ---------------------------------------------------------------------------- */

/* -o json wraps the entries into one object; -o jsonl gives one a line. */
static void begin_list(struct cli *cli, const char *kind)
{
	if (cli->format == FORMAT_JSON)
		printf("{\"kind\":\"%s\",\"version\":1,\"items\":[", kind);
}

static void list_gap(struct cli *cli, bool is_first)
{
	if (cli->format == FORMAT_JSON)
		fputs(is_first ? "\n" : ",\n", stdout);
}

static void list_after(struct cli *cli)
{
	if (cli->format != FORMAT_JSON && cli->format != FORMAT_TABLE && cli->format != FORMAT_WIDE)
		putchar('\n');
}

static void end_list(struct cli *cli)
{
	if (cli->format == FORMAT_JSON)
		puts("]}");
}

static int read_page(struct cli *cli, int64_t from, int64_t count, const Weir__LogEntries **out)
{
	Weir__ReadLog read = WEIR__READ_LOG__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	read.from = from;
	read.has_count = true;
	read.count = (int32_t)i64_min(count, PAGE);
	request.body_case = WEIR__REQUEST__BODY_READ_LOG;
	request.read_log = &read;
	if ((code = link_call(cli, &request, "read the metadata log", &response)))
		return code;
	if (response->body_case != WEIR__RESPONSE__BODY_LOG)
		return cli_fail(cli, CLI_FAILED,
				"read the metadata log: the answer is of another kind");
	*out = response->log;
	return CLI_OK;
}

int cmd_metadata_log_dump(struct cli *cli)
{
	const Weir__LogEntries *page = NULL;
	int64_t from, to;
	bool is_first = true;
	int code = read_range(cli, &from, &to);

	if (code)
		return code;
	while (from < to) {
		if ((code = read_page(cli, from, to - from, &page)))
			return code;
		if (is_first)
			begin_list(cli, "MetadataLog");
		if (from < page->start && is_first)
			fprintf(stderr,
				"the log begins at %" PRId64
				": what came before lies in the snapshot "
				"(weir metadata snapshot show)\n",
				page->start);
		from = i64_max(from, page->start);
		for (size_t i = 0; i < page->n_entries && page->entries[i]->offset < to; i++) {
			list_gap(cli, is_first);
			print_entry(cli, page->entries[i]->offset, page->entries[i]->epoch,
				    page->entries[i]->record);
			list_after(cli);
			is_first = false;
			from = page->entries[i]->offset + 1;
		}
		if (page->n_entries == 0 || from >= page->end)
			break;
	}
	end_list(cli);
	return CLI_OK;
}

/* "N..M", "N..", "..M", "N" */
static int read_range(struct cli *cli, int64_t *from, int64_t *to)
{
	const char *text = cli_flag(cli, "offset"), *dots = text ? strstr(text, "..") : NULL;
	struct str head =
		text ? (struct str){ text, dots ? (size_t)(dots - text) : strlen(text) } : STR("");

	*from = 0;
	*to = INT64_MAX;
	if ((head.n && parse_i64(head, from)) ||
	    (dots && dots[2] && parse_i64(str_of(dots + 2), to)) || *from < 0)
		return cli_fail(cli, CLI_USAGE, "--offset %s: write N..M, N.. or N", text);
	if (text && !dots)
		*to = *from + 1;
	return CLI_OK;
}

int cmd_metadata_snapshot_show(struct cli *cli)
{
	Weir__ReadSnapshot read = WEIR__READ_SNAPSHOT__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	request.body_case = WEIR__REQUEST__BODY_READ_SNAPSHOT;
	request.read_snapshot = &read;
	if ((code = link_call(cli, &request, "read the snapshot", &response)))
		return code;
	if (response->body_case != WEIR__RESPONSE__BODY_SNAPSHOT)
		return cli_fail(cli, CLI_FAILED,
				"read the snapshot: the answer is of another kind");
	begin_list(cli, "MetadataSnapshot");
	for (size_t i = 0; i < response->snapshot->n_records; i++) {
		list_gap(cli, i == 0);
		print_entry(cli, response->snapshot->offset, -1, response->snapshot->records[i]);
		list_after(cli);
	}
	end_list(cli);
	return CLI_OK;
}
