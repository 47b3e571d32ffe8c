/* schema.h - Kafka's messages as data: one engine for all APIs and versions.
 *
 * kgen turns proto/kafka/NNN_name.msg into plain structs ("kafka/produce.h") and into one table
 * of rows per struct; the functions here walk the table.  Struct and table share a name:
 *
 *   struct produce_request_topic        extern const struct schema produce_request_topic_schema
 *
 * In C a field looks like this:
 *   bool, i8..i64, u16, u32, f64   the C type                  uuid      struct uuid
 *   str, bytes                     struct str, null: at NULL   records   struct records
 *   topics [] { }                  struct produce_request_topic *topics; int32_t n_topics;
 *                                  n -1 is null
 *   cursor struct { }              the struct itself;  cursor struct? { }: a pointer, NULL is null
 *
 * Zero is not the default of every field (leader_epoch is -1): a message to be sent starts with
 * schema_init or schema_new, and so does every element of its arrays.
 *
 * Decoding: text, bytes and records are views into the frame, arrays and nullable structs come
 * from the arena; the frame and the arena must outlive the message.  Fields that the version does
 * not have get their default.  An array's count is checked against the bytes left before memory
 * is taken.  Unknown tagged fields are skipped; bytes behind the message are left in the reader.
 * ERR_CORRUPT: malformed; ERR_LIMIT: the arena's maximum.
 *
 * Encoding: a field that the version does not have is left out; a null where the version allows
 * none goes out as empty; records with a file go out as a splice.  A text longer than 32767 bytes
 * makes the writer bad.
 *
 * Pure, no state: any thread.  Source: Kafka protocol guide; KIP-482 (flexible versions). */
#pragma once
#include "common/base/arena.h"
#include "common/base/base.h"
#include "common/base/prng.h"
#include "common/base/text.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

/* A batch set: in memory (at), or a range of a file (file, file_at) when file is not NULL. */
struct records {
	const uint8_t *at;
	int32_t n; /* bytes; -1 is null */
	struct file *file;
	int64_t file_at;
};

enum schema_kind {
	KIND_BOOL,
	KIND_I8,
	KIND_I16,
	KIND_I32,
	KIND_I64,
	KIND_U16,
	KIND_U32,
	KIND_F64,
	KIND_UUID,
	KIND_STR,
	KIND_BYTES,
	KIND_RECORDS,
	KIND_STRUCT,
};

/* One field.  vmax 127 is "and later"; null_min > null_max is "never null". */
struct schema_row {
	const char *name;
	const struct schema *sub; /* KIND_STRUCT */
	int64_t number;           /* default of a number */
	uint16_t at, n_at;        /* offsets of the value and of an array's count */
	uint8_t kind;
	int8_t vmin, vmax, null_min, null_max;
	int8_t tag;             /* -1: a plain field */
	bool is_array, is_null; /* is_null: the default is null */
};

struct schema {
	const char *name;
	const struct schema_row *rows; /* n_plain in wire order, then the tagged ones by tag */
	uint16_t n_rows, n_plain;
	uint32_t size;     /* of the C struct */
	uint16_t wire_min; /* no version takes fewer bytes */
	int16_t flexible_from;
};

void schema_init(const struct schema *, void *out);
/* An array of n initialised structs; asserts memory. */
void *schema_new(const struct schema *, struct arena *, int32_t n);

must_check enum err schema_decode(const struct schema *, int version, struct reader *,
				  struct arena *, void *out);
void schema_encode(const struct schema *, int version, const void *in, struct writer *);

/* For logs, traces and tests; they see the fields that the version has. */
void schema_print(const struct schema *, int version, const void *, struct text *);
bool schema_equal(const struct schema *, int version, const void *, const void *);
void schema_random(const struct schema *, int version, void *out, struct prng *, struct arena *);
