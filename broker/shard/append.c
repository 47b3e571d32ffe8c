/* append.c - the leader's part of a Produce, on the shard that owns the partition.
 *
 *   append_call_work -> append_one, per batch:
 *     admit        leadership, and for acks=all: are min.insync.replicas in sync?
 *     validate     common/wire/validate.c: framing, size, CRC, records, timestamps
 *     is_known     idempotent producers: duplicate, out of order, fenced, behind a refused one
 *     write_batch  stamp base offset and leader epoch, log_append, replica_step(APPENDED)
 *     park_or_finish   acks=all below the high watermark parks in wait.c, woken by woken()
 *
 * Nothing is written before all checks have passed, so every error but
 * NOT_ENOUGH_REPLICAS_AFTER_APPEND and a timeout means that the batch is not in the log. */
#include "broker/shard/append.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "broker/shard/dirs.h"
#include "broker/shard/partition.h"
#include "broker/shard/persist.h"
#include "broker/shard/read.h"
#include "broker/shard/refusals.h"
#include "broker/shard/retention.h"
#include "broker/shard/shard.h"
#include "common/base/mark.h"
#include "common/wire/codec.h"

#define OVERTAKEN_MS 60000
#define BRIEFLY_MS 30000

static void append_one(struct append_call *, struct append_op *);
static void refuse(struct append_op *);
static enum kerr admit(const struct append_call *, struct append_op *, const struct partition *);
static bool is_here(const struct append_op *, const struct partition *);
static enum kerr refuse_full(struct append_op *, const struct partition *);
static enum kerr refuse_short(struct append_op *);
static enum kerr explain(struct append_op *, enum kerr, const char *fmt, ...) printf_like(3, 4);
static enum kerr validate(struct append_call *, struct append_op *, struct partition *,
			  struct validate_result *);
static enum kerr know_producers(struct append_op *, struct partition *);
static bool is_known(struct append_op *, struct partition *, const struct producer_append *,
		     int64_t *required);
static enum kerr refuse_overtaking(struct append_op *, const struct partition *,
				   const struct producer_append *);
static enum kerr refuse_disorder(struct append_op *, const struct partition *);
static enum kerr refuse_next(struct append_op *, const struct partition *);
static bool may_be_overtaken(const struct partition *);
static bool has_led_briefly(const struct partition *);
static enum err write_batch(struct partition *, struct validate_result *,
			    const struct producer_append *);
static void park_or_finish(struct append_call *, struct append_op *, struct partition *,
			   int64_t required);
static void woken(struct wait *, enum kerr);
static void op_done(struct append_call *);

/* n_left counts one more than there are ops: the call cannot return while this loop still runs. */
void append_call_work(struct call *call)
{
	struct append_call *c = CONTAINER_OF(call, struct append_call, call);

	c->n_left = c->n + 1;
	for (struct append_op *op = c->ops; op; op = op->next) {
		op->call = c;
		append_one(c, op);
	}
	op_done(c);
}

/* required is the high watermark that makes acks=all done: the offset behind the batch's last. */
static void append_one(struct append_call *c, struct append_op *op)
{
	struct partition *p = partition_find(c->call.to, op->topic_id, op->partition);
	struct validate_result r;
	int64_t required;

	op->base_offset = op->append_time_ms = op->log_start = -1;
	op->leader = op->leader_epoch = -1;
	if (p)
		(void)partition_is_lost(p); /* admit says so */
	op->is_unsure = op->is_long_ago = false;
	op->refused = NULL;
	if ((op->error = admit(c, op, p)) != KERR_NONE ||
	    (op->error = know_producers(op, p)) != KERR_NONE ||
	    (op->error = validate(c, op, p, &r)) != KERR_NONE) {
		refuse(op);
		return;
	}
	struct producer_append by =
		persist_append_of(&r.batch, p->replica.log_end, env_wall_ms(p->shard->env));
	if (!is_known(op, p, &by, &required) && op->error == KERR_NONE) {
		ASSERT(c->acks != -1 || replica_has_enough(&p->replica));
		enum err e = write_batch(p, &r, &by);
		op->base_offset = by.first_offset;
		op->is_unsure = by.id < 0;
		required = by.last_offset + 1;
		if (partition_is_full(p, e)) {
			op->error = e == ERR_NOFILES ? refuse_short(op) : refuse_full(op, p);
		} else if (e) {
			op->error = KERR_KAFKA_STORAGE_ERROR;
			partition_fail(p, e);
		}
	}
	if (op->error != KERR_NONE) {
		refuse(op);
		return;
	}
	refusals_over(p->shard, partition_key(p->topic_id, p->number), op->records);
	op->append_time_ms =
		p->conf.timestamp_type == TOPIC_LOG_APPEND_TIME ? r.batch.max_timestamp_ms : -1;
	op->log_start = p->replica.log_start;
	park_or_finish(c, op, p, required);
}

static void refuse(struct append_op *op)
{
	refusals_note(op->call->call.to, partition_key(op->topic_id, op->partition), op->records,
		      op->error);
	op->base_offset = -1;
	op_done(op->call);
}

/* NOT_ENOUGH_REPLICAS comes before anything is written, as in Kafka; acks 0 and 1 do not ask.  What
 * was written before waits: were it refused, a client would believe that it is not here, and one
 * that then begins a new producer epoch would write it twice. */
static enum kerr admit(const struct append_call *c, struct append_op *op, const struct partition *p)
{
	bool is_short, is_full;
	enum kerr e;

	if (!p || p->state == PARTITION_OPENING)
		return KERR_NOT_LEADER_OR_FOLLOWER;
	op->leader = p->replica.leader;
	op->leader_epoch = p->replica.leader_epoch;
	if ((e = partition_refusal(p)) != KERR_NONE)
		return e;
	is_short = c->acks == -1 && !replica_has_enough(&p->replica);
	is_full = atomic_load(&p->shard->broker->dirs->v[p->dir].is_full);
	if ((is_short || is_full) && is_here(op, p)) {
		MARK(retry_admitted_below_min_isr);
		return KERR_NONE;
	}
	if (is_short) {
		MARK(produce_refused_below_min_isr);
		return explain(op, KERR_NOT_ENOUGH_REPLICAS,
			       "%d of %d replicas are in sync, min.insync.replicas asks for %d; "
			       "nothing was written",
			       replica_isr_count(&p->replica), p->replica.n_peers,
			       replica_min_isr(&p->replica));
	}
	if (is_full) {
		MARK(produce_refused_by_a_full_disk);
		return refuse_full(op, p);
	}
	return KERR_NONE;
}

/* By its header: the rest is checked before anybody relies on it.  Producers in doubt may have been
 * cut off. */
static bool is_here(const struct append_op *op, const struct partition *p)
{
	struct producer_append by;
	struct producer_batch was;
	enum producer_verdict v;
	struct batch b;

	if (batch_view(&b, (const uint8_t *)op->records.at, (int64_t)op->records.n) != BATCH_OK ||
	    b.producer_id < 0 || p->doubts_producers)
		return false;
	by = persist_append_of(&b, p->replica.log_end, 0);
	v = producers_check(&p->producers, &by, &was);
	return v == PRODUCER_DUPLICATE || v == PRODUCER_LONG_AGO;
}

static enum kerr refuse_full(struct append_op *op, const struct partition *p)
{
	const struct dir *dir = &p->shard->broker->dirs->v[p->dir];

	return explain(op, KERR_KAFKA_STORAGE_ERROR,
		       "%s has %lld bytes left: delete topics or records, or add room", dir->path,
		       (long long)atomic_load(&dir->free_bytes));
}

static enum kerr know_producers(struct append_op *op, struct partition *p)
{
	enum err e = partition_know_producers(p);

	if (e == ERR_OK)
		return KERR_NONE;
	if (e == ERR_NOFILES)
		return refuse_short(op);
	partition_fail(p, e);
	return KERR_KAFKA_STORAGE_ERROR;
}

static enum kerr refuse_short(struct append_op *op)
{
	return explain(op, KERR_KAFKA_STORAGE_ERROR,
		       "the broker is out of file descriptors: raise LimitNOFILE, or have fewer "
		       "clients or partitions; nothing was written");
}

/* Why, in words, with the numbers: for the reply's error_message. */
static enum kerr explain(struct append_op *op, enum kerr e, const char *fmt, ...)
{
	va_list ap;

	op->refused = mem_alloc(sizeof(*op->refused));
	op->refused->kerr = e;
	va_start(ap, fmt);
	vsnprintf(op->refused->text, sizeof(op->refused->text), fmt, ap);
	va_end(ap);
	return e;
}

/* A batch larger than a segment is refused here: log_append could not place it. */
static enum kerr validate(struct append_call *c, struct append_op *op, struct partition *p,
			  struct validate_result *r)
{
	struct validate_rules rules = {
		.is_compacted = p->conf.is_compacted,
		.log_append_time = p->conf.timestamp_type == TOPIC_LOG_APPEND_TIME,
		.zstd_allowed = c->zstd_allowed,
		.codec =
			(int8_t)(p->conf.compression - TOPIC_UNCOMPRESSED), /* -1: the producer's */
		.codec_level = CODEC_LEVEL_DEFAULT,
		.message_bytes_max = p->conf.max_message_bytes,
		.before_max_ms = p->conf.timestamp_before_max_ms,
		.after_max_ms = p->conf.timestamp_after_max_ms,
	};

	validate_batch(c->call.to->validator, &rules, op->records, env_wall_ms(c->call.to->env), r);
	if (r->kerr == KERR_NONE && r->batch.attributes & BATCH_TRANSACTIONAL)
		return KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (r->kerr == KERR_NONE && r->batch.size > p->conf.segment_bytes)
		return KERR_RECORD_LIST_TOO_LARGE;
	if (r->kerr != KERR_NONE) {
		op->refused = mem_alloc(sizeof(*r));
		*op->refused = *r;
	}
	return r->kerr;
}

/* A batch that an idempotent producer sent before is answered with its first outcome; acks=all
 * still waits for it. */
static bool is_known(struct append_op *op, struct partition *p, const struct producer_append *by,
		     int64_t *required)
{
	struct producer_batch was;

	if (by->id < 0)
		return false;
	switch (producers_check(&p->producers, by, &was)) {
	case PRODUCER_OK: op->error = refuse_overtaking(op, p, by); return false;
	case PRODUCER_DUPLICATE:
		op->base_offset = was.last_offset - was.offset_delta;
		*required = was.last_offset + 1;
		return true;
	case PRODUCER_LONG_AGO:
		op->is_long_ago = true;
		*required = was.last_offset - was.offset_delta;
		return true;
	case PRODUCER_OUT_OF_ORDER: op->error = refuse_disorder(op, p); return false;
	case PRODUCER_FENCED_EPOCH: op->error = KERR_INVALID_PRODUCER_EPOCH; return false;
	case PRODUCER_TXN_OPEN: op->error = KERR_INVALID_TXN_STATE; return false;
	}
	UNREACHABLE();
}

/* The first batch that is to be written of a producer decides where its sequence begins. */
static enum kerr refuse_overtaking(struct append_op *op, const struct partition *p,
				   const struct producer_append *by)
{
	enum kerr e;

	if (producers_find(&p->producers, by->id))
		return KERR_NONE;
	if ((e = refuse_next(op, p)) != KERR_NONE)
		return e;
	/* Whose records were deleted is known all the same.  A producer that is not known was
	 * silent for a day, or longer than we are a replica: it can wait for half a minute. */
	if (by->first_seq > 0 && (may_be_overtaken(p) || has_led_briefly(p)))
		return refuse_disorder(op, p);
	return KERR_NONE;
}

static enum kerr refuse_next(struct append_op *op, const struct partition *p)
{
	enum kerr e = op->before;

	if (e == KERR_NONE)
		e = refusals_before(p->shard, partition_key(p->topic_id, p->number), op->records);
	if (e == KERR_NONE)
		return e;
	MARK(batch_behind_a_refused_one);
	return explain(op, e,
		       "a batch before it was refused, and has not come again; nothing was "
		       "written");
}

/* What a leader in controlled shutdown passes on to us, or what waits at one that has not heard of
 * us, may be overtaken by what its clients send here themselves.  OUT_OF_ORDER would tell that as
 * a loss: librdkafka begins a new epoch for all its partitions and writes again what it cannot
 * know to be written.  So the client shall rather ask again. */
static enum kerr refuse_disorder(struct append_op *op, const struct partition *p)
{
	enum kerr e = refuse_next(op, p);

	if (e != KERR_NONE)
		return e;
	if (may_be_overtaken(p))
		MARK(batch_overtook_a_relay);
	else if (has_led_briefly(p))
		MARK(batch_overtook_its_leader);
	else
		return KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
	return explain(op, KERR_LEADER_NOT_AVAILABLE,
		       "the batches before it may still come from the leader of before; nothing "
		       "was written");
}

/* It passes on what comes until it ends, a little after the controller has let it go. */
static bool may_be_overtaken(const struct partition *p)
{
	const struct image *im = p->shard->image;
	bool is_new = env_mono_ms(p->shard->env) - p->led_since_ms < OVERTAKEN_MS;

	for (int32_t i = 0; i < p->replica.n_peers; i++) {
		const struct image_broker *b = image_broker(im, p->replica.peers[i].id);

		if (b && b->id != p->replica.self && b->in_controlled_shutdown &&
		    (!b->is_fenced || is_new))
			return true;
	}
	return false;
}

/* The Java client goes on here while what it sent before waits at the leader of before (30 s, its
 * request.timeout.ms). */
static bool has_led_briefly(const struct partition *p)
{
	return p->replica.leader_epoch > 0 &&
	       env_mono_ms(p->shard->env) - p->led_since_ms < BRIEFLY_MS;
}

/* The 12 bytes that a leader sets lie outside the CRC, so the frame stays as it came and only the
 * header is copied. */
static enum err write_batch(struct partition *p, struct validate_result *r,
			    const struct producer_append *by)
{
	uint8_t header[BATCH_HEADER_BYTES];
	struct log_batch b = { header, r->body, r->batch };
	struct log_appended done;
	enum err e;

	batch_stamp(header, r->header, p->replica.log_end, p->replica.leader_epoch);
	b.view.base_offset = p->replica.log_end;
	b.view.leader_epoch = p->replica.leader_epoch;
	if ((e = log_append(p->log, &b, 1, env_wall_ms(p->shard->env), &done)))
		return e;
	if (done.rolled)
		persist_producers(p, done.roll_offset);
	if (by->id >= 0)
		producers_note(&p->producers, by);
	partition_step(p, &(struct replica_event){ .kind = REPLICA_EV_APPENDED,
						   .now_ms = env_mono_ms(p->shard->env),
						   .appended = { log_end(p->log), -1, -1 } });
	read_wake(p, READ_MOVED);
	persist_epochs(p); /* with the first record; see is_saved */
	retention_flush_due(p);
	return ERR_OK;
}

static void park_or_finish(struct append_call *c, struct append_op *op, struct partition *p,
			   int64_t required)
{
	if (c->acks != -1 || p->replica.high_watermark >= required) {
		if (c->acks == -1 && !replica_kept_enough(&p->replica))
			op->error = KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
		else if (op->is_long_ago)
			op->error = KERR_DUPLICATE_SEQUENCE_NUMBER;
		op_done(c);
		return;
	}
	op->wait.done = woken;
	wait_park(&op->wait, p, required, c->timeout_ms);
}

/* The wait is off its list; error NONE means that the high watermark has passed `required`. */
static void woken(struct wait *w, enum kerr e)
{
	struct append_op *op = CONTAINER_OF(w, struct append_op, wait);

	op->error = e == KERR_NONE && op->is_long_ago ? KERR_DUPLICATE_SEQUENCE_NUMBER : e;
	if (e != KERR_NONE) {
		op->leader = w->partition->replica.leader;
		op->leader_epoch = w->partition->replica.leader_epoch;
		op->base_offset = -1;
	}
	op_done(op->call);
}

static void op_done(struct append_call *c)
{
	if (--c->n_left == 0)
		call_return(&c->call);
}

void append_call_add(struct append_call *c, struct append_op *op)
{
	op->next = NULL;
	if (c->last)
		c->last->next = op;
	else
		c->ops = op;
	c->last = op;
	c->n++;
}
