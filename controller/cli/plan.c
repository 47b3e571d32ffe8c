/* plan.c - plans in files: Kafka's JSON, and the order of a plan. */
#include "controller/cli/plan.h"
#include "controller/cli/files.h"
#include "controller/cli/json_read.h"

#include <stdlib.h>

#define MIN_ITEMS 64

static int bad_file(struct cli *cli, const char *path, const char *why, size_t at)
{
	return cli_fail(cli, CLI_USAGE, "%s, byte %zu: %s", path, at, why);
}

static int read_json(struct cli *cli, const char *path, struct json_value **out)
{
	struct str text;
	enum err e = file_read_all(cli, path, &text);
	size_t at;

	if (e)
		return cli_fail(cli, e == ERR_NOT_FOUND ? CLI_MISSING : CLI_FAILED, "%s: %s", path,
				e == ERR_NOT_FOUND ? "no such file" : err_text(e));
	if (json_read(&cli->mem, text, out, &at))
		return bad_file(cli, path, "this is no JSON", at);
	return CLI_OK;
}

static bool read_ids(const struct json_value *list, struct image_ids *out)
{
	out->n = 0;
	for (const struct json_value *v = list->first; v; v = v->next) {
		if (v->kind != JSON_INT || v->number < 0 || v->number > INT32_MAX ||
		    out->n == IMAGE_REPLICAS_MAX)
			return false;
		out->v[out->n++] = (int32_t)v->number;
	}
	return list->kind == JSON_LIST;
}

static struct plan_item *item(struct cli *cli, struct plan *p)
{
	if (p->n == p->cap) {
		struct plan_item *old = p->v;

		p->cap = p->cap ? 2 * p->cap : MIN_ITEMS;
		p->v = arena_must(&cli->mem, (size_t)p->cap * sizeof(*p->v));
		if (old)
			memcpy(p->v, old, (size_t)p->n * sizeof(*old));
	}
	return &p->v[p->n++];
}

static bool read_item(struct cli *cli, const struct json_value *from, struct plan *out)
{
	const struct json_value *topic = json_member(from, "topic"),
				*partition = json_member(from, "partition"),
				*replicas = json_member(from, "replicas");
	struct plan_item *i;

	if (!topic || topic->kind != JSON_TEXT || !partition || partition->kind != JSON_INT ||
	    partition->number < 0 || partition->number > INT32_MAX)
		return false;
	i = item(cli, out);
	i->topic = topic->text;
	i->partition = (int32_t)partition->number;
	/* Kafka's file for a cancel may leave the list out; whoever needs one says so. */
	i->has_replicas = replicas != NULL;
	return !replicas || read_ids(replicas, &i->replicas);
}

int plan_read(struct cli *cli, const char *path, struct plan *out)
{
	const struct json_value *partitions;
	struct json_value *root;
	int code = read_json(cli, path, &root);

	*out = (struct plan){ 0 };
	if (code)
		return code;
	partitions = json_member(root, "partitions");
	if (!partitions || partitions->kind != JSON_LIST)
		return bad_file(cli, path, "there is no list \"partitions\"", 0);
	for (const struct json_value *v = partitions->first; v; v = v->next)
		if (!read_item(cli, v, out))
			return bad_file(cli, path,
					"an item of \"partitions\" needs \"topic\", \"partition\" "
					"and a list \"replicas\" of broker ids",
					0);
	/* What goes through a plan topic by topic (throttles, printing) relies on the order. */
	plan_sort(out);
	return CLI_OK;
}

int plan_read_topics(struct cli *cli, const char *path, const char ***names, int *n)
{
	const struct json_value *topics;
	struct json_value *root;
	int code = read_json(cli, path, &root);

	*n = 0;
	if (code)
		return code;
	topics = json_member(root, "topics");
	*names = arena_must(&cli->mem, (size_t)(topics ? topics->n + 1 : 1) * sizeof(**names));
	for (const struct json_value *v = topics ? topics->first : NULL; v; v = v->next) {
		const struct json_value *name = json_member(v, "topic");

		if (!name || name->kind != JSON_TEXT)
			return bad_file(cli, path, "an item of \"topics\" needs \"topic\"", 0);
		(*names)[(*n)++] = cli_z(cli, name->text);
	}
	return *n ? CLI_OK : bad_file(cli, path, "there is no list \"topics\"", 0);
}

void plan_add(struct cli *cli, struct plan *p, struct str topic, int32_t partition,
	      const struct image_partition *now, const struct image_ids *replicas)
{
	struct plan_item *i = item(cli, p);

	i->topic = topic;
	i->partition = partition;
	i->has_replicas = true;
	i->old = now->replicas;
	i->replicas = *replicas;
}

static int by_partition(const void *a, const void *b)
{
	const struct plan_item *x = a, *y = b;
	int d = str_cmp(x->topic, y->topic);

	return d ? d : (x->partition > y->partition) - (x->partition < y->partition);
}

void plan_sort(struct plan *p)
{
	if (p->n)
		qsort(p->v, (size_t)p->n, sizeof(*p->v), by_partition);
}

bool plan_has(const struct plan *p, struct str topic, int32_t partition)
{
	for (int i = 0; i < p->n; i++)
		if (p->v[i].partition == partition && str_eq(p->v[i].topic, topic))
			return true;
	return false;
}
