/* client_idle.c - connections.max.idle.ms: a sweep ten times within the limit, no
 * timer per client. */
#include "broker/api/client.h"

#define SWEEP_MS_MIN 1000

static void sweep(void *arg);

void client_idle_start(struct api_shard *a)
{
	timer_init(&a->idle_timer, sweep, a);
	if (a->shard->broker->conf->idle_ms_max > 0)
		timer_after_ms(a->shard->env, &a->idle_timer,
			       i64_max(a->shard->broker->conf->idle_ms_max / 10, SWEEP_MS_MIN));
}

void client_idle_stop(struct api_shard *a)
{
	timer_clear(a->shard->env, &a->idle_timer);
}

/* One that waits for an answer is not idle, however long that takes. */
static void sweep(void *arg)
{
	struct api_shard *a = arg;
	int64_t before_ms = env_mono_ms(a->shard->env) - a->shard->broker->conf->idle_ms_max;

	LIST_FOR (c, &a->clients, struct client, node)
		if (list_empty(&c->started) && list_empty(&c->waiting) && c->heard_ms < before_ms)
			client_close(c);
	client_idle_start(a);
}
