/* dirs.h - the log directories of the broker: identity, lock, checkpoints, placement.
 *
 * dirs_open (main, before the shards) takes each directory's lock, reads or writes
 * meta.properties, takes away the clean-shutdown marker, sees whether all is there that ever was
 * (run_marker.h) and reads the three offset checkpoints and
 * the names of the partitions that are there.  From then on the struct is read-only except for the
 * atomics, so shards look things up without a lock.  Checkpoints are written by shard 0
 * (checkpoint.h).  A directory whose disk failed once is offline until restart. */
#pragma once
#include "common/base/map.h"
#include "common/env/env.h"
#include "broker/log/partition_meta.h"
#include "broker/shard/broker_conf.h"

struct dirs_row {        /* a partition directory found at start */
	struct str name; /* "topic-0" */
	int dir;
	int64_t recovery_point, high_watermark, log_start; /* 0: not in the checkpoint */
	_Atomic bool taken; /* its partition is open: the partition's own offsets count now */
	char text[];
};
struct dir {
	const char *path;
	struct uuid id;
	struct file *lock;
	bool is_recorded;       /* meta.properties holds the id */
	bool was_clean;         /* the marker was there at start */
	int64_t previous_epoch; /* it has all that it had under this broker epoch; -1: unknown */
	_Atomic bool offline;
	_Atomic bool is_unsettled;    /* the next start must scan: a log was left half way */
	_Atomic bool is_full;         /* space.h */
	_Atomic int64_t free_bytes;   /* as of the last look */
	_Atomic int32_t n_partitions; /* for placement */
};
struct dirs {
	struct env *env;
	struct dir v[BROKER_DIRS_MAX];
	int n;
	bool has_namesakes;  /* checkpoints have rows of logs that are not there (any more) */
	char cluster_id[64]; /* of meta.properties; "" on new directories */
	struct strmap found; /* name -> struct dirs_row */
	/* The same of moves that were under way: by the partition's name, text has the future
	 * one's */
	struct strmap futures;
	struct strmap checkpointed; /* the same of those that had records, and no directory now */
	_Atomic int64_t broker_epoch, n_placed; /* of this process */
};

must_check enum err dirs_open(struct env *, const struct broker_conf *, struct dirs **, char *why,
			      size_t why_cap);
void dirs_free(struct dirs *);
/* Writes meta.properties where the cluster id is not recorded yet; blocks. */
must_check enum err dirs_adopt_cluster(struct env *, struct dirs *, const struct broker_conf *,
				       const char *cluster_id);
struct dirs_row *dirs_found(const struct dirs *, struct str name);
bool dirs_had(const struct dirs *, struct str name); /* records, says a checkpoint; not found */
bool dirs_any_offline(const struct dirs *);
/* A new one, for a replica that gets another directory. */
struct placement dirs_placement(struct dirs *);
int dirs_place(const struct dirs *); /* the online directory with the fewest partitions; -1: none */
void dirs_fail(struct dirs *, int dir); /* any thread; logs once */
/* Sound, but it gets no clean-shutdown marker; any thread; dir may be -1. */
void dirs_unsettle(struct dirs *, int dir);
/* A write met a full disk: no more is produced to it until space.h finds room; any thread. */
void dirs_fill(struct dirs *, int dir);
/* Under which nothing was lost, in no directory; -1: something may be missing. */
int64_t dirs_previous_epoch(const struct dirs *);
/* Something may be missing in some directory: the marks do not say in which. */
bool dirs_are_unsure(const struct dirs *);
/* A new registration counts from here on; before anything is done under it. */
void dirs_registered(struct dirs *, int64_t broker_epoch);
/* Writes the clean-shutdown marker where every log is as a clean end leaves it; blocks; the last
 * thing a stopping broker does.  Epoch -1: it never came to register. */
void dirs_mark_clean(struct env *, struct dirs *, int64_t broker_epoch);
