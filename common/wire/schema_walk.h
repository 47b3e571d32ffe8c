/* schema_walk.h - what every walk over a schema asks of a row; private to common/wire/schema*.c. */
#pragma once
#include "common/wire/schema.h"

static inline bool walk_has(const struct schema_row *row, int version)
{
	return version >= row->vmin && version <= row->vmax;
}

static inline bool walk_nullable(const struct schema_row *row, int version)
{
	return version >= row->null_min && version <= row->null_max;
}

/* A struct that can be null at all lies behind a pointer in C. */
static inline bool walk_is_pointer(const struct schema_row *row)
{
	return row->null_min <= row->null_max;
}

size_t walk_size(const struct schema_row *); /* of the value or of an array's element */
size_t walk_wire_min(const struct schema_row *, bool compact); /* of an array's element; never 0 */
/* NULL: a tag that this version does not know. */
const struct schema_row *walk_tag(const struct schema *, uint32_t tag, int version);
