/* ctllink_ask.c - what goes to the controller besides registration: questions of any shard, and ISR
 * proposals.
 *
 * A question waits in `asks` while the link is down and in `asked` for its answer; the answer is
 * packed again and unpacked in the asker's arena, on the asker's thread. */
#include "broker/shard/ctllink_priv.h"
#include "common/base/arena_pb.h"
#include "common/base/log.h"
#include "common/wire/kerr.h"

/* Then a pause before the proposals are made again; the most that go into one request. */
#define ALTER_TIMEOUT_MS 5000
#define ALTER_PAUSE_MS 50
#define ALTER_ITEMS_MAX 2000
#define CAUSE_MAX 256
/* Without a link a question that only looks waits no longer than an election takes. */
#define LOOK_PATIENCE_MS 150
#define RESPONSE_ARENA_MAX ((size_t)64 << 20)

static void ask_arrives(struct call *);
static void ask_wait(struct ctl_call *);
static void ask_send(struct ctl_call *);
static void ask_expired(void *arg);
static void ask_answered(void *arg, enum err, const ProtobufCMessage *);
static void ask_back(struct call *);
static void alter_send(struct ctllink *);
static void alter_answered(void *arg, enum err, const ProtobufCMessage *);
static void alter_over(void *arg);

void ctl_ask_init(struct ctllink *l)
{
	list_init(&l->asks);
	list_init(&l->asked);
	list_init(&l->isr_queue);
	list_init(&l->isr_sent);
	arena_init(&l->arena, RESPONSE_ARENA_MAX);
	timer_init(&l->isr_pause, alter_over, l);
}

char *arena_str_z(struct arena *a, struct str s)
{
	char *at = arena_must(a, s.n + 1);

	memcpy(at, s.at, s.n);
	at[s.n] = '\0';
	return at;
}

void ctl_link_up(struct ctllink *l)
{
	while (!list_empty(&l->asks)) {
		struct ctl_call *c = CONTAINER_OF(l->asks.next, struct ctl_call, node);
		list_remove(&c->node);
		timer_clear(l->env, &c->deadline);
		ask_send(c);
	}
	alter_send(l);
}

/* Only when the connection was closed from this side: otherwise each call has had its answer. */
void ctl_link_lost(struct ctllink *l)
{
	while (!list_empty(&l->asked)) {
		struct ctl_call *c = CONTAINER_OF(l->asked.next, struct ctl_call, node);
		list_remove(&c->node);
		ask_wait(c);
	}
	if (l->is_altering && !l->isr_pause.set)
		timer_after_ms(l->env, &l->isr_pause, ALTER_PAUSE_MS);
}

/* ---- questions ------------------------------------------------------------------------------- */

void ctllink_ask(struct shard *from, struct ctl_call *c)
{
	c->call = (struct call){
		.from = from, .to = from->broker->shards[0], .work = ask_arrives, .done = ask_back
	};
	c->link = from->broker->shards[0]->link;
	c->code = KERR_NONE;
	c->why[0] = '\0';
	c->message = (struct str){ NULL, 0 };
	c->response = NULL;
	c->reply = NULL;
	list_init(&c->node);
	call_send(&c->call);
}

/* On shard 0.  No link: wait for it as long as the asker would wait for the answer. */
static void ask_arrives(struct call *call)
{
	struct ctl_call *c = CONTAINER_OF(call, struct ctl_call, call);
	struct ctllink *l = c->link;

	if (l->is_stopped) {
		c->code = KERR_NOT_CONTROLLER;
		call_return(call);
		return;
	}
	c->until_us = env_mono_us(l->env) + c->timeout_ms * 1000;
	c->request->has_number = c->request->has_answered_below = !c->is_look;
	c->request->number = ++l->n_asked;
	timer_init(&c->deadline, ask_expired, c);
	if (l->state == CTL_REGISTERED)
		ask_send(c);
	else
		ask_wait(c);
}

static void ask_wait(struct ctl_call *c)
{
	struct ctllink *l = c->link;
	int64_t until_us = c->until_us;

	if (c->is_look)
		until_us = i64_min(until_us, i64_max(env_mono_us(l->env),
						     l->down_us + LOOK_PATIENCE_MS * 1000));
	list_push_back(&l->asks, &c->node);
	l->env->ops->timer_set(l->env, &c->deadline, until_us);
}

static void ask_expired(void *arg)
{
	struct ctl_call *c = arg;

	list_remove(&c->node);
	c->code = KERR_NOT_CONTROLLER;
	memcpy(c->why, c->link->refusal, sizeof(c->why));
	call_return(&c->call);
}

/* Nothing with a lower number will be asked again: the controller may forget its answer. */
static int64_t lowest_open(const struct ctllink *l)
{
	int64_t lowest = l->n_asked;

	LIST_FOR (c, &l->asks, struct ctl_call, node)
		lowest = i64_min(lowest, c->request->number);
	LIST_FOR (c, &l->asked, struct ctl_call, node)
		lowest = i64_min(lowest, c->request->number);
	return lowest;
}

static void ask_send(struct ctl_call *c)
{
	int64_t left_ms = (c->until_us - env_mono_us(c->link->env)) / 1000;

	list_push_back(&c->link->asked, &c->node);
	c->request->answered_below = lowest_open(c->link);
	rpc_call(c->link->rpc, &c->request->base, i64_max(left_ms, 1), ask_answered, c);
}

static void ask_answered(void *arg, enum err e, const ProtobufCMessage *m)
{
	struct ctl_call *c = arg;

	const Weir__Response *r = (const Weir__Response *)(const void *)m;

	list_remove(&c->node);
	/* The controller is gone, or is not the active one any more: the next one is asked. */
	if (!c->link->is_stopped &&
	    (e == ERR_CLOSED || (!e && r->status->code == KERR_NOT_CONTROLLER))) {
		ask_wait(c);
		return;
	}
	if (e) {
		c->code = e == ERR_TIMEOUT ? KERR_REQUEST_TIMED_OUT : KERR_NETWORK_EXCEPTION;
	} else {
		size_t n = protobuf_c_message_get_packed_size(m);
		c->reply = buf_new(c->link->env->bufs, n);
		c->reply->len = (uint32_t)protobuf_c_message_pack(m, c->reply->at);
	}
	call_return(&c->call);
}

static void fail_all(struct list *asks)
{
	while (!list_empty(asks)) {
		struct ctl_call *c = CONTAINER_OF(asks->next, struct ctl_call, node);
		list_remove(&c->node);
		c->code = KERR_NETWORK_EXCEPTION;
		call_return(&c->call);
	}
}

/* Nobody may be left waiting: the askers' requests end with an error. */
void ctl_ask_stop(struct ctllink *l)
{
	LIST_FOR (c, &l->asks, struct ctl_call, node)
		timer_clear(l->env, &c->deadline);
	timer_clear(l->env, &l->isr_pause);
	fail_all(&l->asks);
	fail_all(&l->asked);
}

/* On the asker's shard: unpacked into its own arena, so that nothing of shard 0's is shared. */
static void ask_back(struct call *call)
{
	struct ctl_call *c = CONTAINER_OF(call, struct ctl_call, call);

	if (c->reply) {
		c->response = ctl_unpack(&weir__response__descriptor, c->arena, c->reply->at,
					 c->reply->len);
		c->code = c->response ? c->response->status->code : KERR_UNKNOWN_SERVER_ERROR;
		if (c->response && c->response->status->message)
			c->message = str_of(c->response->status->message);
	} else if (c->why[0]) {
		c->message = arena_str(c->arena, str_of(c->why));
	} else {
		c->message = c->code == KERR_NOT_CONTROLLER
				     ? STR("this broker has no connection to the controller")
				     : STR("the controller did not answer in time");
	}
	struct buf *reply = c->reply;
	c->done(c);
	buf_put(reply);
}

void *ctl_unpack(const ProtobufCMessageDescriptor *d, struct arena *a, const uint8_t *at, size_t n)
{
	ProtobufCAllocator from = arena_pb(a);

	return protobuf_c_message_unpack(d, &from, n, at);
}

/* ---- ISR proposals: one AlterPartition in flight, with all that wait ------------------------- */

void ctllink_alter(struct ctllink *l, struct isr_item *item)
{
	list_push_back(&l->isr_queue, &item->node);
	alter_send(l);
}

/* The broker epochs are those the followers last fetched with: the controller refuses a member that
 * has restarted since (KIP-903). */
static void fill_item(struct arena *a, Weir__AlterPartitionItem *to, struct isr_item *from)
{
	weir__alter_partition_item__init(to);
	to->topic_id = (ProtobufCBinaryData){ 16, from->topic_id.b };
	to->partition = from->number;
	to->leader_epoch = from->leader_epoch;
	to->partition_epoch = from->partition_epoch;
	to->has_recovery = true;
	to->recovery = WEIR__RECOVERY_STATE__RECOVERED;
	to->cause = arena_must(a, CAUSE_MAX);
	isr_causes_text(&from->why, to->cause, CAUSE_MAX);
	to->isr = arena_must(a, sizeof(*to->isr) * (size_t)from->n);
	for (int32_t i = 0; i < from->n; i++) {
		Weir__IsrMember *m = to->isr[to->n_isr++] = arena_must(a, sizeof(*m));
		weir__isr_member__init(m);
		m->id = from->id[i];
		m->has_broker_epoch = true;
		m->broker_epoch = from->broker_epoch[i];
	}
}

/* One in flight: answers could otherwise overtake each other and an old ISR win. */
static void alter_send(struct ctllink *l)
{
	Weir__AlterPartition in = WEIR__ALTER_PARTITION__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	struct isr_item *item;

	if (l->is_altering || l->state != CTL_REGISTERED || list_empty(&l->isr_queue))
		return;
	in.broker = l->broker->conf->node_id;
	in.broker_epoch = l->broker_epoch;
	in.items = arena_must(&l->arena, sizeof(*in.items) * ALTER_ITEMS_MAX);
	while ((item = LIST_FIRST(&l->isr_queue, struct isr_item, node)) &&
	       in.n_items < ALTER_ITEMS_MAX) {
		list_remove(&item->node);
		list_push_back(&l->isr_sent, &item->node);
		item->code = KERR_NETWORK_EXCEPTION;
		in.items[in.n_items] = arena_must(&l->arena, sizeof(**in.items));
		fill_item(&l->arena, in.items[in.n_items++], item);
	}
	request.body_case = WEIR__REQUEST__BODY_ALTER_PARTITION;
	request.alter_partition = &in;
	l->is_altering = true;
	rpc_call(l->rpc, &request.base, ALTER_TIMEOUT_MS, alter_answered, l);
	arena_reset(&l->arena);
}

static void take_result(struct ctllink *l, const Weir__AlterPartitionResult *r)
{
	LIST_FOR (item, &l->isr_sent, struct isr_item, node) {
		if (r->topic_id.len != 16 || memcmp(r->topic_id.data, item->topic_id.b, 16) != 0 ||
		    r->partition != item->number)
			continue;
		item->code = r->code;
		item->answer_partition_epoch = r->partition_epoch;
		item->n_answer = i32_min((int32_t)r->n_isr, REPLICAS_MAX);
		for (int32_t i = 0; i < item->n_answer; i++)
			item->answer_id[i] = r->isr[i];
		return;
	}
}

static void alter_answered(void *arg, enum err e, const ProtobufCMessage *m)
{
	struct ctllink *l = arg;
	const Weir__Response *r = (const Weir__Response *)(const void *)m;

	if (e || r->status->code != KERR_NONE ||
	    r->body_case != WEIR__RESPONSE__BODY_ALTERED_PARTITIONS) {
		/* Nobody knows whether it took effect: the leaders propose again, after a pause. */
		timer_after_ms(l->env, &l->isr_pause, ALTER_PAUSE_MS);
		return;
	}
	for (size_t i = 0; i < r->altered_partitions->n_items; i++)
		take_result(l, r->altered_partitions->items[i]);
	alter_over(l);
}

static void alter_over(void *arg)
{
	struct ctllink *l = arg;

	while (!list_empty(&l->isr_sent)) {
		struct isr_item *item = CONTAINER_OF(l->isr_sent.next, struct isr_item, node);
		list_remove(&item->node);
		isr_answer(item);
	}
	l->is_altering = false;
	alter_send(l);
}
