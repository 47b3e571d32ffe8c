/* quorum_msg.h - raft's messages as protobuf and back. */
#pragma once
#include "cluster/raft.pb-c.h"
#include "controller/core/raft_msg.h"

struct quorum_packed {                   /* what the protobuf message points into */
	Weir__RaftMessage m;
	int64_t terms[RAFT_RUNS_SENT], firsts[RAFT_RUNS_SENT];
	struct uuid from, to;
};
void quorum_pack(const struct raft_msg *, struct quorum_packed *);       /* without payload */
bool quorum_unpack(const Weir__RaftMessage *, struct raft_msg *);        /* false: nonsense */
bool quorum_uuid(const ProtobufCBinaryData *, struct uuid *);            /* false: not 16 bytes */
ProtobufCBinaryData quorum_bytes(const struct uuid *);
