/* call.c - there and back by mail, or directly when both shards are one. */
#include "broker/shard/call.h"

#include "broker/shard/shard.h"

static void arrive(struct mail *);
static void come_back(struct mail *);

void call_send(struct call *c)
{
	ASSERT(c->work && c->done);
	if (c->to == c->from) {
		c->work(c);
		return;
	}
	c->mail.fn = arrive;
	env_post(c->to->env, &c->mail);
}

void call_return(struct call *c)
{
	if (c->to == c->from) {
		c->done(c);
		return;
	}
	c->mail.fn = come_back;
	env_post(c->from->env, &c->mail);
}

static void arrive(struct mail *m)
{
	struct call *c = CONTAINER_OF(m, struct call, mail);

	c->work(c);
}

static void come_back(struct mail *m)
{
	struct call *c = CONTAINER_OF(m, struct call, mail);

	c->done(c);
}
