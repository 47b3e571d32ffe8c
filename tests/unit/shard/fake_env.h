/* fake_env.h - an actor made of a clock that the test turns, for the parts of a broker that only
 * want timers, mail and connections.  Mail runs in fake_env_mail; a connection keeps the frames
 * that were sent on it, and the test speaks for the other side. */
#pragma once
#include "common/env/env.h"

struct conn {
	const struct conn_events *events;
	void *arg;
	bool is_paused, is_closed, is_finished;
	int n_sent;
	struct buf *sent[64]; /* frames without their size */
	int64_t pending;
};
struct fake_env {
	struct env env;
	int64_t now_us;
	struct heap timers;
	struct mail *first, **last;
};

void fake_env_init(struct fake_env *);
void fake_env_fini(struct fake_env *);
void fake_env_pass(struct fake_env *, int64_t ms); /* due timers run in their order */
void fake_env_mail(struct fake_env *);             /* until there is none */
