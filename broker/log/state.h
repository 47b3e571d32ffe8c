/* state.h - the inside of struct log, shared by the files that implement log.h and by nobody else.
 *
 *   log.c      open and close, append, roll         read.c     where bytes lie
 *   recover.c  what is in the directory, its end    scan.c, salvage.c  what may not be whole
 *   cut.c      truncate, restart, start offset      retain.c   deleting old segments
 *   flush.c    making it durable                    time.c     offsets by timestamp
 *   replay.c   batches for those who keep state     lowered.c  the recovery point after a cut
 *   syncing.c  was a sync cut short?
 *
 * v[0..n) are the segments in offset order, v[n - 1] the active one; n >= 1 once opened.  Only the
 * active segment has a writer, and is never closed. */
#pragma once
#include "broker/log/log.h"
#include "broker/log/segment.h"
#include <stdatomic.h>

/* The last batches appended, so that readers of the tail never touch a file to find them. */
#define RECENT_MAX 24
struct recent_batch {
	int64_t base_offset, next_offset, at;
};

/* Where readers stopped: the next read of a sequential reader begins there. */
#define CURSORS_MAX 4
struct read_cursor {
	int64_t offset; /* -1: unused */
	int64_t segment_base, at;
};

#define FLUSH_SEGMENTS_MAX 8
struct log_flush {
	struct env *env;
	const char *dir; /* the log's */
	bool names_changed;
	bool is_unnamed; /* its own name is not known to be durable */
	struct file *files[(INDEX_KINDS + 1) * FLUSH_SEGMENTS_MAX];
	int n_files;
	int64_t upto;        /* durable when the work is done */
	int64_t active_base; /* of the segment whose indexes were still being written */
	uint32_t generation; /* of the log when it began */
	enum err err;
};

struct doomed_segment {
	int64_t base, unlink_at_ms;
};

struct log {
	struct segment_home home;
	struct log_config config;
	struct segment *v;
	int32_t n, cap;
	int64_t start, end, recovery_point;
	bool failed, ran_out; /* ran_out: for want of a descriptor half way, not by its device */

	struct segment_writer writer;
	int64_t first_time_ms; /* max timestamp of the active segment's first batch; TIME_UNKNOWN */
	int64_t created_ms;    /* wall clock of its first append; 0: none yet */
	int64_t jitter_ms;     /* taken off segment.ms for this segment */

	struct recent_batch recent[RECENT_MAX]; /* a ring: oldest at recent_head */
	uint32_t recent_head, n_recent;
	struct read_cursor cursors[CURSORS_MAX];
	uint32_t next_cursor;
	int64_t fresh_bytes; /* appended since it was opened: surely in the page cache */
	uint64_t clock;      /* of uses, for closing files */

	struct log_flush flush;
	bool flushing, rolled_unflushed, names_changed;
	bool has_unsynced_cut; /* segments went; nothing may be appended before that is durable */
	bool is_blank;   /* nothing was ever written to it */
	bool is_unnamed; /* its directory's own name was not synced since it was opened */
	int64_t dirty_since_ms; /* now_ms of the oldest append not flushed; 0: none */
	uint32_t generation;    /* grows when offsets are taken back */
	bool is_lowered;        /* the file of lowered.c is there, since lowered_ms */
	int64_t now_ms, lowered_ms; /* now_ms: of the last append */

	atomic_bool doomed_taken;  /* by log_retain or by log_purge in a job: the other one waits */
	struct doomed_segment *doomed;
	int32_t n_doomed, cap_doomed;
	char dir[];
};

static inline struct segment *log_active(struct log *l)
{
	return &l->v[l->n - 1];
}
static inline int64_t log_segment_end(const struct log *l, int32_t i)
{
	return i + 1 < l->n ? l->v[i + 1].base : l->end;
}

/* Marks the log failed when e is ERR_IO; returns e. */
enum err log_fail(struct log *, enum err e);
must_check enum err log_settle_cut(struct log *);
enum err log_fail_midway(struct log *, enum err e); /* marks it failed and returns ERR_IO */
struct segment *log_push_segment(struct log *, int64_t base, int64_t bytes);
/* The segment that holds offset: the last with base <= offset, or the first. */
int32_t log_segment_of(const struct log *, int64_t offset);
/* Opens segment i's .log file, closing a file used long ago when many are open. */
must_check enum err log_use(struct log *, int32_t i);
must_check enum err log_roll(struct log *, int64_t base);
/* After v[n - 1] has become the active segment by other means than a roll. */
must_check enum err log_activate(struct log *);
/* Hops from the last offset entry of the active segment to its end: sets log end and the segment's
 * largest timestamp.  *whole is where the last whole batch ends. */
must_check enum err log_find_end(struct log *, int64_t *whole);
void log_forget_positions(struct log *);

/* recover.c, scan.c */
must_check enum err log_load(struct log *, const struct log_options *, struct log_recovery *);
must_check enum err log_scan(struct log *, const struct log_options *, int64_t from,
			      struct log_recovery *);
/* lowered.c: before a truncation to `to`; at a start; once the checkpoint has followed, or `now` */
must_check enum err log_lower_point(struct log *, int64_t to);
must_check enum err log_cap_point(struct log *, int64_t *recovery_point);
must_check enum err log_forget_lowered(struct log *, bool now);
/* syncing.c: around every sync of what a log holds */
must_check enum err log_sync_begins(struct env *, const char *dir);
must_check enum err log_sync_ended(struct env *, const char *dir); /* well */
bool log_sync_is_name(const char *name);
/* flush.c */
must_check enum err log_sync_segment(struct segment *); /* blocks; its files stay open */
/* The directory's own name, whose it is, and the names in it; blocks. */
must_check enum err log_sync_home(struct env *, const char *dir);
