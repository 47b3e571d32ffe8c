/* quorum_state.h - the file quorum-state: term, vote and first voters, durable before they count.
 *
 * DIR/quorum-state has two slots of 4096 bytes, written in turn, so that a torn write leaves the
 * other: the newest one that checks is true.  Opening writes it anew into both of a new file, for
 * it may never have reached the device.  A slot is
 *   0  u32 size of the message       4  u32 CRC-32C of everything after
 *   8  u64 number of the write       16 QuorumState, protobuf
 *
 * quorum_state_open on the actor's thread before anything runs; quorum_state_write on a thread of
 * the io pool, one at a time, synced when it returns.  A failed write is final, as everywhere in
 * the metadata log. */
#pragma once
#include "cluster/raft.pb-c.h"
#include "common/base/arena.h"
#include "common/env/env.h"

enum { QUORUM_SLOT = 4096, QUORUM_STATE_MAX = QUORUM_SLOT - 16 };

struct quorum_state_file {
	struct file *file;               /* NULL: not there yet */
	uint64_t writes;
};
/* *out in memory of the arena; NULL when there is no such file, or none was ever written whole.
 * why: one sentence when it fails. */
must_check enum err quorum_state_open(struct env *, const char *dir, struct quorum_state_file *,
				      struct arena *, Weir__QuorumState **out, char *why,
				      size_t cap);
must_check enum err quorum_state_write(struct env *, const char *dir, struct quorum_state_file *,
				       const uint8_t *packed, size_t n);
void quorum_state_close(struct quorum_state_file *);
