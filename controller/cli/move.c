/* move.c - ReassignPartitions, and the configs that throttle replication. */
#include "controller/cli/move.h"
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/link.h"

#include <inttypes.h>

#define LEADER_RATE "leader.replication.throttled.rate"
#define FOLLOWER_RATE "follower.replication.throttled.rate"
#define LEADER_REPLICAS "leader.replication.throttled.replicas"
#define FOLLOWER_REPLICAS "follower.replication.throttled.replicas"

static char *text(struct cli *cli, struct str s)
{
	return (char *)(uintptr_t)cli_z(cli, s);
}

static Weir__BrokerIds *ids(struct cli *cli, const struct image_ids *from)
{
	Weir__BrokerIds *to = arena_must(&cli->mem, sizeof(*to));

	weir__broker_ids__init(to);
	to->id = arena_must(&cli->mem, (size_t)(from->n + 1) * sizeof(*to->id));
	to->n_id = (size_t)from->n;
	for (int32_t i = 0; i < from->n; i++)
		to->id[i] = from->v[i];
	return to;
}

int move_submit(struct cli *cli, const struct plan *plan, bool cancel,
		const Weir__ReassignResults **out)
{
	Weir__ReassignPartitions reassign = WEIR__REASSIGN_PARTITIONS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	reassign.partitions =
		arena_must(&cli->mem, (size_t)(plan->n + 1) * sizeof(*reassign.partitions));
	for (int i = 0; i < plan->n; i++) {
		Weir__ReassignPartition *p = reassign.partitions[reassign.n_partitions++] =
			arena_must(&cli->mem, sizeof(*p));

		weir__reassign_partition__init(p);
		p->topic = text(cli, plan->v[i].topic);
		p->partition = plan->v[i].partition;
		p->replicas = cancel ? NULL : ids(cli, &plan->v[i].replicas);
	}
	reassign.has_timeout_ms = true;
	reassign.timeout_ms = (int32_t)cli->timeout_ms;
	request.body_case = WEIR__REQUEST__BODY_REASSIGN_PARTITIONS;
	request.reassign_partitions = &reassign;
	if ((code = link_call(cli, &request, "reassign partitions", &response)))
		return code;
	if (response->body_case != WEIR__RESPONSE__BODY_REASSIGNMENTS ||
	    response->reassignments->n_partitions != (size_t)plan->n)
		return cli_fail(cli, CLI_FAILED,
				"reassign partitions: the answer is of another kind");
	*out = response->reassignments;
	return CLI_OK;
}

int move_count(const struct image *im, const struct plan *plan)
{
	int n = 0;

	for (int i = 0; i < plan->n; i++) {
		const struct image_topic *t = image_topic_named(im, plan->v[i].topic);
		const struct image_partition *p =
			t ? image_partition(t, plan->v[i].partition) : NULL;

		n += p && p->adding.n + p->removing.n > 0;
	}
	return n;
}

/* ---- throttle ------------------------------------------------------------------------------ */

struct changes {
	struct cli *cli;
	Weir__AlterConfigsResource **v;
	size_t n, cap;
};

static void change(struct changes *c, int32_t type, const char *name, const char *const *keys,
		   const char *const *values)
{
	Weir__AlterConfigsResource *r = arena_must(&c->cli->mem, sizeof(*r));

	ASSERT(c->n < c->cap);
	weir__alter_configs_resource__init(r);
	r->type = type;
	r->name = (char *)(uintptr_t)name;
	r->configs = arena_must(&c->cli->mem, 2 * sizeof(*r->configs));
	for (int i = 0; i < 2; i++) {
		Weir__AlterConfig *one = r->configs[r->n_configs++] =
			arena_must(&c->cli->mem, sizeof(*one));

		weir__alter_config__init(one);
		one->name = (char *)(uintptr_t)keys[i];
		one->op = values ? WEIR__CONFIG_OP__CONFIG_SET : WEIR__CONFIG_OP__CONFIG_DELETE;
		one->value = values ? (char *)(uintptr_t)values[i] : NULL;
	}
	c->v[c->n++] = r;
}

/* "0:1,0:2": whom the partitions of one topic are read from, and who reads. */
static void list_throttled(const struct plan *plan, int from, int to, struct text *leaders,
			   struct text *followers)
{
	for (int i = from; i < to; i++) {
		const struct plan_item *p = &plan->v[i];

		/* Any of the old ones may come to lead while it lasts; Kafka's tool lists the same
		 * (KIP-73). */
		for (int32_t k = 0; k < p->old.n; k++)
			text_printf(leaders, "%s%d:%d", leaders->n ? "," : "", p->partition,
				    p->old.v[k]);
		for (int32_t k = 0; k < p->replicas.n; k++)
			if (!image_ids_has(&p->old, p->replicas.v[k]))
				text_printf(followers, "%s%d:%d", followers->n ? "," : "",
					    p->partition, p->replicas.v[k]);
	}
}

static void change_topics(struct changes *c, const struct plan *plan, bool set)
{
	static const char *const keys[] = { LEADER_REPLICAS, FOLLOWER_REPLICAS };

	for (int from = 0, to; from < plan->n; from = to) {
		size_t cap = 64;
		struct text leaders, followers;
		const char *values[2];

		/* The config is the topic's: all its partitions go into one value, which the plan's
		 * order keeps together. */
		for (to = from; to < plan->n && str_eq(plan->v[to].topic, plan->v[from].topic);
		     to++)
			cap += 24 * IMAGE_REPLICAS_MAX;
		text_init(&leaders, arena_must(&c->cli->mem, cap), cap);
		text_init(&followers, arena_must(&c->cli->mem, cap), cap);
		list_throttled(plan, from, to, &leaders, &followers);
		values[0] = leaders.at;
		values[1] = followers.at;
		change(c, IMAGE_TOPIC, cli_z(c->cli, plan->v[from].topic), keys,
		       set ? values : NULL);
	}
}

/* A topic or broker that is gone meanwhile has no throttle any more. */
static int check(struct cli *cli, const Weir__Response *response, bool set)
{
	if (response->body_case != WEIR__RESPONSE__BODY_CONFIGS)
		return cli_fail(cli, CLI_FAILED, "throttle: the answer is of another kind");
	for (size_t i = 0; set && i < response->configs->n_resources; i++) {
		const Weir__ConfigResult *r = response->configs->resources[i];

		if (r->code)
			return cli_fail_code(cli, r->code,
					     str_of(r->message ? r->message : kerr_text(r->code)),
					     "throttle %s", r->name);
	}
	return CLI_OK;
}

int move_throttle(struct cli *cli, const struct view *v, const struct plan *plan,
		  int64_t bytes_per_s)
{
	static const char *const keys[] = { LEADER_RATE, FOLLOWER_RATE };
	const char *rate = arena_printf(&cli->mem, "%" PRId64, bytes_per_s).at;
	const char *values[] = { rate, rate };
	struct changes c = { .cli = cli, .cap = (size_t)(plan->n + v->image->n_brokers + 1) };
	Weir__AlterConfigs alter = WEIR__ALTER_CONFIGS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	bool set = bytes_per_s >= 0;
	int code;

	c.v = arena_must(&cli->mem, c.cap * sizeof(*c.v));
	for (int32_t i = 0; i < v->image->n_brokers; i++)
		change(&c, IMAGE_BROKER, arena_printf(&cli->mem, "%d", v->image->brokers[i]->id).at,
		       keys, set ? values : NULL);
	change_topics(&c, plan, set);
	alter.resources = c.v;
	alter.n_resources = c.n;
	request.body_case = WEIR__REQUEST__BODY_ALTER_CONFIGS;
	request.alter_configs = &alter;
	if ((code = link_call(cli, &request, "throttle replication", &response)))
		return code;
	return check(cli, response, set);
}
