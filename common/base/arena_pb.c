#include "common/base/arena_pb.h"

static void *take(void *arena, size_t n)
{
	return arena_alloc(arena, n);
}

/* protobuf-c frees what it had of a message that is malformed: the arena's reset does. */
static void leave(void *arena, void *at)
{
	(void)arena;
	(void)at;
}

ProtobufCAllocator arena_pb(struct arena *a)
{
	return (ProtobufCAllocator){ take, leave, a };
}
