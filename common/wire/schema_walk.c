/* schema_walk.c - the size of each kind in C and the least it takes on the wire.
 *
 * The compact column is smaller for texts, whose length shrinks from 2 or 4 bytes to 1. wire_min of
 * a struct is computed by kgen and is the least over all versions, so it may be 0 for a struct
 * whose fields are all new; 1 is used then, because it divides. */
#include "common/wire/schema_walk.h"

static const struct {
	uint8_t size, wire_min, wire_min_compact;
} kinds[] = {
	[KIND_BOOL] = { sizeof(bool), 1, 1 },
	[KIND_I8] = { sizeof(int8_t), 1, 1 },
	[KIND_I16] = { sizeof(int16_t), 2, 2 },
	[KIND_I32] = { sizeof(int32_t), 4, 4 },
	[KIND_I64] = { sizeof(int64_t), 8, 8 },
	[KIND_U16] = { sizeof(uint16_t), 2, 2 },
	[KIND_U32] = { sizeof(uint32_t), 4, 4 },
	[KIND_F64] = { sizeof(double), 8, 8 },
	[KIND_UUID] = { sizeof(struct uuid), 16, 16 },
	[KIND_STR] = { sizeof(struct str), 2, 1 },
	[KIND_BYTES] = { sizeof(struct str), 4, 1 },
	[KIND_RECORDS] = { sizeof(struct records), 4, 1 },
};

size_t walk_size(const struct schema_row *row)
{
	return row->kind == KIND_STRUCT ? row->sub->size : kinds[row->kind].size;
}

size_t walk_wire_min(const struct schema_row *row, bool compact)
{
	if (row->kind == KIND_STRUCT)
		return size_max(row->sub->wire_min, 1);
	return compact ? kinds[row->kind].wire_min_compact : kinds[row->kind].wire_min;
}

const struct schema_row *walk_tag(const struct schema *s, uint32_t tag, int version)
{
	for (int i = s->n_plain; i < s->n_rows; i++)
		if ((uint32_t)s->rows[i].tag == tag && walk_has(&s->rows[i], version))
			return &s->rows[i];
	return NULL;
}
