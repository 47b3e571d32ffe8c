/* check.c - what must be true of replicas after every event, and of what clients are told (the
 * numbers are those of rules.c).  Compared are the replicas of the machine that just ran, the last
 * look at each, and the truth of cluster.h. */
#include "tests/sim/check.h"

#include <stdarg.h>
#include <stdio.h>

#define DETAIL_BYTES 300

static void check_replica(struct cluster *, int broker, struct sim_topic *, int partition);
static void check_absence(struct spot *);
static bool is_as_before(const struct spot *);
static void check_marks(struct spot *);
static void check_leader(struct spot *);
static void check_follower(struct spot *);
static void check_advance(const struct spot *);
static void remember(struct spot *);
static void check_told(struct sim_topic *, int partition, struct promise);
static void check_promise(const struct sim_topic *, int partition, struct promise);

void spot_broken(const struct spot *s, int rule, const char *fmt, ...)
{
	char detail[DETAIL_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	rule_broken(rule, "%s-%d on broker %d in epoch %d: %s", s->topic->name, s->number,
		    s->broker + 1, s->p ? s->p->replica.leader_epoch : -1, detail);
}

static struct spot spot_of(struct cluster *c, int broker, struct sim_topic *t, int number)
{
	struct truth *truth = &t->truth[number];

	return (struct spot){
		c,
		broker,
		t,
		number,
		truth,
		&truth->views[broker],
		cluster_replica(c, broker, t, number),
	};
}

bool spot_at(struct spot *s, struct cluster *c, int broker, struct sim_topic *t, int number)
{
	*s = spot_of(c, broker, t, number);
	return s->p && !log_failed(s->p->log);
}

bool spot_is_registered(const struct spot *s)
{
	const struct image_broker *known =
		s->c->decided ? image_broker(s->c->decided, s->broker + 1) : NULL;
	const struct boot *boot = s->c->broker[s->broker]->broker;

	return known && boot && !known->is_fenced &&
	       uuid_eq(known->incarnation, boot->broker.incarnation);
}

void check_machine(struct cluster *c, const struct machine *m)
{
	for (int i = 0; i < c->n_controllers; i++)
		if (c->controllers[i]->machine == m && c->controllers[i]->controller)
			check_controller(c, i);
	for (int b = 0; b < c->n_brokers; b++) {
		if (c->broker[b]->machine != m || !c->broker[b]->broker)
			continue;
		check_known(c, b);
		for (int t = 0; t < c->n_topics; t++)
			for (int i = 0; i < c->topic[t].n_partitions; i++)
				check_replica(c, b, &c->topic[t], i);
	}
}

static void check_replica(struct cluster *c, int broker, struct sim_topic *t, int number)
{
	struct spot s;

	if (!spot_at(&s, c, broker, t, number)) {
		check_absence(&s);
		return;
	}
	if (!s.view->is_known || s.view->life != c->broker[broker]->machine->life)
		check_reopened(&s);
	s.view->durable = log_recovery_point(s.p->log);
	check_index(&s, false);
	if (is_as_before(&s))
		return;
	check_marks(&s);
	check_log(&s);
	if (s.p->replica.role == REPLICA_LEADER)
		check_leader(&s);
	else
		check_follower(&s);
	check_committed(&s);
	remember(&s);
}

/* 27: a replica that was open in this life goes with its topic, or to another broker. */
static void check_absence(struct spot *s)
{
	const struct boot *boot = s->c->broker[s->broker]->broker;
	const struct image_topic *topic;
	const struct image_partition *p;
	const struct shard *shard;
	bool is_assigned;
	struct view *v = s->view;

	shard = broker_shard(&boot->broker, s->topic->id, s->number);
	if (!v->is_known || !shard->image)
		return;
	topic = image_topic_by_id(shard->image, s->topic->id);
	p = topic ? image_partition(topic, s->number) : NULL;
	is_assigned = p && image_ids_has(&p->replicas, s->broker + 1);
	s->p = partition_find(shard, s->topic->id, s->number);
	/* Of an earlier life: it is opened again, unless it was moved away meanwhile. */
	if (v->life != s->c->broker[s->broker]->machine->life && is_assigned)
		return;
	if (s->p && s->p->state != PARTITION_OPENING) {
		v->is_harmed = true;
		return;
	}
	/* Opening once more: it was moved away and has been called back. */
	if (!s->p && is_assigned)
		spot_broken(s, 27, "the replica is gone, the topic is not");
	v->is_known = false;
	v->n_batches = 0;
}

void check_expect_rot(struct cluster *c, int broker)
{
	for (int t = 0; t < c->n_topics; t++)
		for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
			c->topic[t].truth[i].views[broker].is_rotten = true;
}

static uint32_t ids_of(const struct replica *r, uint32_t mask)
{
	int32_t ids[REPLICAS_MAX], n = replica_ids_of(r, mask, ids);
	uint32_t all = 0;

	for (int32_t i = 0; i < n; i++)
		all |= 1u << ids[i];
	return all;
}

static bool is_as_before(const struct spot *s)
{
	const struct replica *r = &s->p->replica;
	const struct view *v = s->view;

	return v->log_end == r->log_end && v->high_watermark == r->high_watermark &&
	       v->log_start == r->log_start && v->leader_epoch == r->leader_epoch &&
	       v->partition_epoch == r->partition_epoch &&
	       v->is_leader == (r->role == REPLICA_LEADER) && v->is_pending == r->is_pending &&
	       v->n_isr == replica_isr_count(r) && v->min_isr == replica_min_isr(r);
}

static void remember(struct spot *s)
{
	const struct replica *r = &s->p->replica;
	struct view *v = s->view;

	v->is_leader = r->role == REPLICA_LEADER;
	v->is_pending = r->is_pending;
	v->leader_epoch = r->leader_epoch;
	v->partition_epoch = r->partition_epoch;
	v->log_start = r->log_start;
	v->high_watermark = r->high_watermark;
	v->log_end = r->log_end;
	v->isr = ids_of(r, r->isr);
	v->maximal = ids_of(r, replica_maximal_isr(r));
	v->n_isr = replica_isr_count(r);
	v->min_isr = replica_min_isr(r);
}

/* ---- one replica by itself ------------------------------------------------------------------ */

static void check_marks(struct spot *s)
{
	const struct replica *r = &s->p->replica;
	struct view *v = s->view;

	replica_check(r);
	epoch_cache_check(&s->p->epochs);
	if (r->log_end != log_end(s->p->log) || r->log_start > r->high_watermark ||
	    r->high_watermark > r->log_end) /* 2 */
		spot_broken(s, 2, "start %lld, high watermark %lld, end %lld, log %lld",
			    (long long)r->log_start, (long long)r->high_watermark,
			    (long long)r->log_end, (long long)log_end(s->p->log));
	/* 11; whoever begins at a start inside a batch goes back to that batch: what it cuts is
	 * deleted everywhere */
	if (r->log_end < v->verified && v->verified > s->truth->log_start && !s->topic->is_unclean)
		spot_broken(s, 11, "cut from %lld to %lld, committed there is %lld",
			    (long long)v->log_end, (long long)r->log_end, (long long)v->verified);
	if (r->log_end < v->log_end)
		check_candidates(s->c, s->topic, s->number);
}

/* ---- leaders -------------------------------------------------------------------------------- */

static void check_leader(struct spot *s)
{
	const struct replica *r = &s->p->replica;
	const struct view *v = s->view;
	struct truth *truth = s->truth;
	int8_t *leader = &truth->leader_of[r->leader_epoch % SIM_EPOCHS_MAX];
	int64_t committed = truth->high_watermark;

	if (*leader >= 0 && *leader != s->broker)
		spot_broken(s, 9, "broker %d leads in that epoch too", *leader + 1);
	*leader = (int8_t)s->broker;
	if (epoch_cache_latest(&s->p->epochs) != r->leader_epoch)
		spot_broken(s, 10, "the leader's newest epoch is %d",
			    epoch_cache_latest(&s->p->epochs));
	if (v->is_leader && v->leader_epoch == r->leader_epoch &&
	    r->high_watermark < v->high_watermark)
		spot_broken(s, 1, "the high watermark went from %lld back to %lld",
			    (long long)v->high_watermark, (long long)r->high_watermark);
	if (r->leader_epoch > truth->newest_epoch) {
		truth->newest_epoch = r->leader_epoch;
		if (s->topic->is_unclean) { /* what this leader has is the truth from now on */
			truth->high_watermark = truth->n = truth->log_start = r->log_start;
			truth->base = i64_min(truth->base, truth->n);
			if (truth->n - truth->base > truth->cap) /* the last one began far below */
				truth->base = truth->n;
			truth->views[s->broker].verified = 0;
		}
	}
	if (r->leader_epoch == truth->newest_epoch && r->log_end < truth->high_watermark)
		spot_broken(s, 6, "the leader's log ends at %lld, committed is %lld",
			    (long long)r->log_end, (long long)truth->high_watermark);
	if (r->leader_epoch == truth->newest_epoch || !s->topic->is_unclean) { /* 3 */
		truth->log_start = i64_max(truth->log_start, r->log_start);
		truth->high_watermark = i64_max(truth->high_watermark, r->high_watermark);
	}
	check_leader_knows(s);
	check_advance(s);
	if (truth->high_watermark > committed)
		check_candidates(s->c, s->topic, s->number);
}

/* 16: who was in sync before and after the turn was in sync when it moved the high watermark.  A
 * member counts by what its log has, not by what the leader believes. */
static void check_advance(const struct spot *s)
{
	const struct replica *r = &s->p->replica;
	const struct view *v = s->view;
	uint32_t in_sync = ids_of(r, replica_maximal_isr(r)) & v->maximal;

	if (!v->is_leader || v->leader_epoch != r->leader_epoch ||
	    r->high_watermark <= v->high_watermark || s->topic->is_unclean)
		return;
	if (r->partition_epoch <= v->partition_epoch + 1 &&
	    i32_max(v->n_isr, replica_isr_count(r)) < i32_min(v->min_isr, replica_min_isr(r)))
		spot_broken(s, 16, "the high watermark went to %lld with %d of %d in sync",
			    (long long)r->high_watermark, replica_isr_count(r), replica_min_isr(r));
	for (int b = 0; b < s->c->n_brokers; b++) {
		const struct replica_peer *peer = replica_peer_of(r, b + 1);
		struct spot other;

		if (!(in_sync & 1u << (b + 1)) || b == s->broker || !peer ||
		    !spot_at(&other, s->c, b, s->topic, s->number) || !spot_is_registered(&other) ||
		    peer->alive_epoch != image_broker(s->c->decided, b + 1)->epoch)
			continue;
		if (other.p->replica.log_end < r->high_watermark)
			spot_broken(s, 16, "the high watermark went to %lld, broker %d has %lld",
				    (long long)r->high_watermark, b + 1,
				    (long long)other.p->replica.log_end);
	}
}

/* ---- followers ------------------------------------------------------------------------------ */

static void check_follower(struct spot *s)
{
	const struct replica *r = &s->p->replica;
	struct view *v = s->view;
	struct spot leader;
	int at;

	if (v->leader_epoch != r->leader_epoch || r->log_end < v->log_end)
		v->took_records = false;
	else if (r->log_end > v->log_end)
		v->took_records = true;
	if (!v->took_records || r->leader_epoch < 0)
		return;
	at = s->truth->leader_of[r->leader_epoch % SIM_EPOCHS_MAX];
	if (at < 0 || !spot_at(&leader, s->c, at, s->topic, s->number) ||
	    leader.p->replica.role != REPLICA_LEADER ||
	    leader.p->replica.leader_epoch != r->leader_epoch)
		return;
	if (r->log_end > leader.p->replica.log_end)
		spot_broken(s, 13, "the log ends at %lld, the leader's at %lld",
			    (long long)r->log_end, (long long)leader.p->replica.log_end);
}

/* Pure looks at the other nodes; unclean elections may lose what was committed. */
void check_candidates(struct cluster *c, struct sim_topic *t, int number)
{
	const struct image_topic *topic = c->decided ? image_topic_by_id(c->decided, t->id) : NULL;
	const struct image_partition *p = topic ? image_partition(topic, number) : NULL;
	int64_t committed = t->truth[number].high_watermark;
	bool is_kept = false;

	if (!p || t->is_unclean)
		return;
	for (int32_t i = 0; i < p->replicas.n; i++) {
		int32_t id = p->replicas.v[i];
		struct spot s;

		if (!spot_at(&s, c, id - 1, t, number)) {
			is_kept = true; /* for all we know */
			continue;
		}
		is_kept |= s.p->replica.log_end >= committed;
		if ((image_ids_has(&p->isr, id) || image_ids_has(&p->elr, id)) &&
		    spot_is_registered(&s) && s.p->replica.log_end < committed)
			spot_broken(&s, 7,
				    "it could be elected with its %lld records, committed "
				    "are %lld",
				    (long long)s.p->replica.log_end, (long long)committed);
	}
	if (!is_kept)
		rule_broken(8, "%s-%d: nobody has all of the %lld committed records", t->name,
			    number, (long long)committed);
}

/* ---- clients -------------------------------------------------------------------------------- */

void check_acked(struct cluster *c, struct sim_topic *t, int number, int64_t offset, uint64_t value)
{
	c->n_acked++;
	if (!t->is_unclean)
		check_told(t, number, (struct promise){ value, offset });
}

void check_read(struct cluster *c, struct sim_topic *t, int number, int64_t offset, uint64_t value)
{
	c->n_consumed++;
	if (!t->is_unclean)
		check_told(t, number, (struct promise){ value, offset });
}

/* Names do not say which topic of that name was meant: one of them must have it, or may. */
static void check_told_of_name(const struct sim_topic *t, int number, struct promise p)
{
	for (const struct sim_topic *at = t; at; at = at->past) {
		const struct truth *truth = &at->truth[number];

		if (p.offset >= truth->n || p.offset < truth->base ||
		    truth_at(truth, p.offset)->base_offset == UNSEEN ||
		    truth_at(truth, p.offset)->value == p.value)
			return;
	}
	rule_broken(15,
		    "%s-%d: a client was told %016llx at offset %lld, which no topic of that "
		    "name ever had",
		    t->name, number, (unsigned long long)p.value, (long long)p.offset);
}

/* A leader that tells a client and fails in the same turn is seen by nobody: the others show the
 * record later, at the end at the latest. */
static void check_told(struct sim_topic *t, int number, struct promise p)
{
	struct truth *truth = &t->truth[number];

	if (t->past) {
		check_told_of_name(t, number, p);
		return;
	}
	if (p.offset < truth->n) {
		check_promise(t, number, p);
		return;
	}
	if (truth->n_open == truth->cap_open) {
		truth->cap_open = 2 * truth->cap_open + 16;
		truth->open = mem_grow(truth->open, sizeof(*truth->open) * (size_t)truth->cap_open);
	}
	truth->open[truth->n_open++] = p;
}

/* 14, 15, 16 */
static void check_promise(const struct sim_topic *t, int number, struct promise p)
{
	const struct truth *truth = &t->truth[number];
	bool is_there = p.offset >= truth->base && p.offset < truth->n;

	if (is_there && truth_at(truth, p.offset)->base_offset == UNSEEN)
		return;
	if (!is_there || truth_at(truth, p.offset)->value != p.value)
		rule_broken(15,
			    "%s-%d: a client was told %016llx at offset %lld; committed there is "
			    "%016llx of %lld",
			    t->name, number, (unsigned long long)p.value, (long long)p.offset,
			    is_there ? (unsigned long long)truth_at(truth, p.offset)->value : 0,
			    (long long)truth->n);
}

bool check_committed_already(const struct sim_topic *t, int number, uint64_t value)
{
	const struct truth *truth = &t->truth[number];

	for (int64_t i = truth->n - 1; i >= truth->base; i--)
		if (truth_at(truth, i)->value == value)
			return true;
	return false;
}

bool check_may_be_committed(const struct sim_topic *t, int number, uint64_t value)
{
	const struct truth *truth = &t->truth[number];

	for (int64_t i = truth->n - 1; i >= truth->base; i--)
		if (truth_at(truth, i)->base_offset == UNSEEN)
			return true;
	return check_committed_already(t, number, value);
}

void check_open_promises(const struct sim_topic *t, int number)
{
	for (int64_t i = 0; i < t->truth[number].n_open; i++)
		check_promise(t, number, t->truth[number].open[i]);
}
