/* world.h - everything that is not Weir's code, on a virtual clock: time, order, chance, machines.
 *
 * One thread, one queue of events ordered by (time, sequence).  A machine is what a process runs
 * on: it has actors (struct env each, as in production), a disk that outlives the process, and
 * connections to other machines.  What arrives for an actor (frames, mail, timers, finished jobs)
 * waits in its inbox until its next turn, so turns handle one thing or many, as in production, and
 * the moment of a turn is a matter of chance.
 *
 * Chance comes from separate streams, so that taking one fault away does not change the rest.
 * Every event is folded into a hash: two runs of a seed must give the same one.
 *
 * A process that is killed never runs again; its memory is abandoned, which is why each seed runs
 * in a process of its own. */
#pragma once
#include "common/base/heap.h"
#include "common/base/list.h"
#include "common/base/prng.h"
#include "common/env/env.h"

#define WORLD_MACHINES_MAX 24
#define WORLD_ACTORS_MAX 4

struct world;
struct machine;
struct disk;
struct packet;

typedef void happen(void *a, void *b);

struct item { /* waits for an actor's next turn */
	struct item *next;
	happen *fn;
	void *a, *b;
};

struct actor {
	struct env env;
	struct machine *machine;
	struct heap timers;
	int64_t armed_us; /* the wake-up that is in the queue; INT64_MAX: none */
	struct item *first, **last;
	bool is_turn_due;
	struct mail *self_first, **self_last; /* posted to itself: end of the turn */
	struct list dirty;                    /* conns with output of this turn */
	int64_t mail_at_us[WORLD_ACTORS_MAX]; /* by sender: mail stays in order */
};

enum machine_state {
	MACHINE_DOWN, /* no process; the kernel refuses connections */
	MACHINE_UP,
	MACHINE_PAUSED, /* the process is stopped; the kernel still takes bytes */
	MACHINE_OFF,    /* no power: nobody answers */
};

struct machine {
	struct world *world;
	int id;
	char name[16];
	enum machine_state state;
	uint32_t life; /* grows with every start and end of a process */
	uint32_t losses; /* of power, or of sectors */
	int n_actors;
	struct actor actor[WORLD_ACTORS_MAX];
	struct disk *disk;
	struct list conns, listeners; /* in the order they came */
	struct list held;             /* events that came due while it was paused */
	int64_t n_jobs, n_mail;       /* submitted and not done; on its way */
	int64_t wall_skew_ms;
	int64_t turn_us_max; /* how long an actor may take to notice */
	int64_t job_us_more; /* its device is slow: a job may wait so much longer */
	int64_t hung_until_us; /* its device does not answer: no job ends before */
	int64_t sip_us;        /* it reads its connections so slowly: a pause after each frame */
	int64_t deaf_until_us; /* its queue of connections is full: who dials hears nothing */
	struct prng prng;
};

enum world_stream { STREAM_TOPOLOGY, STREAM_WORK, STREAM_NET, STREAM_DISK, STREAM_FAULT };
#define WORLD_STREAMS 5

struct route { /* one direction between two machines */
	int64_t latency_us, jitter_us;
	int64_t clog_until_us; /* bytes arrive no earlier */
	bool is_cut;           /* bytes wait, then time out */
};

struct world {
	int64_t now_us, wall_base_ms;
	struct heap queue;
	struct prng stream[WORLD_STREAMS];
	struct machine *machine[WORLD_MACHINES_MAX];
	int n_machines;
	struct route route[WORLD_MACHINES_MAX][WORLD_MACHINES_MAX];
	uint64_t hash, n_events;
	int64_t job_us_max;      /* how long a job may wait for its thread */
	struct actor *running;   /* whose turn it is; NULL between turns */
	struct machine *last;    /* whose event was the last one; NULL: the world's */
	struct list conns;       /* every one there ever was; freed with the world */
	void (*after)(void *arg); /* after every event: the invariants */
	bool is_watched;          /* they are at it: what they read never fails */
	void *arg;
	/* NULL, or whether a packet that just came to an end stays on its way, and with it all that
	 * come after it, until net_heal (scene_hold.c). */
	bool (*is_held)(void *held_arg, const struct conn *, const struct packet *);
	void *held_arg;
};

struct world *world_new(uint64_t seed);
void world_free(struct world *);
uint64_t world_chance(struct world *, enum world_stream, uint64_t below);
bool world_odds(struct world *, enum world_stream, uint32_t num, uint32_t den);
/* The next event; false when none is due at or before until_us (the clock then stands there). */
bool world_step(struct world *, int64_t until_us);
void world_run(struct world *, int64_t for_us);
void world_at(struct world *, int64_t at_us, happen *, void *a, void *b);
void world_fold(struct world *, uint64_t); /* into the hash */

struct machine *machine_new(struct world *, const char *name, int n_actors);
struct machine *machine_named(const struct world *, const char *name); /* NULL: none */
/* A process begins: fresh envs; the caller then starts its code on them. */
void machine_start(struct machine *);
/* kill -9, or the end of main: connections close, the disk keeps the page cache. */
void machine_kill(struct machine *);
/* Power loss: peers hear nothing, what was not synced may be gone. */
void machine_power_off(struct machine *);
void machine_pause(struct machine *);
void machine_resume(struct machine *);
bool machine_runs(const struct machine *); /* has a process: up or paused */
/* Dies with the process, waits while it is paused. */
void machine_at(struct machine *, int64_t at_us, happen *, void *a, void *b);

/* actor.c */
void actor_init(struct actor *, struct machine *, int number);
void actor_fini(struct actor *); /* forgets what waited */
struct actor *actor_of(struct env *);
void actor_do(struct actor *, happen *, void *a, void *b); /* in its next turn */
/* As if it were a turn, now: for main's part of a process. */
void actor_run(struct actor *, happen *, void *a, void *b);

/* net.c */
extern const struct peers_ops sim_peers;
void net_flush(struct actor *); /* end of a turn */
void net_end(struct machine *, bool is_silent);
/* All connections between two machines: reset at once, or lost without a word to either end. */
void net_break(struct machine *, struct machine *, bool is_silent);
void net_tell_lost(struct world *); /* now the ends of what was lost hear of it */
void net_heal(struct world *, int from, int to);
void net_free(struct world *);
