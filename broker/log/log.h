/* log.h - one partition's log: segments and indexes in Kafka's on-disk format.
 *
 * Owned by one partition, used on its shard's thread.  Calls may block on the page cache only;
 * what blocks on the device (flush, open, close) is marked and is run from a job.  The log knows
 * offsets, timestamps and bytes; it knows nothing of replication: the caller says up to which
 * offset a reader may see.  The caller keeps leader epochs and producers and persists them with
 * epoch_file.h and producer_file.h.
 *
 *   start offset <= recovery point <= end offset; everything below the recovery point is known
 *   to be on the device.  The first failed write or sync makes the log failed for good: every
 *   later call answers ERR_IO, and the partition goes offline (fsync is never retried).  An append
 *   to a full disk answers ERR_NOSPACE and leaves no trace; any call may answer ERR_NOFILES. */
#pragma once
#include "common/env/env.h"
#include "common/wire/batch.h"

struct log;

struct log_config { /* may change at run time: log_set_config */
	int64_t segment_bytes, segment_ms, segment_jitter_ms;
	int64_t segment_index_bytes, index_interval_bytes;
	int64_t flush_messages, flush_ms;       /* INT64_MAX: never */
	int64_t retention_ms, retention_bytes;  /* -1: no limit */
	int64_t file_delete_delay_ms;
	bool compacted; /* offsets may have holes: cleanup.policy has, or had, compact */
};

/* What opening found. */
struct log_recovery {
	int64_t segments, segments_scanned, bytes_scanned, bytes_cut, indexes_rebuilt;
	/* Not a torn tail: bytes fail their check with valid batches after them, or below the
	 * recovery point.  The log ends before them, they lie in a .corrupt file, and what was
	 * acknowledged may be missing here: the replica must not lead before it has fetched that
	 * again.  Later starts say so again until the log has grown past it.  -1: none. */
	int64_t corrupt_offset, bytes_quarantined;
};
struct log_options {
	const char *dir;         /* .../<topic>-<partition>; created when missing */
	struct log_config config;
	bool clean;              /* the clean-shutdown marker was there: trust the files */
	/* A sync may have failed, and the kernel calls clean what the device never got: what a scan
	 * finds good is written again. */
	bool is_unsure;
	bool is_vouched; /* only the process ended: just its last write may be cut short */
	int64_t recovery_point;  /* from recovery-point-offset-checkpoint; 0 unknown */
	int64_t start_offset;    /* from log-start-offset-checkpoint; 0 unknown */
	/* Called in offset order for every batch that reaches `replay_from` or beyond, once the end
	 * is known.  A control batch is whole at `at`; of others only the header is there. */
	int64_t replay_from;
	void (*replay)(void *arg, const struct batch *);  /* NULL: none wanted */
	void *arg;
};

/* Both block.  log_close flushes everything and finishes the indexes; it writes no clean marker.
 * Neither log_close nor log_drop may be called between log_flush_begin and log_flush_end. */
must_check enum err log_open(struct env *, const struct log_options *, struct log **,
			     struct log_recovery *);
must_check enum err log_close(struct log *);
void log_drop(struct log *);  /* forget, without touching the files */
/* What log_options.replay does, for an open log: producers after a truncation.  May block. */
must_check enum err log_replay(struct log *, int64_t from,
			       void (*)(void *arg, const struct batch *), void *arg);

/* Its directory has a new name, no longer than the old one; not while a flush is under way. */
void log_moved(struct log *, const char *dir);
/* The checkpoints may still speak of an earlier log of this name: they say nothing about the one
 * that begins here, until a minute has passed (lowered.c). */
must_check enum err log_void_point(struct env *, const char *dir);
bool log_point_is_void(struct env *, const char *dir);
bool log_has_records(struct env *, const char *dir); /* any byte of a batch; blocks */

int64_t log_start(const struct log *);
int64_t log_end(const struct log *);  /* next offset to be written */
int64_t log_recovery_point(const struct log *);
int64_t log_bytes(const struct log *);
bool log_failed(const struct log *);
bool log_ran_out(const struct log *); /* it failed for want of a descriptor, half way */
void log_set_config(struct log *, const struct log_config *);

/* Append batches whose headers (61 bytes, copied and already stamped with base offset and leader
 * epoch by the caller) may differ from the frame they lie in: header and body are written by one
 * writev, for all n (one per 128 batches).  now_ms decides the age of segments whose records have
 * no timestamps.  All n go to one segment: a roll happens before the first of them.
 * ERR_NOSPACE: nothing was appended.  ERR_INVALID: offsets do not ascend from log_end.
 * ERR_LIMIT: no segment can hold all n (2 GiB, 2^31 offsets); append them one by one. */
struct log_batch {
	const uint8_t *header;  /* BATCH_HEADER_BYTES */
	const uint8_t *body;    /* what follows the header */
	struct batch view;      /* parsed header, offsets final */
};
struct log_appended {
	int64_t first_offset, last_offset;
	bool rolled;  /* a new segment begins at roll_offset: write a producer snapshot for it */
	int64_t roll_offset;
};
must_check enum err log_append(struct log *, const struct log_batch *, int n, int64_t now_ms,
			       struct log_appended *);

/* Where the bytes of [offset, bound) lie: whole batches that end at or before bound, as far as
 * max_bytes allows within one segment; the first batch is given whole, however large, when
 * min_one.  The span pins the file.  n == 0: nothing there yet, or too large.
 * ERR_NOT_FOUND: offset outside [start, end].  ERR_CORRUPT: the bytes there are no batch. */
struct log_read {
	struct file *file;     /* a reference for the caller; NULL when n == 0 */
	int64_t at, n;
	int64_t first_offset;  /* base offset of the first batch */
	int64_t next_offset;   /* where to read on */
	bool cold;             /* likely not in the page cache: warm it in a job first */
};
must_check enum err log_read(struct log *, int64_t offset, int64_t bound, int64_t max_bytes,
			     bool min_one, struct log_read *);
/* Bytes between two offsets, exact at the tail and rough elsewhere: for fetch.min.bytes. */
int64_t log_bytes_between(const struct log *, int64_t from, int64_t to);

/* ListOffsets: first record with timestamp >= target, and the record with the largest timestamp.
 * offset -1: none, or not below bound.  Reads records, decompressing if need be. */
struct log_time {
	int64_t offset, timestamp_ms;
	int32_t leader_epoch;
};
must_check enum err log_find_time(struct log *, int64_t timestamp_ms, int64_t bound,
				  struct log_time *);
must_check enum err log_find_max_time(struct log *, int64_t bound, struct log_time *);

/* Truncate keeps what lies below offset and ends at a batch boundary at or below it; restart drops
 * everything and begins empty at offset.  Both block for a moment when whole segments go, or the
 * recovery point must come down, to make that durable.  The caller checkpoints recovery points at
 * least once a minute.  ERR_CORRUPT: the place to cut cannot be found; nothing was done. */
must_check enum err log_truncate(struct log *, int64_t offset);
must_check enum err log_restart(struct log *, int64_t offset);
/* DeleteRecords, the leader's log start.  ERR_NOT_FOUND: past the end. */
must_check enum err log_advance_start(struct log *, int64_t offset);
/* Retention by size, time and log start, never past `bound` (the high watermark): segments are
 * renamed to .deleted at once and unlinked after the delay by log_purge.  Also closes files of
 * old segments that nobody read since the last call. */
must_check enum err log_retain(struct log *, int64_t bound, int64_t now_ms, int32_t *n_segments);
/* It would leave nothing: the caller's last chance to write down what only the records say. */
bool log_expires(struct log *, int64_t bound, int64_t now_ms);
/* From a job: while it runs, log_retain deletes nothing and all else goes on. */
void log_purge(struct log *, int64_t now_ms);

/* Flush in two halves, so that the device works off the shard's thread:
 *   log_flush_begin (shard) pins the dirty files; log_flush_work (job, blocks) syncs them;
 *   log_flush_end (shard) moves the recovery point or marks the log failed.
 * One at a time.  While it is under way the log may be appended to, read and truncated. */
struct log_flush;
bool log_flush_due(const struct log *, int64_t now_ms);  /* by flush.messages, flush.ms, a roll */
struct log_flush *log_flush_begin(struct log *);  /* NULL: nothing dirty or one under way */
void log_flush_work(struct log_flush *);
enum err log_flush_end(struct log *, struct log_flush *);
