/* record_print.c - metadata records by reflection over their protobuf descriptors.
 *
 * A record is printed as subject (the topic or partition it speaks of, by name where we have learnt
 * it) and the fields that are set, in the order of the .proto file. */
#include "controller/cli/record_print.h"
#include "common/base/text.h"

#include <inttypes.h>
#include <stdio.h>

/* One field of a message, or one element of a repeated one. */
struct value {
	const ProtobufCFieldDescriptor *field;
	const void *at;
};

static void print_message_text(const struct record_names *, const ProtobufCMessage *,
			       const char *gap);
static void print_value_text(const struct record_names *, struct value);
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

/* Topic ids are random: eight of their bytes tell them apart. */
static uint64_t key_of(const ProtobufCBinaryData *id)
{
	uint64_t key;

	memcpy(&key, id->data, sizeof(key));
	return key;
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

/* Kafka's numbers of what has configs; the JSON keeps the number. */
static const char *resource_text(int32_t type)
{
	return type == 2 ? "topic" : type == 4 ? "broker" : "unknown";
}

static bool scalar_text(struct value v, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	if (strcmp(v.field->name, "resource_type") == 0)
		text_printf(&t, "%s", resource_text(*(const int32_t *)v.at));
	else if (v.field->type == PROTOBUF_C_TYPE_INT64)
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

/* "orders-2" or "orders" where the record speaks of a topic that we know by name. */
static const char *subject_of(const struct record_names *names, const ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *id, *partition;
	const ProtobufCBinaryData *bytes;
	const char *name;

	id = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "topic_id");
	partition = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "partition");
	if (!id)
		id = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "id");
	if (!id || id->type != PROTOBUF_C_TYPE_BYTES)
		return NULL;
	bytes = value_of(m, id, 0).at;
	name = bytes->len == 16 ? map_find(&names->by_id, key_of(bytes)) : NULL;
	if (!name || !partition)
		return name;
	return arena_printf(&names->cli->mem, "%s-%d", name,
			    *(const int32_t *)value_of(m, partition, 0).at)
		.at;
}

/* The fields that the subject has said already. */
static bool is_subject(const ProtobufCFieldDescriptor *f)
{
	return strcmp(f->name, "topic_id") == 0 || strcmp(f->name, "partition") == 0 ||
	       (strcmp(f->name, "id") == 0 && f->type == PROTOBUF_C_TYPE_BYTES);
}

/* The gap stands before the first word. */
static void print_message_text(const struct record_names *names, const ProtobufCMessage *m,
			       const char *gap)
{
	const char *subject = subject_of(names, m);

	if (subject) {
		printf("%s%s", gap, subject);
		gap = "  ";
	}
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		size_t n = count_of(m, f);

		if (n == 0 || (subject && (is_subject(f) || strcmp(f->name, "name") == 0)))
			continue;
		printf("%s%s ", gap, f->name);
		gap = "  ";
		for (size_t k = 0; k < n; k++) {
			fputs(k ? "," : "", stdout);
			print_value_text(names, value_of(m, f, k));
		}
	}
}

/* A message that is but a list (BrokerIds) is printed as the list. */
static void print_inner_text(const struct record_names *names, const ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *only = &m->descriptor->fields[0];

	if (m->descriptor->n_fields != 1 || only->label != PROTOBUF_C_LABEL_REPEATED) {
		putchar('{');
		print_message_text(names, m, "");
		putchar('}');
		return;
	}
	if (count_of(m, only) == 0)
		fputs("none", stdout);
	for (size_t k = 0; k < count_of(m, only); k++) {
		fputs(k ? "," : "", stdout);
		print_value_text(names, value_of(m, only, k));
	}
}

static void print_value_text(const struct record_names *names, struct value v)
{
	char text[128];

	if (v.field->type == PROTOBUF_C_TYPE_MESSAGE) {
		print_inner_text(names, *(const ProtobufCMessage *const *)v.at);
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

/* ---- records --------------------------------------------------------------------------------- */

/* The member of the oneof that is set: the record's kind; NULL for one newer than this program. */
static const ProtobufCFieldDescriptor *body_of(const Weir__MetadataRecord *r)
{
	return protobuf_c_message_descriptor_get_field(r->base.descriptor, (unsigned)r->body_case);
}

void record_names_init(struct record_names *names, struct cli *cli)
{
	names->cli = cli;
	map_init(&names->by_id, 0);
}

void record_names_fini(struct record_names *names)
{
	map_fini(&names->by_id);
}

void record_names_learn(struct record_names *names, const Weir__MetadataRecord *r)
{
	if (r->body_case == WEIR__METADATA_RECORD__BODY_TOPIC &&
	    r->topic->id.len == sizeof(struct uuid))
		map_put(&names->by_id, key_of(&r->topic->id),
			(void *)(uintptr_t)cli_z(names->cli, str_of(r->topic->name)));
}

const char *record_kind(const Weir__MetadataRecord *r)
{
	const ProtobufCFieldDescriptor *body = body_of(r);

	return body ? body->name : "unknown";
}

void record_print_text(const struct record_names *names, const Weir__MetadataRecord *r)
{
	const ProtobufCFieldDescriptor *body = body_of(r);

	if (body)
		print_message_text(names,
				   *(const ProtobufCMessage *const *)value_of(&r->base, body, 0).at,
				   "  ");
}

void record_print_json(struct json *j, const char *key, const Weir__MetadataRecord *r)
{
	const ProtobufCFieldDescriptor *body = body_of(r);

	if (body)
		print_value_json(j, key, value_of(&r->base, body, 0));
}
