/* loop.h - a process as a group of actors: one thread, one libevent base, one struct env each.
 *
 * Actor 0 runs on the thread that calls loops_run, the others on threads of their own.  Between
 * loops_new and loops_run all envs may be used from the calling thread to set things up.
 *
 * A turn of an actor: socket events; mail from other threads; timers that are due; connections
 * with more frames in hand; mail posted to itself; then all output of the turn leaves, coalesced.
 *
 * loops_new blocks SIGTERM and SIGINT in the calling thread (and so in all it starts) when
 * on_signal is set, ignores SIGPIPE, and raises the soft limit of open files to the hard one;
 * loops_free undoes the first. */
#pragma once
#include "common/env/env.h"

struct loops;
struct loops_options {
	int n_actors;
	int n_io_threads;         /* 0: the default, 4 */
	uint64_t seed;            /* 0: from the kernel */
	size_t bufs_keep_bytes;   /* per actor, bufpool_new; 0: the default, 32 MiB */
	int64_t dial_timeout_ms;  /* 0: the default, 10 s */
	int64_t frame_timeout_ms; /* a begun frame that makes no progress; 0: the default, 60 s */
	void (*on_signal)(void *arg, int signo); /* SIGTERM, SIGINT; on actor 0; may be NULL */
	void *arg;
};

must_check enum err loops_new(const struct loops_options *, struct loops **out);
/* Closes what connections and listeners are left, without events; asserts that no buf is live. */
void loops_free(struct loops *);
struct env *loops_env(struct loops *, int actor);
/* Returns when actor 0 has stopped (env->ops->stop or loops_stop), the others have been stopped,
 * all jobs have run and the mail still on its way has been delivered, on the calling thread. */
void loops_run(struct loops *);
void loops_stop(struct loops *); /* any thread; all actors leave after their turn */
