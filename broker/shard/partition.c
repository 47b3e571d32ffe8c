/* partition.c - events in, effects out; the birth of a partition is in partition_open.c.
 *
 *   metadata   partition_assign -> adopt -> partition_step(ASSIGNED) -> follow_start or _stop
 *   append     append.c, follow_apply.c -> partition_step(APPENDED)
 *   fetch      read.c -> partition_step(FETCHED_BY)      moves the high watermark
 *   answer     isr.c -> partition_step(ISR_ANSWER)
 *
 *   became_leader        become_leader: the epoch cache gets our epoch
 *   lost_leadership      leave_leadership: parked requests are told NOT_LEADER_OR_FOLLOWER
 *   hw_moved             high_watermark_moved: wait_wake (acks=all), read_wake (fetches)
 *   isr_changed          isr_changed: below min.insync.replicas parked produces end
 *   propose_isr          isr_propose: AlterPartition */
#include "broker/shard/partition.h"

#include <stdatomic.h>

#include "broker/log/producer_file.h"
#include "broker/shard/deletes.h"
#include "broker/shard/dirs.h"
#include "broker/shard/follow.h"
#include "broker/shard/move.h"
#include "broker/shard/partition_open.h"
#include "broker/shard/persist.h"
#include "broker/shard/read.h"
#include "broker/shard/report.h"
#include "broker/shard/shard.h"
#include "broker/shard/wait.h"
#include "common/base/log.h"
#include "common/base/mark.h"
#include "common/base/text.h"

static void adopt(struct partition *, const struct image_topic *);
static void take_conf(struct partition *, const struct image_topic *);
static void resolve_throttles(struct partition *, const struct image_topic *);
static int32_t known_peers(const struct partition *, const struct image_ids *,
			   struct replica_peer *);
static void isr_changed(struct partition *);
static void start_raised(struct partition *);
static void become_leader(struct partition *);
static void leave_leadership(struct partition *);
static void high_watermark_moved(struct partition *);

/* The key is a hash, so number and id are compared. */
struct partition *partition_find(const struct shard *s, struct uuid topic_id, int32_t number)
{
	struct partition *p = map_find(&s->partitions, partition_key(topic_id, number));

	return p && p->number == number && uuid_eq(p->topic_id, topic_id) ? p : NULL;
}

/* While it is opening nothing is done: partition_opened takes the newest image then. */
void partition_assign(struct shard *s, const struct image_topic *t, int32_t number)
{
	struct partition *p = partition_find(s, t->id, number);

	if (!p)
		partition_open_start(s, t, number);
	else if (p->state == PARTITION_OPEN)
		adopt(p, t);
}

/* The log is open: take up the role that the newest image gives. */
void partition_opened(struct partition *p)
{
	const struct image_topic *t = image_topic_by_id(p->shard->image, p->topic_id);

	ASSERT(p->state == PARTITION_OPEN && t);
	adopt(p, t);
	move_resume(p);
}

/* Every image is given to the replica, which ignores what it knows already. */
static void adopt(struct partition *p, const struct image_topic *t)
{
	struct replica_peer known[REPLICAS_MAX];
	const struct image_partition *ip = image_partition(t, p->number);
	int32_t n = known_peers(p, &ip->replicas, known);

	take_conf(p, t);
	partition_step(
		p, &(struct replica_event){ .kind = REPLICA_EV_ASSIGNED,
					    .now_ms = env_mono_ms(p->shard->env),
					    .assigned = { .leader = ip->leader,
							  .leader_epoch = ip->leader_epoch,
							  .partition_epoch = ip->partition_epoch,
							  .replicas = ip->replicas.v,
							  .isr = ip->isr.v,
							  .n_replicas = n,
							  .n_isr = ip->isr.n,
							  .is_recovering = ip->is_recovering,
							  .min_isr = p->conf.min_insync_replicas,
							  .known = known } });
	if (p->replica.role == REPLICA_FOLLOWER && p->replica.leader >= 0)
		follow_start(p, p->replica.leader);
	else
		follow_stop(p);
}

/* What the image knows of the assignment's brokers: may they join, and with which epoch. */
static int32_t known_peers(const struct partition *p, const struct image_ids *ids,
			   struct replica_peer *out)
{
	const struct image *im = p->shard->image;

	ASSERT(ids->n <= REPLICAS_MAX);
	for (int32_t i = 0; i < ids->n; i++) {
		const struct image_broker *b = image_broker(im, ids->v[i]);
		out[i] = (struct replica_peer){ .id = ids->v[i],
						.broker_epoch = -1,
						.log_end = -1,
						.log_start = -1,
						.leader_end_at_fetch = -1,
						.eligible = image_broker_active(im, ids->v[i]),
						.alive_epoch = b ? b->epoch : -1 };
	}
	return ids->n;
}

void partition_refresh_brokers(struct partition *p)
{
	struct replica_peer known[REPLICAS_MAX];
	const struct image_topic *t = image_topic_by_id(p->shard->image, p->topic_id);

	if (!t)
		return;
	int32_t n = known_peers(p, &image_partition(t, p->number)->replicas, known);
	partition_step(p, &(struct replica_event){ .kind = REPLICA_EV_BROKERS,
						   .now_ms = env_mono_ms(p->shard->env),
						   .brokers = { known, n } });
}

/* Its assignment is as it was. */
void partition_refresh_conf(struct partition *p, const struct image_topic *t)
{
	int32_t was = p->replica.min_isr;

	take_conf(p, t);
	if (p->conf.min_insync_replicas != was)
		partition_step(p,
			       &(struct replica_event){ .kind = REPLICA_EV_MIN_ISR,
							.now_ms = env_mono_ms(p->shard->env),
							.min_isr = p->conf.min_insync_replicas });
}

/* Log settings take effect with the next append, min.insync.replicas with the next step. */
static void take_conf(struct partition *p, const struct image_topic *t)
{
	struct log_config c;

	partition_resolve_conf(p, t);
	resolve_throttles(p, t);
	c = partition_log_config(p);
	log_set_config(p->log, &c);
	move_refresh_conf(p, &c);
}

static void resolve_throttles(struct partition *p, const struct image_topic *t)
{
	struct str leader = image_topic_config(t, STR("leader.replication.throttled.replicas"));
	struct str follower = image_topic_config(t, STR("follower.replication.throttled.replicas"));
	const struct image_ids *all = &image_partition(t, p->number)->replicas;

	p->slow.n = 0;
	for (int32_t i = 0; i < all->n; i++)
		if (topic_conf_throttles(leader, p->number, all->v[i]))
			p->slow.v[p->slow.n++] = all->v[i];
	p->is_slow = topic_conf_throttles(follower, p->number, p->shard->broker->conf->node_id);
}

static bool is_in_sync(const struct partition *p, int32_t id)
{
	return (p->replica.isr & replica_mask_of(&p->replica, &id, 1)) != 0;
}

/* One in sync is never slowed down: produces wait for it. */
bool partition_throttles(const struct partition *p, int32_t follower)
{
	bool is_named =
		follower == p->replica.self ? p->is_slow : image_ids_has(&p->slow, follower);

	return is_named && !is_in_sync(p, follower);
}

void partition_resolve_conf(struct partition *p, const struct image_topic *t)
{
	const struct broker_conf *c = p->shard->broker->conf;

	topic_conf_of(&c->topic, p->shard->image, c->node_id, t, &p->conf);
}

struct log_config partition_log_config(const struct partition *p)
{
	const struct topic_conf *c = &p->conf;

	return (struct log_config){
		.segment_bytes = c->segment_bytes,
		.segment_ms = c->segment_ms,
		.segment_jitter_ms = c->segment_jitter_ms,
		.segment_index_bytes = c->segment_index_bytes,
		.index_interval_bytes = c->index_interval_bytes,
		.flush_messages = c->flush_messages,
		.flush_ms = c->flush_ms,
		.retention_ms = c->retention_ms,
		.retention_bytes = c->retention_bytes,
		.file_delete_delay_ms = c->file_delete_delay_ms,
		.compacted = c->is_compacted,
	};
}

/* ---- events and effects ---------------------------------------------------------------------- */

/* Effects in this order: roles first, so that nobody is woken into the old one. */
void partition_step(struct partition *p, const struct replica_event *ev)
{
	struct replica_effects fx = { 0 };

	ASSERT(p->state == PARTITION_OPEN);
	replica_step(&p->replica, ev, &fx);
	if (fx.became_leader)
		become_leader(p);
	if (fx.became_follower || fx.lost_leadership)
		leave_leadership(p);
	if (fx.isr_changed)
		isr_changed(p);
	if (fx.log_start_moved)
		start_raised(p);
	if (fx.hw_moved)
		high_watermark_moved(p);
	if (fx.propose_isr)
		isr_propose(p, fx.isr, fx.proposal);
	if (!list_empty(&p->deletes))
		deletes_look(p);
}

static void isr_text(const struct partition *p, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	for (int32_t i = 0; i < p->replica.n_peers; i++)
		if (p->replica.isr & (1u << i))
			text_printf(&t, "%s%d", t.n ? "," : "", p->replica.peers[i].id);
}

static void isr_changed(struct partition *p)
{
	char isr[REPLICAS_MAX * 12];

	if (!partition_is_leader(p))
		return;
	isr_text(p, isr, sizeof(isr));
	log_info("partition", "isr", F_Z("partition", p->dir_name), F_Z("isr", isr),
		 F_I64("partition_epoch", p->replica.partition_epoch));
	/* What waits here can no longer be promised to min.insync.replicas (KIP-966: the high
	 * watermark stands still); better told now than after its timeout. */
	if (!replica_has_enough(&p->replica))
		wait_fail(p, KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
}

/* A follower's log starts where its leader's does; epochs that ended below are forgotten. */
static void start_raised(struct partition *p)
{
	if (log_advance_start(p->log, p->replica.log_start)) {
		partition_fail(p, ERR_IO);
		return;
	}
	epoch_cache_truncate_start(&p->epochs, p->replica.log_start);
	persist_epochs(p);
}

/* From here on appends carry our epoch; parked fetches look again, as followers' questions may now
 * be answered differently. */
static void become_leader(struct partition *p)
{
	follow_stop(p);
	p->led_since_ms = env_mono_ms(p->shard->env);
	epoch_cache_assign(&p->epochs, p->replica.leader_epoch, p->replica.log_end);
	persist_epochs(p);
	read_wake(p, READ_LOST);
	log_info("partition", "leader", F_Z("partition", p->dir_name),
		 F_I64("leader_epoch", p->replica.leader_epoch),
		 F_I64("log_end", p->replica.log_end),
		 F_I64("high_watermark", p->replica.high_watermark));
}

static void leave_leadership(struct partition *p)
{
	wait_fail(p, KERR_NOT_LEADER_OR_FOLLOWER);
	deletes_fail(p, KERR_NOT_LEADER_OR_FOLLOWER);
	read_wake(p, READ_LOST);
	log_info("partition", "follower", F_Z("partition", p->dir_name),
		 F_I64("leader", p->replica.leader), F_I64("leader_epoch", p->replica.leader_epoch),
		 F_I64("log_end", p->replica.log_end),
		 F_I64("high_watermark", p->replica.high_watermark));
}

/* Nobody may wait here any longer: parked reads are answered before this returns. */
void partition_let_go(struct partition *p, enum kerr e)
{
	follow_stop(p);
	wait_fail(p, e);
	deletes_fail(p, e);
	read_wake(p, READ_LOST);
	read_ready(p->shard);
	list_remove(&p->hw_lagging);
	list_remove(&p->throttled);
}

/* Parked followers need not hear of every step: they are told together within HW_NEWS_MS. */
static void high_watermark_moved(struct partition *p)
{
	wait_wake(p);
	read_wake(p, READ_MOVED);
	if (partition_is_leader(p) && !list_empty(&p->watches))
		shard_note_hw(p->shard, &p->hw_lagging);
}

/* The whole directory goes offline with it: a device that failed once is not trusted again
 * (KIP-112).  Unless it was half way out of descriptors, which says nothing about the device. */
void partition_fail(struct partition *p, enum err e)
{
	if (p->state == PARTITION_OFFLINE)
		return;
	MARK(log_failed_at_work);
	log_error("partition", "offline: its log cannot be used", F_Z("partition", p->dir_name),
		  F_Z("error", err_text(e)));
	p->state = PARTITION_OFFLINE;
	if (e == ERR_NOFILES || (p->log && log_ran_out(p->log)))
		dirs_unsettle(p->shard->broker->dirs, p->dir);
	else if (p->dir >= 0)
		dirs_fail(p->shard->broker->dirs, p->dir);
	move_end(p);
	follow_stop(p);
	report_lost(p, REPORT_OFFLINE);
	wait_fail(p, KERR_KAFKA_STORAGE_ERROR);
	deletes_fail(p, KERR_KAFKA_STORAGE_ERROR);
	read_wake(p, READ_LOST);
}

/* Asked before each use: who notices the failure is on any thread, and holds no partitions. */
bool partition_is_lost(struct partition *p)
{
	if (p->state == PARTITION_OPEN && p->dir >= 0 &&
	    atomic_load(&p->shard->broker->dirs->v[p->dir].offline))
		partition_fail(p, ERR_IO);
	return p->state == PARTITION_OFFLINE;
}

bool partition_is_full(struct partition *p, enum err e)
{
	if (e == ERR_NOFILES)
		return true;
	if (e != ERR_NOSPACE)
		return false;
	dirs_fill(p->shard->broker->dirs, p->dir);
	return true;
}

/* ---- the log moves otherwise than by appending ----------------------------------------------- */

/* The replica must hear of every change of the log's ends before anything else asks it. */
static void ends_moved(struct partition *p)
{
	partition_step(
		p, &(struct replica_event){ .kind = REPLICA_EV_TRUNCATED,
					    .now_ms = env_mono_ms(p->shard->env),
					    .truncated = { log_start(p->log), log_end(p->log) } });
	p->saving_producers = 0; /* of another history */
	persist_epochs(p);
}

/* Log, epochs, marks, producers: all four are functions of what is left. */
enum err partition_truncate(struct partition *p, int64_t offset)
{
	enum err e = log_truncate(p->log, offset);

	if (e)
		return e;
	epoch_cache_truncate_end(&p->epochs, log_end(p->log));
	move_truncated(p, log_end(p->log));
	ends_moved(p);
	p->doubts_producers = true;
	e = partition_know_producers(p);
	return e == ERR_NOFILES ? ERR_OK : e; /* the log is cut, and with that right */
}

enum err partition_know_producers(struct partition *p)
{
	enum err e = p->doubts_producers ? partition_rebuild_producers(p) : ERR_OK;

	p->doubts_producers &= e != ERR_OK;
	return e;
}

enum err partition_restart(struct partition *p, int64_t offset)
{
	char dir[PARTITION_PATH_MAX];
	enum err e;

	/* A snapshot from before the gap would be taken for all that came before the log. */
	partition_path(p, dir);
	if ((e = producer_file_drop_above(p->shard->env, dir, -1)))
		return e;
	p->lacks_producers = true;
	if ((e = log_restart(p->log, offset)))
		return e;
	epoch_cache_truncate_end(&p->epochs, 0);
	producers_clear(&p->producers);
	p->doubts_producers = false;
	move_truncated(p, 0);
	ends_moved(p);
	return ERR_OK;
}

enum err partition_raise_start(struct partition *p, int64_t offset)
{
	enum err e = log_advance_start(p->log, offset);

	if (!e)
		partition_start_moved(p);
	return e;
}

void partition_start_moved(struct partition *p)
{
	if (log_start(p->log) == p->replica.log_start)
		return;
	epoch_cache_truncate_start(&p->epochs, log_start(p->log));
	ends_moved(p);
}

/* ---- questions ------------------------------------------------------------------------------- */

bool partition_is_leader(const struct partition *p)
{
	return p->state == PARTITION_OPEN && p->replica.role == REPLICA_LEADER;
}

enum kerr partition_refusal(const struct partition *p)
{
	if (p->state == PARTITION_OFFLINE)
		return KERR_KAFKA_STORAGE_ERROR;
	return partition_is_leader(p) ? KERR_NONE : KERR_NOT_LEADER_OR_FOLLOWER;
}

int64_t partition_last_stable(const struct partition *p)
{
	return p->replica.high_watermark; /* until there are transactions */
}
