/* net_rig.h - a group of actors with an echo server, and a blocking client on a thread of its own.
 *
 * The test's thread becomes actor 0; the client runs until it returns, then everything stops.
 * Checks may be made on either thread. */
#pragma once
#include "common/net/loop.h"

enum { RIG_ACTORS_MAX = 4 };

struct net_rig;
struct rig_echo { /* what an actor's echoing connections share */
	struct net_rig *rig;
	struct env *env;
};
struct net_rig {
	struct rig_echo echo[RIG_ACTORS_MAX];
	struct loops *loops;
	struct listener *listener;
	int32_t port;
	uint32_t frame_max;
	_Atomic int accepted, downs, frames;
	_Atomic int last_down; /* enum err */
	void (*client)(struct net_rig *);
	void *arg;
};

void rig_new(struct net_rig *, int n_actors);
/* Replace the echo server: who is told of accepted connections. */
void rig_listen(struct net_rig *, void (*accept)(void *arg, struct env *, struct conn *));
void rig_run(struct net_rig *, void (*client)(struct net_rig *));
void rig_free(struct net_rig *);
void rig_echo_accept(void *rig, struct env *, struct conn *);
extern const struct conn_events rig_echo_events;

/* Blocking sockets, with a receive timeout of 20 s. */
int rig_connect(struct net_rig *);
void rig_write(int fd, const void *, size_t n);
bool rig_read(int fd, void *, size_t n); /* false: closed or timed out before n bytes */
void rig_send_frame(int fd, const void *, size_t n);
bool rig_read_frame(int fd, void *, size_t cap, size_t *n);
void rig_fill(uint8_t *, size_t n, uint64_t seed);
