/* tree.c - see tree.h.
 *
 * Every leaf has its text and its JSON from the start, so metadata cat, ls and diff in each format
 * show the same.  The leaves are sorted once; diff walks two sorted lists side by side. */
#include "controller/cli/tree.h"
#include "common/base/text.h"
#include "controller/cli/out.h"

#include <inttypes.h>
#include <stdlib.h>

#define MIN_LEAVES 256

static void add_controller(struct tree *, const struct image *);
static void add_broker(struct tree *, const struct image_broker *);
static void add_topic(struct tree *, const struct image_topic *);
static int compare(const void *, const void *);

static void leaf(struct tree *t, const char *path, const char *key, const char *text,
		 const char *json)
{
	if (t->n == t->cap) {
		struct tree_leaf *old = t->v;

		t->cap = t->cap ? 2 * t->cap : MIN_LEAVES;
		t->v = arena_must(&t->cli->mem, (size_t)t->cap * sizeof(*t->v));
		if (old)
			memcpy(t->v, old, (size_t)t->n * sizeof(*old));
	}
	t->v[t->n++] = (struct tree_leaf){ path, key, text, json };
}

static void number(struct tree *t, const char *path, const char *key, int64_t value)
{
	const char *text = arena_printf(&t->cli->mem, "%" PRId64, value).at;

	leaf(t, path, key, text, text);
}

static void string(struct tree *t, const char *path, const char *key, struct str value)
{
	/* The worst case of JSON: every byte as \u00xx. */
	size_t cap = 6 * value.n + 8;
	struct text json;

	text_init(&json, arena_must(&t->cli->mem, cap), cap);
	text_json(&json, value);
	leaf(t, path, key, str_null(value) ? "-" : cli_z(t->cli, value), json.at);
}

static void boolean(struct tree *t, const char *path, const char *key, bool value)
{
	leaf(t, path, key, value ? "yes" : "no", value ? "true" : "false");
}

static void ids(struct tree *t, const char *path, const char *key, const struct image_ids *value)
{
	const char *text = text_of_ids(t->cli, value->v, value->n);

	leaf(t, path, key, value->n ? text : "-", arena_printf(&t->cli->mem, "[%s]", text).at);
}

static void configs(struct tree *t, const char *path, const struct image_config *c, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		string(t, path,
		       arena_printf(&t->cli->mem, "config.%.*s", (int)c[i].name.n, c[i].name.at).at,
		       c[i].value);
}

static void uuid(struct tree *t, const char *path, const char *key, struct uuid id)
{
	char text[UUID_TEXT];

	uuid_text(id, text);
	string(t, path, key, str_of(text));
}

void tree_of(struct tree *t, struct cli *cli, const struct image *im)
{
	*t = (struct tree){ .cli = cli };
	add_controller(t, im);
	for (int32_t i = 0; i < im->n_brokers; i++)
		add_broker(t, im->brokers[i]);
	for (int32_t i = 0; i < im->n_topics; i++)
		add_topic(t, im->topics[i]);
	configs(t, "/configs/brokers", im->broker_configs, im->n_broker_configs);
	for (int32_t i = 0; i < im->n_features; i++)
		number(t, "/features", cli_z(cli, im->features[i].name), im->features[i].level);
	qsort(t->v, (size_t)t->n, sizeof(*t->v), compare);
}

static void add_controller(struct tree *t, const struct image *im)
{
	number(t, "/controller", "id", im->controller);
	number(t, "/controller", "epoch", im->controller_epoch);
	number(t, "/controller", "next_producer_id", im->next_producer_id);
}

static void add_broker(struct tree *t, const struct image_broker *b)
{
	const char *path = arena_printf(&t->cli->mem, "/brokers/%d", b->id).at;

	number(t, path, "epoch", b->epoch);
	uuid(t, path, "incarnation", b->incarnation);
	boolean(t, path, "fenced", b->is_fenced);
	boolean(t, path, "held", b->is_held);
	boolean(t, path, "in_controlled_shutdown", b->in_controlled_shutdown);
	string(t, path, "rack", b->rack);
	for (int32_t i = 0; i < b->n_endpoints; i++) {
		const struct image_endpoint *e = &b->endpoints[i];

		string(t, path,
		       arena_printf(&t->cli->mem, "endpoint.%.*s", (int)e->name.n, e->name.at).at,
		       arena_printf(&t->cli->mem, "%.*s://%.*s:%d", (int)e->protocol.n,
				    e->protocol.at, (int)e->host.n, e->host.at, e->port));
	}
	for (int32_t i = 0; i < b->n_log_dirs; i++)
		uuid(t, path, arena_printf(&t->cli->mem, "log_dir.%d", i).at, b->log_dirs[i]);
	configs(t, path, b->configs, b->n_configs);
}

static void add_partition(struct tree *t, const char *topic, const struct image_partition *p,
			  int32_t i)
{
	const char *path = arena_printf(&t->cli->mem, "%s/%d", topic, i).at;

	number(t, path, "leader", p->leader);
	number(t, path, "leader_epoch", p->leader_epoch);
	number(t, path, "partition_epoch", p->partition_epoch);
	ids(t, path, "replicas", &p->replicas);
	ids(t, path, "isr", &p->isr);
	ids(t, path, "elr", &p->elr);
	ids(t, path, "last_known_elr", &p->last_known_elr);
	ids(t, path, "adding", &p->adding);
	ids(t, path, "removing", &p->removing);
	boolean(t, path, "recovering", p->is_recovering);
}

static void add_topic(struct tree *t, const struct image_topic *topic)
{
	const char *path =
		arena_printf(&t->cli->mem, "/topics/%.*s", (int)topic->name.n, topic->name.at).at;

	uuid(t, path, "id", topic->id);
	number(t, path, "partitions", topic->n_partitions);
	configs(t, path, topic->configs, topic->n_configs);
	for (int32_t i = 0; i < topic->n_partitions; i++)
		add_partition(t, path, &topic->partitions[i], i);
}

bool tree_is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	while (n && top[n - 1] == '/')
		n--;
	return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

int tree_order(const struct tree_leaf *a, const struct tree_leaf *b)
{
	/* Partition 10 comes after partition 9. */
	int d = strverscmp(a->path, b->path);

	return d ? d : strcmp(a->key, b->key);
}

static int compare(const void *a, const void *b)
{
	return tree_order(a, b);
}
