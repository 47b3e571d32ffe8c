/* DescribeLogDirs(35): what lies in this broker's directories.  The image says which replicas it
 * should have, their shards say where each lies, how large it is and how far behind, and the same
 * of one that is on its way to another directory. */
#include "broker/api/describe_log_dirs.h"

#include "broker/api/fanout.h"
#include "broker/shard/dirs.h"
#include "broker/shard/move.h"
#include "kafka/describe_log_dirs.h"

enum { OUT_BYTES, OUT_LAG, OUT_DIR }; /* out[] of a question */

struct item { /* one replica, by topic and number */
	const struct image_topic *topic;
	int32_t partition;
	int64_t bytes, lag;
	int dir; /* -1: its shard does not have it */
	struct move_state future;
};
struct dirs_work {
	struct item *items;
	int32_t n, n_left; /* questions not yet answered */
};

static void list_items(struct req *, const struct describe_log_dirs_request *);
static bool **mark_asked(struct req *, const struct describe_log_dirs_request *);
static int32_t place_of(const struct image *, struct str name);
static void answer(struct ask_op *, struct partition *);
static void done(struct req *, struct ask_op *);
static void fill(struct req *);
static void fill_topics(struct req *, struct describe_log_dirs_response_result *, int dir);

enum api_ret handle_describe_log_dirs(struct req *q)
{
	struct dirs_work *w = q->work = ARENA_NEW(q, struct dirs_work, 1);
	struct fanout *f;

	if (q->image)
		list_items(q, q->in);
	if (w->n == 0) {
		fill(q);
		return API_DONE;
	}
	f = fanout_new(q);
	w->n_left = w->n;
	for (int32_t i = 0; i < w->n; i++)
		fanout_add(f, w->items[i].topic->id, w->items[i].partition, &w->items[i])->data =
			&w->items[i].future;
	return fanout_go(f, answer, done);
}

static void list_items(struct req *q, const struct describe_log_dirs_request *in)
{
	struct dirs_work *w = q->work;
	int32_t self = q->shard->broker->conf->node_id, n = 0;
	bool **asked = mark_asked(q, in);

	for (int pass = 0; pass < 2; pass++) {
		for (int32_t i = 0; i < q->image->n_topics; i++) {
			const struct image_topic *t = q->image->topics[i];
			if (asked && !asked[i])
				continue;
			for (int32_t p = 0; p < t->n_partitions; p++) {
				if (!image_ids_has(&t->partitions[p].replicas, self) ||
				    (asked && !asked[i][p]))
					continue;
				if (pass == 0)
					n++;
				else
					w->items[w->n++] = (struct item){ .topic = t,
									  .partition = p,
									  .dir = -1 };
			}
		}
		if (pass == 0)
			w->items = ARENA_NEW(q, struct item, n);
	}
}

/* Flags by place of the topic in the image and by partition; NULL asks for everything. */
static bool **mark_asked(struct req *q, const struct describe_log_dirs_request *in)
{
	bool **asked;

	if (in->n_topics < 0)
		return NULL;
	asked = ARENA_NEW(q, bool *, q->image->n_topics);
	for (int32_t i = 0; i < in->n_topics; i++) {
		int32_t at = place_of(q->image, in->topics[i].topic);
		if (at < 0)
			continue;
		int32_t n = q->image->topics[at]->n_partitions;
		if (!asked[at])
			asked[at] = ARENA_NEW(q, bool, n);
		for (int32_t j = 0; j < in->topics[i].n_partitions; j++)
			if (in->topics[i].partitions[j] >= 0 && in->topics[i].partitions[j] < n)
				asked[at][in->topics[i].partitions[j]] = true;
	}
	return asked;
}

static int32_t place_of(const struct image *im, struct str name)
{
	int32_t low = 0, high = im->n_topics - 1;

	while (low <= high) {
		int32_t at = low + (high - low) / 2;
		int order = str_cmp(im->topics[at]->name, name);
		if (order == 0)
			return at;
		if (order < 0)
			low = at + 1;
		else
			high = at - 1;
	}
	return -1;
}

static void answer(struct ask_op *op, struct partition *p)
{
	struct move_state *future = op->data;

	op->out[OUT_DIR] = p ? p->dir : -1;
	future->dir = -1;
	if (!p || !p->log)
		return;
	*future = move_state_of(p);
	op->out[OUT_BYTES] = log_bytes(p->log);
	op->out[OUT_LAG] = i64_max(p->replica.high_watermark - p->replica.log_end, 0);
}

static void done(struct req *q, struct ask_op *op)
{
	struct dirs_work *w = q->work;
	struct item *item = op->slot;

	item->bytes = op->out[OUT_BYTES];
	item->lag = op->out[OUT_LAG];
	item->dir = (int)op->out[OUT_DIR];
	if (--w->n_left == 0)
		fill(q);
}

static void fill(struct req *q)
{
	struct describe_log_dirs_response *out = q->out;
	const struct dirs *dirs = q->shard->broker->dirs;
	struct env *env = q->shard->env;

	out->n_results = dirs->n;
	out->results = schema_new(&describe_log_dirs_response_result_schema, &q->arena, dirs->n);
	for (int i = 0; i < dirs->n; i++) {
		struct describe_log_dirs_response_result *r = &out->results[i];
		r->log_dir = str_of(dirs->v[i].path);
		if (dirs->v[i].offline) {
			r->error_code = KERR_KAFKA_STORAGE_ERROR;
			continue;
		}
		if (q->head.api_version >= 4 &&
		    env->files->space(env, dirs->v[i].path, &r->usable_bytes, &r->total_bytes))
			r->usable_bytes = r->total_bytes = -1;
		fill_topics(q, r, i);
	}
}

/* The items of a topic are next to each other. */
static void fill_topics(struct req *q, struct describe_log_dirs_response_result *r, int dir)
{
	const struct dirs_work *w = q->work;
	struct describe_log_dirs_response_topic *t = NULL;
	const struct image_topic *last = NULL;

	r->topics = schema_new(&describe_log_dirs_response_topic_schema, &q->arena, w->n);
	for (int32_t i = 0; i < w->n; i++) {
		const struct item *item = &w->items[i];
		bool is_future = item->future.dir == dir;
		if (item->dir != dir && !is_future)
			continue;
		if (item->topic != last) {
			last = item->topic;
			t = &r->topics[r->n_topics++];
			t->name = last->name;
			t->partitions = schema_new(&describe_log_dirs_response_partition_schema,
						   &q->arena, last->n_partitions);
		}
		t->partitions[t->n_partitions++] = (struct describe_log_dirs_response_partition){
			.partition_index = item->partition,
			.partition_size = is_future ? item->future.bytes : item->bytes,
			.offset_lag = is_future ? item->future.lag : item->lag,
			.is_future_key = is_future,
		};
	}
}
