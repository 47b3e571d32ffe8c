/* view.c - a snapshot of the metadata and the controller's own view of its
 * brokers, asked together. */
#include "controller/cli/view.h"
#include "common/base/text.h"
#include "common/meta/topic_conf.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"

#include <stdio.h>

static bool is_named(const struct view_walk *, const struct image_topic *);

int view_load(struct cli *cli, struct view *v)
{
	Weir__ReadSnapshot read = WEIR__READ_SNAPSHOT__INIT;
	Weir__DescribeController describe = WEIR__DESCRIBE_CONTROLLER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	*v = (struct view){ 0 };
	request.body_case = WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER;
	request.describe_controller = &describe;
	/* The link then asks both questions at once: one round trip, not two. */
	cli->reads_state = true;
	code = link_call(cli, &request, "describe the controller", &response);
	cli->reads_state = false;
	if (code)
		return code;
	if (response->body_case != WEIR__RESPONSE__BODY_CONTROLLER)
		return cli_fail(cli, CLI_FAILED,
				"describe the controller: the answer is of another kind");
	v->controller = response->controller;
	weir__request__init(&request);
	request.body_case = WEIR__REQUEST__BODY_READ_SNAPSHOT;
	request.read_snapshot = &read;
	code = link_call(cli, &request, "read the cluster's metadata", &response);
	if (code)
		return code;
	v->image = response->body_case == WEIR__RESPONSE__BODY_SNAPSHOT
			   ? view_fold(response->snapshot)
			   : NULL;
	if (!v->image)
		return cli_fail(cli, CLI_FAILED,
				"read the cluster's metadata: the snapshot makes no sense");
	return CLI_OK;
}

int view_load_quietly(struct cli *cli, struct view *v, int64_t timeout_ms)
{
	FILE *quiet;
	int code;

	cli->timeout_ms = timeout_ms;
	/* For good: whoever asks quietly (completion) has nothing to say afterwards either. */
	quiet = freopen("/dev/null", "w", stderr);
	if (!quiet)
		return CLI_FAILED;
	code = view_load(cli, v);
	return code;
}

void view_fini(struct view *v)
{
	image_put(v->image);
	v->image = NULL;
}

struct image *view_fold(const Weir__Snapshot *snapshot)
{
	struct image *image = image_new();

	for (size_t i = 0; i < snapshot->n_records; i++) {
		enum err e = image_apply(image, snapshot->records[i]);

		if (e &&
		    e != ERR_NOT_FOUND) { /* not found: a kind that is newer than this program */
			image_put(image);
			return NULL;
		}
	}
	image->offset = snapshot->offset;
	return image;
}

const Weir__BrokerState *view_broker_state(const struct view *v, int32_t id)
{
	for (size_t i = 0; i < v->controller->n_brokers; i++)
		if (v->controller->brokers[i]->id == id)
			return v->controller->brokers[i];
	return NULL;
}

void view_out_of_sync(const struct image_partition *p, struct image_ids *out)
{
	out->n = 0;
	for (int32_t i = 0; i < p->replicas.n; i++)
		if (!image_ids_has(&p->isr, p->replicas.v[i]))
			out->v[out->n++] = p->replicas.v[i];
}

int32_t view_min_isr(const struct image *image, const struct image_topic *topic)
{
	struct topic_conf fixed, conf;

	/* The defaults of a broker's file are not in the metadata: what is not set there counts as
	 * Kafka's. */
	topic_conf_defaults(&fixed);
	topic_conf_of(&fixed, image, -1, topic, &conf);
	return conf.min_insync_replicas;
}

const char *view_broker_text(const struct image_broker *b)
{
	return b->is_held                  ? "held"
	       : b->is_fenced              ? "fenced"
	       : b->in_controlled_shutdown ? "stopping"
					   : "up";
}

/* Kafka's rule (KIP-966): the ISR or the eligible, else whoever led last, else nobody. */
const char *view_waits_for(struct cli *cli, const char *topic, int32_t number,
			   const struct image_partition *p)
{
	const struct image_ids *ids = p->isr.n > 0 ? &p->isr : &p->elr;

	if (ids->n > 0)
		return arena_printf(&cli->mem, "waits for %s %s, %s every acknowledged record",
				    ids->n == 1 ? "broker" : "one of the brokers",
				    text_of_ids(cli, ids->v, ids->n),
				    ids->n == 1 ? "which has" : "each of which has")
			.at;
	if (p->last_known_elr.n > 0)
		return arena_printf(&cli->mem,
				    "no replica is known to be complete; waits for broker %d, "
				    "which led last and may lack records",
				    p->last_known_elr.v[0])
			.at;
	return arena_printf(&cli->mem,
			    "no replica is known to be complete, and none will lead by itself; "
			    "%s leaders elect %s-%d --unclean --allow-data-loss",
			    cli->program, topic, number)
		.at;
}

bool view_is_preferred(const struct image_partition *p)
{
	return p->replicas.n > 0 && p->leader == p->replicas.v[0];
}

int view_has_topics(struct cli *cli, const struct view *v, const char *const *names, int n)
{
	for (int i = 0; i < n; i++) {
		const char *near = NULL;
		int best = 3;

		if (image_topic_named(v->image, str_of(names[i])))
			continue;
		for (int32_t t = 0; t < v->image->n_topics; t++) {
			int d = text_distance(v->image->topics[t]->name, str_of(names[i]));

			if (d < best) {
				best = d;
				near = cli_z(cli, v->image->topics[t]->name);
			}
		}
		return cli_fail(cli, CLI_MISSING, "no topic %s%s%s%s (UNKNOWN_TOPIC_OR_PARTITION)",
				names[i], near ? "; did you mean " : "; see: weir topics list",
				near ? near : "", near ? "?" : "");
	}
	return CLI_OK;
}

/* ---- walking ------------------------------------------------------------------------------- */

void view_walk_init(struct view_walk *w, const struct view *v, const char *const *names, int n)
{
	*w = (struct view_walk){ .view = v, .names = names, .n_names = n };
}

bool view_walk_topic(struct view_walk *w)
{
	const struct image *image = w->view->image;

	while (w->at_topic < image->n_topics) {
		w->topic = image->topics[w->at_topic++];
		w->at_partition = 0;
		if (is_named(w, w->topic))
			return true;
	}
	w->topic = NULL;
	return false;
}

bool view_walk_partition(struct view_walk *w)
{
	while (!w->topic || w->at_partition == w->topic->n_partitions)
		if (!view_walk_topic(w))
			return false;
	w->number = w->at_partition++;
	w->partition = &w->topic->partitions[w->number];
	return true;
}

static bool is_named(const struct view_walk *w, const struct image_topic *t)
{
	for (int i = 0; i < w->n_names; i++)
		if (str_eq(t->name, str_of(w->names[i])))
			return true;
	return w->n_names == 0;
}
