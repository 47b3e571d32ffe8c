/* cmd_leaders.c - weir leaders list: who leads how much, by broker, topic or rack. */
#include "controller/cli/commands.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"

struct share {
	int32_t leads, preferred, away; /* away: preferred here, led elsewhere or by nobody */
};

static void count_one(struct share *s, const struct image_partition *p, int32_t broker)
{
	bool mine = p->replicas.n > 0 && p->replicas.v[0] == broker;

	s->leads += p->leader == broker;
	s->preferred += mine;
	s->away += mine && p->leader != broker;
}

static struct share share_of_topic(const struct image_topic *t, int32_t broker)
{
	struct share s = { 0 };

	for (int32_t p = 0; p < t->n_partitions; p++)
		count_one(&s, &t->partitions[p], broker);
	return s;
}

static struct share share_of(const struct view *v, int32_t broker)
{
	struct share s = { 0 };
	struct view_walk w;

	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w))
		count_one(&s, w.partition, broker);
	return s;
}

static void share_cells(struct out *o, const struct share *s)
{
	out_i64(o, s->leads);
	out_i64(o, s->preferred);
	o->color = s->away ? OUT_YELLOW : OUT_PLAIN;
	out_i64(o, s->away);
}

static void by_broker(struct cli *cli, const struct view *v)
{
	static const struct out_column columns[] = {
		{ "BROKER", "broker", OUT_RIGHT },
		{ "LEADS", "leaders", OUT_RIGHT },
		{ "PREFERRED", "preferred", OUT_RIGHT },
		{ "PREFERRED ELSEWHERE", "not_preferred", OUT_RIGHT },
	};
	struct out o;

	out_begin(&o, cli, "LeaderList", columns, ARRAY_LEN(columns));
	for (int32_t i = 0; i < v->image->n_brokers; i++) {
		struct share s = share_of(v, v->image->brokers[i]->id);

		out_i64(&o, v->image->brokers[i]->id);
		share_cells(&o, &s);
	}
	out_end(&o);
}

/* A row for each broker that leads or should lead some of the topic. */
static void by_topic(struct cli *cli, const struct view *v)
{
	static const struct out_column columns[] = {
		{ "TOPIC", "topic", OUT_LEFT },
		{ "BROKER", "broker", OUT_RIGHT },
		{ "LEADS", "leaders", OUT_RIGHT },
		{ "PREFERRED", "preferred", OUT_RIGHT },
		{ "PREFERRED ELSEWHERE", "not_preferred", OUT_RIGHT },
	};
	struct view_walk w;
	struct out o;

	out_begin(&o, cli, "TopicLeaderList", columns, ARRAY_LEN(columns));
	view_walk_init(&w, v, NULL, 0);
	while (view_walk_topic(&w)) {
		for (int32_t i = 0; i < v->image->n_brokers; i++) {
			struct share s = share_of_topic(w.topic, v->image->brokers[i]->id);

			if (s.leads + s.preferred == 0)
				continue;
			out_str(&o, w.topic->name);
			out_i64(&o, v->image->brokers[i]->id);
			share_cells(&o, &s);
		}
	}
	out_end(&o);
}

/* Brokers without a rack are one of their own, told as nothing. */
static bool is_first_of_rack(const struct view *v, int32_t at)
{
	for (int32_t i = 0; i < at; i++)
		if (str_eq(v->image->brokers[i]->rack, v->image->brokers[at]->rack))
			return false;
	return true;
}

static void by_rack(struct cli *cli, const struct view *v)
{
	static const struct out_column columns[] = {
		{ "RACK", "rack", OUT_LEFT },
		{ "BROKERS", "brokers", OUT_RIGHT },
		{ "LEADS", "leaders", OUT_RIGHT },
		{ "PREFERRED", "preferred", OUT_RIGHT },
		{ "PREFERRED ELSEWHERE", "not_preferred", OUT_RIGHT },
	};
	struct out o;

	out_begin(&o, cli, "RackLeaderList", columns, ARRAY_LEN(columns));
	for (int32_t i = 0; i < v->image->n_brokers; i++) {
		struct str rack = v->image->brokers[i]->rack;
		struct share sum = { 0 };
		int64_t brokers = 0;

		if (!is_first_of_rack(v, i))
			continue;
		for (int32_t k = i; k < v->image->n_brokers; k++) {
			struct share s;

			if (!str_eq(v->image->brokers[k]->rack, rack))
				continue;
			s = share_of(v, v->image->brokers[k]->id);
			sum = (struct share){ sum.leads + s.leads, sum.preferred + s.preferred,
					      sum.away + s.away };
			brokers++;
		}
		out_str(&o, rack);
		out_i64(&o, brokers);
		share_cells(&o, &sum);
	}
	out_end(&o);
}

int cmd_leaders_list(struct cli *cli)
{
	static const struct {
		const char *name;
		void (*print)(struct cli *, const struct view *);
	} ways[] = { { "broker", by_broker }, { "topic", by_topic }, { "rack", by_rack } };
	const char *by = cli_flag(cli, "by");
	size_t way = 0;
	struct view v;
	int code;

	while (by && way < ARRAY_LEN(ways) && strcmp(by, ways[way].name) != 0)
		way++;
	if (way == ARRAY_LEN(ways))
		return cli_fail(cli, CLI_USAGE, "--by %s: there are broker, topic and rack", by);
	if ((code = view_load(cli, &v)))
		return code;
	ways[way].print(cli, &v);
	view_fini(&v);
	return CLI_OK;
}
