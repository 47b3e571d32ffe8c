/* kgen.h - what kgen knows of one API between reading its .msg file and writing C.
 *
 * kgen is a host tool: one process, one pass, no frees; it exits 1 with `file:line: reason` at the
 * first thing it does not understand.  Language: see proto/README.md. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 96, VERSION_OPEN = 127 };

/* The scalar kinds in the order of enum schema_kind (common/wire/schema.h), then KIND_STRUCT. */
enum kind {
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
	KIND_COUNT,
};

struct versions {
	int lo, hi; /* lo > hi: never */
};

struct record;
struct field {
	char name[NAME_MAX_BYTES];
	enum kind kind;
	bool is_array, is_null_default;
	struct versions versions, nullable;
	int tag; /* -1: a plain field */
	int64_t number_default;
	struct record *sub; /* KIND_STRUCT */
	struct field *next;
};

/* One C struct: a message or a struct within it. */
struct record {
	char name[NAME_MAX_BYTES];  /* produce_request_topic */
	char alias[NAME_MAX_BYTES]; /* topic */
	struct field *fields;       /* plain ones in wire order, then tagged ones by tag */
	struct versions versions;   /* of the field that defined it */
	struct record *next;        /* inner structs stand before those that hold them */
};

struct api {
	int key;
	char name[NAME_MAX_BYTES];   /* ListOffsets */
	char prefix[NAME_MAX_BYTES]; /* list_offsets */
	const char *source;          /* the file's name without its folder */
	struct versions versions, advertised;
	int flexible_from; /* VERSION_OPEN: never */
	struct record *request, *response;
	struct api *next;
};

struct api *kgen_read(const char *path);
void kgen_write(const char *dir, const struct api *);          /* NAME.h and NAME.c */
void kgen_write_index(const char *dir, const struct api *all); /* apis.h and apis.c */
