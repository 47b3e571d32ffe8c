/* boot.h - a broker from its options to its last word, on envs that somebody else made.
 *
 * What weir-broker and the simulator have in common: main.c brings libevent's loops and POSIX,
 * the simulator its virtual ones.  Order of calls:
 *
 *   boot_init -> boot_conf (text and overrides) -> boot_start -> the actors run -> boot_stop,
 *   which ends with `stopped` -> the loops end -> boot_free
 *
 * boot_free is right after a failure at any place.  Everything here belongs to actor 0. */
#pragma once
#include "broker/shard/broker_conf.h"
#include "broker/shard/shard.h"

struct checkpoints;

struct boot {
	struct broker broker;
	struct broker_conf conf;
	struct conf_store *store;
	struct conf_row rows[BROKER_ROWS_MAX];
	int n_rows;
	struct env *env[BROKER_SHARDS_MAX];
	struct listener *listeners[BROKER_LISTENERS_MAX];
	struct checkpoints *checkpoints;
	struct space *space;
	struct call stops[BROKER_SHARDS_MAX];
	bool is_stopping; /* the shards have been told to let go */
	int n_stopping;
	void (*stopped)(void *arg);
	void *arg;
};

void boot_init(struct boot *);
/* Options as a .properties text, then KEY=VALUE each; `why` is one sentence when they make none. */
must_check enum err boot_conf(struct boot *, struct str text, const char *path, char *why,
			      size_t cap);
must_check enum err boot_override(struct boot *, const char *assignment, char *why, size_t cap);
must_check enum err boot_conf_finish(struct boot *, char *why, size_t cap);
/* One shard for each env; listens, and dials the controller. */
must_check enum err boot_start(struct boot *, struct env *const *, int n_envs, char *why,
			       size_t cap);
/* Leaders move away, then every shard lets go of its clients; then stopped(arg). */
void boot_stop(struct boot *, void (*stopped)(void *arg), void *arg);
/* Before the loops are stopped without waiting for boot_stop: nobody waits for the controller any
 * longer, and requests let go of what they hold. */
void boot_stop_now(struct boot *);
/* When nothing else runs: logs close; with is_clean the directories are marked so. */
void boot_free(struct boot *, bool is_clean);
