/* partition.h - one replica of one partition on the shard that owns it: the pure cores (replica,
 * epoch cache, producers), the log, and who waits for what.
 *
 * Events go in (metadata, appends, fetches, answers), partition_step carries out the effects of
 * the replica automaton.  Created when metadata assigns it; its log opens in a job, and until then
 * it is OPENING: nobody is served.  A log that failed makes it OFFLINE until restart.
 * The life of a produce and of a fetch: broker/README.md. */
#pragma once
#include "broker/core/epoch_cache.h"
#include "broker/core/producer.h"
#include "broker/core/replica.h"
#include "broker/log/log.h"
#include "broker/shard/isr.h"
#include "common/meta/topic_conf.h"
#include "common/wire/kerr.h"

struct shard;
struct follow;
struct move;

enum partition_state { PARTITION_OPENING, PARTITION_OPEN, PARTITION_OFFLINE };

enum follow_state {
	FOLLOW_NONE, /* leader here, or nobody to follow */
	FOLLOW_FETCHING,
	FOLLOW_BACKOFF, /* refused; again at retry_ms */
	FOLLOW_FAILED,  /* fenced in our own epoch: until the next metadata */
};
struct following {         /* the follower's side; owned by follow.c */
	struct follow *at; /* NULL with FOLLOW_NONE */
	enum follow_state state;
	struct list node;   /* on the fetcher's list of members */
	struct list change; /* on its list of what the next request must tell */
	bool in_session;    /* the leader's session knows the partition */
	bool is_urgent;     /* tell it now, even past a long poll in flight */
	bool needs_range;   /* out of the leader's range: its log end and start are asked next */
	int32_t epoch;      /* leader epoch that we follow in */
	uint64_t since;     /* number of the first request that told our leader epoch */
	int64_t retry_ms, rest_ms; /* rest_ms doubles with every refusal */
};

struct partition {
	struct shard *shard;
	struct uuid topic_id;
	int32_t number;
	struct str topic; /* owned */
	int dir;          /* index in dirs; -1: none yet */
	enum partition_state state;
	bool is_dropped; /* metadata took it away: it goes when no job holds it */
	bool is_leaving; /* dropped, and the one that shard->leaving names */
	int32_t n_jobs;  /* jobs that hold this partition: it stays until they are back */
	struct topic_conf conf;
	struct replica replica;
	struct log *log;
	struct epoch_cache epochs;
	struct producers producers;
	uint32_t epochs_saved; /* version on disk */
	bool is_saving_epochs;
	bool lacks_producers; /* the snapshot of a roll could not be written */
	bool doubts_producers; /* a truncation went before, and they could not be built again yet */
	int64_t saving_producers; /* the last snapshot under way is for this offset, if above 0 */
	int64_t epochs_saving_from; /* lowest offset that this write concerns */
	int64_t recovery_point; /* once the log is closed */
	struct list waits;      /* parked acks=all appends, by required offset (wait.h) */
	struct list watches;    /* parked reads (read.h) */
	/* On the shard's list of high watermarks that followers have not heard of. */
	struct list hw_lagging;
	struct list throttled;  /* on the shard's list of those whose followers wait for room */
	struct image_ids slow;  /* leader.replication.throttled.replicas, of this partition */
	bool is_slow;           /* follower.replication.throttled.replicas names this replica */
	struct list opening;    /* on the shard's list while OPENING */
	int64_t opening_before; /* image offset that does not include this assignment */
	struct list deletes;    /* parked DeleteRecords (delete_records.h) */
	struct isr_item isr;
	int64_t led_since_ms; /* monotonic; of a leader */
	struct following follow;
	struct report *report;  /* of what it lost, or NULL (report.h) */
	struct move *move;      /* to another log directory, or NULL (move.h) */
	char dir_name[280]; /* "topic-0" */
};

#define PARTITION_PATH_MAX 640
void partition_path(const struct partition *, char out[PARTITION_PATH_MAX]);

struct partition *partition_find(const struct shard *, struct uuid topic_id, int32_t number);
/* Metadata: create or adapt the replica of this broker. */
void partition_assign(struct shard *, const struct image_topic *, int32_t number);
/* Metadata: not ours any more, or the topic is gone: the directory is renamed and removed later.
 * Whoever waits is told e. */
void partition_drop(struct partition *, enum kerr e);
void partition_refresh_brokers(struct partition *);
void partition_refresh_conf(struct partition *, const struct image_topic *);
/* The settings in force here, in p->conf. */
void partition_resolve_conf(struct partition *, const struct image_topic *);
struct log_config partition_log_config(const struct partition *);
void partition_opened(struct partition *); /* its log is there: take up its role */
/* Process end, nothing else runs: close writes the producers' snapshot and closes the log. */
void partition_close(struct partition *);
void partition_free(struct partition *);

/* Feeds one event to the replica and carries out what follows from it. */
void partition_step(struct partition *, const struct replica_event *);
/* The log refused: the directory goes offline, whoever waits is told. */
void partition_fail(struct partition *, enum err);
/* True: it is offline; also when its directory failed with another partition (KIP-112). */
bool partition_is_lost(struct partition *);
/* Was it only a full disk, or no descriptor for a file?  Then nothing is lost: writing goes on when
 * there is room (dirs_fill). */
bool partition_is_full(struct partition *, enum err);
/* Before an append, or anything else that must know the producers: ERR_NOFILES: not yet. */
must_check enum err partition_know_producers(struct partition *);
/* Follower: cuts the log, and with it epochs, producers and high watermark. */
must_check enum err partition_truncate(struct partition *, int64_t offset);
/* Follower, far behind: drops everything and begins empty at `offset`. */
must_check enum err partition_restart(struct partition *, int64_t offset);
must_check enum err partition_raise_start(struct partition *, int64_t offset);
/* Answers whoever waits on it, stops following. */
void partition_let_go(struct partition *, enum kerr);
void partition_start_moved(struct partition *); /* the log's start is a new one */
/* A job that held it is done; it may be gone after this. */
void partition_job_back(struct partition *);
bool partition_is_leader(const struct partition *);
/* What a client hears when this broker cannot serve it. */
enum kerr partition_refusal(const struct partition *);
int64_t partition_last_stable(const struct partition *);
/* Is the replication to this follower throttled: named by the topic, and not in sync? */
bool partition_throttles(const struct partition *, int32_t follower);
