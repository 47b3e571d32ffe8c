/* mlog.h - the metadata log as the node sees it: append now, hear later that it is committed.
 *
 * Offsets count records.  mlog_append gives the records their offsets at once; `committed` says up
 * to where the log is safe, and nothing may be answered or shown before that.  Today safe means
 * synced to this controller's disk: rounds of write and fdatasync run as jobs, one at a time, and
 * whatever was appended meanwhile goes into the next (group commit).  A quorum will fill the same
 * interface: committed then means on a majority.
 *
 * The records since the last snapshot are also held in memory, packed, for brokers that follow and
 * for the CLI; older ones are only in the snapshot.  A failed write or sync is told once and
 * final: the log takes nothing more, and the process should end.
 *
 * Made by mlog_open, which reads what is on disk (mlog_disk.c has the format) and hands every
 * record over, the snapshot's first. */
#pragma once
#include "cluster/records.pb-c.h"
#include "common/env/env.h"

struct mlog;
struct mlog_options {
	const char *dir;
	int64_t snapshot_bytes;          /* write a snapshot after this many bytes of records */
};
struct mlog_events {
	void (*committed)(void *arg, int64_t end);
	void (*failed)(void *arg, enum err);
	/* While opening: each record; offset of the snapshot for the records of one. */
	void (*replay)(void *arg, int64_t offset, bool is_snapshot, const Weir__MetadataRecord *);
};
struct mlog_entry {                      /* one packed record */
	int64_t epoch;
	uint32_t n;
	uint8_t at[];
};

/* why: one sentence for the operator when it fails. */
must_check enum err mlog_open(struct env *, const struct mlog_options *, const struct mlog_events *,
			      void *arg,
			      struct mlog **out, char *why, size_t cap);
void mlog_close(struct mlog *);          /* asserts that no round is under way; NULL is fine */
/* everything appended is committed, nothing is being written */

/* The records become one batch: after a crash all of it is there or none.  The new end. */
int64_t mlog_append(struct mlog *, int64_t epoch, Weir__MetadataRecord *const *, int32_t n);
int64_t mlog_start(const struct mlog *);         /* first record in memory */
int64_t mlog_end(const struct mlog *);
int64_t mlog_committed(const struct mlog *);
/* start <= offset < end */
const struct mlog_entry *mlog_entry(const struct mlog *, int64_t offset);

/* Is a snapshot due?  Then the node gives its state at the committed end: dump() runs in a job,
 * freed() afterwards on the node's thread. */
bool mlog_wants_snapshot(const struct mlog *);
/* Hands out the records of state, borrowed, by calling each. */
typedef void mlog_dump(void *state, void (*each)(void *arg, const Weir__MetadataRecord *),
		       void *arg);
struct mlog_snapshot {
	struct job job;
	struct mlog *log;                /* filled in by mlog_snapshot */
	int64_t offset, epoch;
	void *state;
	mlog_dump *dump;
	void (*freed)(struct mlog_snapshot *);
	enum err result;
};
void mlog_snapshot(struct mlog *, struct mlog_snapshot *); /* the caller's memory until freed() */
