/* raw.h - packed records inside messages, without unpacking them.
 *
 * In protobuf a repeated field is its elements, each with its tag, in any place of the message; so
 * a packed record can be put into a MetadataBatch or Snapshot as an "unknown" field with the tag of
 * `records`, which is copied byte for byte.  The receiver sees the field. */
#pragma once
#include <protobuf-c/protobuf-c.h>

#include "cluster/records.pb-c.h"
#include "common/base/arena.h"

struct raw {
	struct arena *arena;
	unsigned tag;
	ProtobufCMessageUnknownField *v;
	size_t n, cap, bytes;
};
void raw_init(struct raw *, struct arena *, unsigned tag);
void raw_add(struct raw *, const uint8_t *at, size_t n);         /* copies */
void raw_add_record(struct raw *, const Weir__MetadataRecord *);
void raw_attach(const struct raw *, ProtobufCMessage *); /* for as long as the arena lives */
