/* lost.c - each shard's short list of brokers that may be dead, kept equal by mail.  The rule and
 * its reason are in lost.h. */
#include "broker/shard/lost.h"

#include "broker/shard/shard.h"

struct lost_mail {
	struct mail mail;
	struct shard *to;
	struct lost_broker lost;
};

static void tell(struct shard *, struct lost_broker);
static void arrives(struct mail *);
static void put(struct shard *, struct lost_broker);

void lost_tell(struct shard *s, int32_t broker)
{
	const struct image_broker *b = image_broker(s->image, broker);

	if (b && !b->is_fenced)
		tell(s, (struct lost_broker){ broker, b->epoch, env_mono_ms(s->env) + LOST_MS });
}

void lost_found(struct shard *s, int32_t broker)
{
	for (int i = 0; i < LOST_MAX; i++)
		if (s->lost.v[i].until_ms && s->lost.v[i].broker == broker)
			tell(s, (struct lost_broker){ .broker = broker });
}

/* Over when the image has it fenced or registered anew, or the time is up. */
bool lost_any(const struct shard *s)
{
	for (int i = 0; i < LOST_MAX; i++) {
		const struct lost_broker *l = &s->lost.v[i];
		const struct image_broker *b;

		if (l->until_ms == 0 || l->until_ms <= env_mono_ms(s->env))
			continue;
		b = image_broker(s->image, l->broker);
		if (b && !b->is_fenced && b->epoch == l->epoch)
			return true;
	}
	return false;
}

static void tell(struct shard *s, struct lost_broker lost)
{
	put(s, lost);
	for (int i = 0; i < s->broker->n_shards; i++) {
		struct shard *to = s->broker->shards[i];
		struct lost_mail *m;

		if (to == s)
			continue;
		m = mem_alloc(sizeof(*m));
		*m = (struct lost_mail){ .mail.fn = arrives, .to = to, .lost = lost };
		env_post(to->env, &m->mail);
	}
}

static void arrives(struct mail *mail)
{
	struct lost_mail *m = CONTAINER_OF(mail, struct lost_mail, mail);

	put(m->to, m->lost);
	mem_free(m);
}

/* Into its own place, else into the oldest one. */
static void put(struct shard *s, struct lost_broker lost)
{
	struct lost_broker *place = &s->lost.v[0];

	for (int i = 0; i < LOST_MAX; i++) {
		if (s->lost.v[i].until_ms && s->lost.v[i].broker == lost.broker) {
			place = &s->lost.v[i];
			break;
		}
		if (s->lost.v[i].until_ms < place->until_ms)
			place = &s->lost.v[i];
	}
	*place = lost;
}
