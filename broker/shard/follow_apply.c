/* Appends what the leader sent byte for byte, or cuts the log where the leader says it diverges.
 *
 * Order matters (KAFKA-14704): a diverging answer is worked before anything of it is believed, its
 * high watermark least of all.  Only batches of an epoch at or below the one we fetched in are
 * taken (KAFKA-18723): the caller drops answers to requests of an earlier epoch. */
#include "broker/shard/follow_apply.h"

#include <stdatomic.h>

#include "broker/shard/dirs.h"
#include "broker/shard/persist.h"
#include "broker/shard/retention.h"
#include "broker/shard/shard.h"
#include "common/base/log.h"
#include "common/base/mark.h"

#define BATCHES_PER_APPEND 64

struct piece { /* batches to be written by one writev */
	struct log_batch v[BATCHES_PER_APPEND];
	int n;
	int64_t next; /* offset after the last of them */
};

static bool is_throttled(const struct partition *, int64_t bytes);
static enum follow_verdict refused(struct partition *, int16_t code);
static enum follow_verdict cut(struct partition *, struct epoch_entry leader_end);
static enum err append_all(struct partition *, const uint8_t *at, int64_t n, bool *is_refused);
static bool take_batch(struct partition *, struct piece *, const struct batch *);
static enum err write_piece(struct partition *, struct piece *);

/* Errors first, then divergence, then records; the leader's marks are believed only at the end. */
enum follow_verdict follow_apply(struct partition *p, const struct fetch_response_partition *r)
{
	bool is_refused = false;
	enum err e;

	if (partition_is_lost(p))
		return FOLLOW_DEAD;
	if (r->error_code != KERR_NONE)
		return refused(p, r->error_code);
	if (r->diverging_epoch.end_offset >= 0 || r->diverging_epoch.epoch >= 0)
		return cut(p, (struct epoch_entry){ r->diverging_epoch.epoch,
						    r->diverging_epoch.end_offset });
	if (r->records.n > 0 && atomic_load(&p->shard->broker->dirs->v[p->dir].is_full))
		return FOLLOW_REST; /* falls out of the ISR by its lag, and keeps its log whole */
	e = r->records.n > 0 ? append_all(p, r->records.at, r->records.n, &is_refused) : ERR_OK;
	if (partition_is_full(p, e)) {
		is_refused = true; /* what came before the end of the disk counts */
	} else if (e) {
		partition_fail(p, e);
		return FOLLOW_DEAD;
	}
	partition_step(p, &(struct replica_event){ .kind = REPLICA_EV_APPENDED,
						   .now_ms = env_mono_ms(p->shard->env),
						   .appended = { log_end(p->log), r->high_watermark,
								 r->log_start_offset } });
	if (p->state != PARTITION_OPEN)
		return FOLLOW_DEAD;
	if (is_refused)
		return FOLLOW_REST;
	return is_throttled(p, r->records.n) ? FOLLOW_WAIT : FOLLOW_GO_ON;
}

/* Counted when it has come; the next piece waits. */
static bool is_throttled(const struct partition *p, int64_t bytes)
{
	struct throttle *t = &p->shard->broker->follower_throttle;
	int64_t rate = p->shard->dynamic.follower_throttle, now_us = env_mono_us(p->shard->env);

	if (rate == THROTTLE_NONE || !partition_throttles(p, p->replica.self))
		return false;
	throttle_take(t, rate, now_us, bytes);
	return throttle_wait_us(t, rate, now_us) > 0;
}

static enum follow_verdict refused(struct partition *p, int16_t code)
{
	if (code == KERR_OFFSET_OUT_OF_RANGE)
		return FOLLOW_ASK_RANGE;
	if (code == KERR_FENCED_LEADER_EPOCH) {
		MARK(follower_fenced);
		log_warn("follow", "fenced by the leader, waiting for metadata",
			 F_Z("partition", p->dir_name),
			 F_I64("leader_epoch", p->replica.leader_epoch),
			 F_I64("leader", p->replica.leader));
		return FOLLOW_GIVE_UP;
	}
	return FOLLOW_REST;
}

/* Cutting below the high watermark is possible only after an unclean election: it
 * is said loudly. */
static enum follow_verdict cut(struct partition *p, struct epoch_entry leader_end)
{
	int64_t end = log_end(p->log);
	int64_t to = epoch_cache_truncation_point(&p->epochs, leader_end, p->replica.high_watermark,
						  end);
	enum err e;

	if (to < p->replica.high_watermark)
		log_warn("follow", "truncating below the high watermark",
			 F_Z("partition", p->dir_name),
			 F_I64("high_watermark", p->replica.high_watermark), F_I64("to", to));
	log_info("follow", "truncate", F_Z("partition", p->dir_name), F_I64("from", end),
		 F_I64("to", to), F_I64("leader", p->replica.leader),
		 F_I64("leader_epoch", p->replica.leader_epoch),
		 F_I64("diverging_epoch", leader_end.epoch),
		 F_I64("diverging_end", leader_end.start_offset));
	if (to >= end && epoch_cache_latest(&p->epochs) <= leader_end.epoch)
		return FOLLOW_REST; /* nothing to cut: the leader will see it differently soon */
	MARK(follower_truncates);
	e = partition_truncate(p, to);
	if (log_end(p->log) == end && partition_is_full(p, e))
		return FOLLOW_REST; /* not one byte was left to write down that it will be cut */
	if (e) {
		partition_fail(p, e);
		return FOLLOW_DEAD;
	}
	return FOLLOW_GO_ON;
}

/* A partial batch at the end is cut off by the leader's byte limit: it comes again. */
static enum err append_all(struct partition *p, const uint8_t *at, int64_t n, bool *is_refused)
{
	struct piece piece = { .next = log_end(p->log) };
	const uint8_t *end = at + n;
	enum err e;

	while (at < end) {
		struct batch b;
		if (batch_view(&b, at, end - at) != BATCH_OK || b.size > end - at)
			break;
		at += b.size;
		if (batch_last_offset(&b) < piece.next && log_start(p->log) < log_end(p->log))
			continue; /* an answer that overlaps an earlier one */
		if (!take_batch(p, &piece, &b)) {
			*is_refused = true;
			break;
		}
		if (piece.n == BATCHES_PER_APPEND && (e = write_piece(p, &piece)))
			return e;
	}
	return write_piece(p, &piece);
}

/* Everything is checked as if the leader were a stranger: epoch, CRC, continuity. */
static bool take_batch(struct partition *p, struct piece *piece, const struct batch *b)
{
	if (b->leader_epoch > p->replica.leader_epoch || !batch_crc_ok(b)) {
		log_warn("follow", "a batch from the leader is not acceptable",
			 F_Z("partition", p->dir_name), F_I64("base_offset", b->base_offset),
			 F_I64("batch_epoch", b->leader_epoch),
			 F_I64("leader_epoch", p->replica.leader_epoch));
		return false;
	}
	if (b->base_offset != piece->next) {
		/* An empty log whose start lies inside the leader's first batch begins at that
		 * batch. */
		bool straddles = piece->n == 0 && log_start(p->log) == log_end(p->log) &&
				 b->base_offset < piece->next &&
				 batch_last_offset(b) >= piece->next;
		if (!straddles || partition_restart(p, b->base_offset)) {
			MARK(gap_in_what_the_leader_sent);
			log_warn("follow", "a batch from the leader does not continue the log",
				 F_Z("partition", p->dir_name),
				 F_I64("base_offset", b->base_offset),
				 F_I64("log_end", piece->next));
			return false;
		}
	}
	piece->v[piece->n++] = (struct log_batch){ b->at, b->at + BATCH_HEADER_BYTES, *b };
	piece->next = batch_last_offset(b) + 1;
	return true;
}

/* The order is that of the leader's append: log, epochs, producers; marks follow when all is
 * written. */
static enum err write_piece(struct partition *p, struct piece *piece)
{
	struct log_appended done;
	enum err e;

	if (piece->n == 0)
		return ERR_OK;
	if ((e = partition_know_producers(p)))
		return e;
	e = log_append(p->log, piece->v, piece->n, env_wall_ms(p->shard->env), &done);
	if (e)
		return e;
	for (int i = 0; i < piece->n; i++) {
		const struct batch *b = &piece->v[i].view;
		if (done.rolled && b->base_offset == done.roll_offset)
			persist_producers(p, done.roll_offset);
		epoch_cache_assign(&p->epochs, b->leader_epoch, b->base_offset);
		persist_note(&p->producers, b, env_wall_ms(p->shard->env));
	}
	persist_epochs(p);
	retention_flush_due(p);
	piece->n = 0;
	return ERR_OK;
}

/* Ahead of the leader: cut to its end.  Behind its start: nothing we hold is of use any more.
 * Otherwise the leader's log moved between the two questions: ask again. */
enum follow_verdict follow_fit_range(struct partition *p, int64_t leader_start, int64_t leader_end)
{
	int64_t end = log_end(p->log);
	enum err e = ERR_OK;

	if (leader_end < end) {
		log_warn("follow", "ahead of the leader: truncate", F_Z("partition", p->dir_name),
			 F_I64("from", end), F_I64("to", leader_end),
			 F_I64("high_watermark", p->replica.high_watermark));
		e = partition_truncate(p, leader_end);
	} else if (leader_start > end) {
		log_warn("follow", "behind the leader's log start: begin again there",
			 F_Z("partition", p->dir_name), F_I64("log_end", end),
			 F_I64("leader_start", leader_start));
		MARK(follower_begins_at_the_leaders_start);
		e = partition_restart(p, leader_start);
	}
	if (!e)
		return FOLLOW_GO_ON;
	if (e == ERR_NOFILES && log_end(p->log) == end)
		return FOLLOW_REST; /* nothing was changed */
	partition_fail(p, e);
	return FOLLOW_DEAD;
}
