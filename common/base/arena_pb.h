/* arena_pb.h - messages of protobuf-c in an arena: they go with it, nobody frees them.
 *
 * A message that the arena has no room for is not unpacked: protobuf-c gives NULL. */
#pragma once
#include <protobuf-c/protobuf-c.h>

#include "common/base/arena.h"

ProtobufCAllocator arena_pb(struct arena *);
