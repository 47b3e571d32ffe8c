/* raw.c - packed records as the elements of a repeated field; why that works is in raw.h. */
#include "controller/server/raw.h"

#include "common/base/varint.h"

static uint8_t *add(struct raw *, size_t n);

void raw_init(struct raw *r, struct arena *a, unsigned tag)
{
	*r = (struct raw){ .arena = a, .tag = tag };
}

void raw_add(struct raw *r, const uint8_t *at, size_t n)
{
	uint8_t *to = add(r, n);

	if (n > 0)
		memcpy(to, at, n);
}

void raw_add_record(struct raw *r, const Weir__MetadataRecord *m)
{
	size_t n = weir__metadata_record__get_packed_size(m);

	(void)weir__metadata_record__pack(m, add(r, n));
}

void raw_attach(const struct raw *r, ProtobufCMessage *m)
{
	/* protobuf-c packs unknown fields as they are, tag and bytes, behind the known ones. */
	m->unknown_fields = r->v;
	m->n_unknown_fields = (unsigned)r->n;
}

/* A field's data begins with its length. */
static uint8_t *add(struct raw *r, size_t n)
{
	size_t head = uvarint_size((uint32_t)n);
	uint8_t *at = arena_must(r->arena, head + n);

	if (r->n == r->cap) {
		size_t cap = r->cap == 0 ? 64 : r->cap * 2;
		ProtobufCMessageUnknownField *v = arena_must(r->arena, cap * sizeof(*v));

		if (r->n > 0)
			memcpy(v, r->v, r->n * sizeof(*v));
		r->v = v;
		r->cap = cap;
	}
	(void)uvarint_put(at, (uint32_t)n);
	r->v[r->n++] =
		(ProtobufCMessageUnknownField){ .tag = r->tag,
						.wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
						.len = head + n,
						.data = at };
	r->bytes += head + n;
	return at + head;
}
