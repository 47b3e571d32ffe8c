/* mlog.h - the metadata log as its node sees it: records in memory at once, on disk a little later.
 *
 * Offsets count records.  mlog_append gives the records of this controller their offsets;
 * mlog_append_raw takes those of a leader as they came; mlog_truncate takes back what no majority
 * has.  None of it touches the disk: mlog_write says that everything asked for so far is number
 * `seq`, and `persisted` follows when it is all synced.  Rounds of write and fdatasync run as jobs,
 * one at a time, and whatever was asked for meanwhile goes into the next (group commit).  What is
 * committed is raft's to say (quorum.c); nothing may be answered or shown before that.
 *
 * The file quorum-state (term, vote) is written by the same rounds.
 *
 * The records since the last snapshot and some before it are also held in memory, packed, for
 * followers, brokers and the CLI; older ones are only in the snapshot.  A failed write or sync is
 * told once and final: the log takes nothing more, and the process should end.
 *
 * Made by mlog_open, which reads what is on disk (mlog_disk.c has the format) and hands over the
 * records of the snapshot. */
#pragma once
#include "cluster/raft.pb-c.h"
#include "cluster/records.pb-c.h"
#include "common/env/env.h"

struct mlog;
struct mlog_options {
	const char *dir;
	int64_t snapshot_bytes;          /* write a snapshot after this many bytes of records */
};
struct mlog_events {
	void (*persisted)(void *arg, int64_t seq);
	void (*failed)(void *arg, enum err);
	void (*replay)(void *arg, int64_t offset, const Weir__MetadataRecord *); /* of a snapshot */
	void (*installed)(void *arg);    /* what mlog_install was asked for is the log now */
};
struct mlog_entry {                      /* one packed record */
	int64_t epoch;
	uint32_t n;
	uint32_t left;                   /* records of the same batch that follow */
	uint8_t at[];
};

/* why: one sentence for the operator when it fails. */
must_check enum err mlog_open(struct env *, const struct mlog_options *, const struct mlog_events *,
			      void *arg,
			      struct mlog **out, char *why, size_t cap);
void mlog_close(struct mlog *);          /* asserts that no round is under way; NULL is fine */
const Weir__QuorumState *mlog_state(const struct mlog *);        /* as found; NULL: none */

/* The records become one batch: after a crash all of it is there or none.  The new end. */
int64_t mlog_append(struct mlog *, int64_t epoch, Weir__MetadataRecord *const *, int32_t n);
/* Whole batches that follow the end, framed as in a file and checked by mlog_check_raw. */
void mlog_append_raw(struct mlog *, const uint8_t *, size_t n);
void mlog_truncate(struct mlog *, int64_t end);  /* the first record cut begins a batch */
void mlog_put_state(struct mlog *, const Weir__QuorumState *);
void mlog_write(struct mlog *, int64_t seq);

int64_t mlog_start(const struct mlog *);         /* first record in memory */
int64_t mlog_start_epoch(const struct mlog *);   /* of the record before it; 0: none */
int64_t mlog_end(const struct mlog *);
/* start <= offset < end */
const struct mlog_entry *mlog_entry(const struct mlog *, int64_t offset);
/* The largest end of a batch in (from, to] with at most `bytes` between; at least one batch. */
int64_t mlog_fit(const struct mlog *, int64_t from, int64_t to, int64_t bytes);
size_t mlog_raw_size(const struct mlog *, int64_t from, int64_t end);
void mlog_raw(const struct mlog *, int64_t from, int64_t end, uint8_t *to);
must_check enum err mlog_check_raw(const uint8_t *, size_t n, int64_t from, int64_t end);

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
int64_t mlog_newest_snapshot(const struct mlog *, int64_t *epoch);       /* on disk; 0: none */

/* A snapshot from a leader.  mlog_store puts a piece of its file into a file of its own; when all
 * are there, mlog_install makes it the newest snapshot and begins the log behind it.  each() gets
 * its records in a job, with state; then `installed`. */
must_check enum err mlog_store(struct mlog *, int64_t at, const uint8_t *, size_t n);
struct mlog_install {
	int64_t offset, epoch;
	void *state;
	void (*each)(void *state, const Weir__MetadataRecord *);
};
void mlog_install(struct mlog *, const struct mlog_install *);
/* A piece of the newest snapshot's file, at most *n bytes; is_last: it ends there. */
must_check enum err mlog_load(struct mlog *, int64_t at, uint8_t *to, size_t *n, bool *is_last);
