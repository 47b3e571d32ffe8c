/* isr.c - a proposal's way from the partition to shard 0 and back.
 *
 *   isr_propose (owner) -> arrives (shard 0) -> ctllink_alter -> the controller
 *   isr_answer (shard 0) -> comes_home (owner) -> partition_step(ISR_ANSWER)
 *
 * One item per partition: while it is out, a newer proposal is only noted (is_again) and sent when
 * the first is back, if it is still wanted. */
#include "broker/shard/isr.h"

#include "broker/shard/ctllink.h"
#include "broker/shard/partition.h"
#include "broker/shard/shard.h"

static void arrives(struct mail *);
static void comes_home(struct mail *);
static enum replica_verdict verdict_of(int32_t code);

/* The job count keeps the partition alive until the answer is home. */
void isr_propose(struct partition *p, uint32_t isr, uint32_t proposal)
{
	struct isr_item *item = &p->isr;
	const struct image_broker *self = image_broker(p->shard->image, p->replica.self);

	if (item->is_out) {
		item->is_again = true;
		return;
	}
	item->is_out = true;
	item->is_again = false;
	item->partition = p;
	item->home = p->shard;
	item->topic_id = p->topic_id;
	item->number = p->number;
	item->leader_epoch = p->replica.leader_epoch;
	item->partition_epoch = p->replica.partition_epoch;
	item->proposal = proposal;
	item->n = 0;
	isr_causes(&p->replica, isr, env_mono_ms(p->shard->env), &item->why);
	for (int32_t i = 0; i < p->replica.n_peers; i++) {
		const struct replica_peer *peer = &p->replica.peers[i];
		if (!(isr & (1u << i)))
			continue;
		item->id[item->n] = peer->id;
		item->broker_epoch[item->n++] =
			peer->id == p->replica.self && self ? self->epoch : peer->broker_epoch;
	}
	list_init(&item->node);
	p->n_jobs++;
	item->mail.fn = arrives;
	env_post(p->shard->broker->shards[0]->env, &item->mail);
}

static void arrives(struct mail *m)
{
	struct isr_item *item = CONTAINER_OF(m, struct isr_item, mail);

	ctllink_alter(item->home->broker->shards[0]->link, item);
}

void isr_answer(struct isr_item *item)
{
	item->mail.fn = comes_home;
	env_post(item->home->env, &item->mail);
}

static void comes_home(struct mail *m)
{
	struct isr_item *item = CONTAINER_OF(m, struct isr_item, mail);
	struct partition *p = item->partition;
	struct replica_event ev = { .kind = REPLICA_EV_ISR_ANSWER,
				    .now_ms = env_mono_ms(item->home->env) };

	item->is_out = false;
	if (p->state == PARTITION_OPEN && !p->is_dropped) {
		ev.answer.verdict = verdict_of(item->code);
		ev.answer.proposal = item->proposal;
		ev.answer.partition_epoch = item->answer_partition_epoch;
		ev.answer.isr = replica_mask_of(&p->replica, item->answer_id, item->n_answer);
		partition_step(p, &ev);
		/* Of now: what was noted may have been settled by metadata since, and its bits
		 * stood for other replicas then. */
		if (item->is_again && !item->is_out && p->replica.is_pending)
			isr_propose(p, p->replica.isr_pending, p->replica.proposal);
	}
	partition_job_back(p);
}

/* The meaning of each code for a leader is in replica.h; what is not listed may be tried again. */
static enum replica_verdict verdict_of(int32_t code)
{
	switch (code) {
	case KERR_NONE: return ISR_ADOPTED;
	case KERR_INELIGIBLE_REPLICA:
	case KERR_OPERATION_NOT_ATTEMPTED: return ISR_ROLL_BACK;
	case KERR_FENCED_LEADER_EPOCH:
	case KERR_INVALID_UPDATE_VERSION:
	case KERR_UNKNOWN_TOPIC_ID:
	case KERR_INVALID_REQUEST:
	case KERR_NEW_LEADER_ELECTED: return ISR_WAIT_METADATA;
	default: return ISR_RETRY;
	}
}
