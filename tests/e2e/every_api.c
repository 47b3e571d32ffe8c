/* every_api.c - every API in every version that a broker announces, asked with random requests:
 * each must be answered with a reply that decodes, whatever it says.
 *
 *   every_api HOST PORT TOPIC SEED ROUNDS
 *
 * Names, partitions and configs are aimed at TOPIC half of the time, so that requests get past the
 * first check; times are short and counts small, so that nothing takes long.  Prints what went
 * unanswered; exit status 1 if anything did. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/prng.h"
#include "common/wire/header.h"
#include "kafka/api_versions.h"
#include "tests/lib/kclient.h"

#define TIMEOUT_MS 30000
#define SHORT_MS 20

struct aim {
	struct prng prng;
	struct str topic;
};
static const char *const configs[] = { "retention.ms", "cleanup.policy", "segment.bytes",
				       "nonsense" };

static void aim_at(struct aim *, const struct schema *, uint8_t *at);
static void aim_number(struct aim *, const struct schema_row *, uint8_t *at);
static int ask(struct kclient *, struct aim *, const struct kafka_api *, int version);

static bool is_named(const struct schema_row *row, const char *part)
{
	return strstr(row->name, part) != NULL;
}

static void aim_text(struct aim *a, const struct schema_row *row, struct str *at)
{
	if (prng_chance(&a->prng, 1, 2))
		return;
	*at = is_named(row, "name") || is_named(row, "topic") ? a->topic : *at;
	if (is_named(row, "key") || prng_chance(&a->prng, 1, 4))
		*at = str_of(configs[prng_below(&a->prng, ARRAY_LEN(configs))]);
}

static void aim_number(struct aim *a, const struct schema_row *row, uint8_t *at)
{
	int64_t v;

	if (is_named(row, "timeout") || is_named(row, "wait"))
		v = SHORT_MS;
	else if (is_named(row, "partition") || is_named(row, "count") || is_named(row, "factor"))
		v = (int64_t)prng_below(&a->prng, 4);
	else if (is_named(row, "acks"))
		v = prng_chance(&a->prng, 1, 2) ? 1 : -1;
	else if (is_named(row, "resource_type"))
		v = prng_chance(&a->prng, 1, 2) ? 2 : 4;
	else if (is_named(row, "replica_id") || is_named(row, "broker_id"))
		v = -1;
	else
		return;
	if (row->kind == KIND_I8)
		*(int8_t *)at = (int8_t)v;
	else if (row->kind == KIND_I16)
		*(int16_t *)(void *)at = (int16_t)v;
	else if (row->kind == KIND_I32)
		*(int32_t *)(void *)at = (int32_t)v;
}

static void aim_value(struct aim *a, const struct schema_row *row, uint8_t *at)
{
	if (row->kind == KIND_STRUCT)
		aim_at(a, row->sub, at);
	else if (row->kind == KIND_STR)
		aim_text(a, row, (struct str *)(void *)at);
	else
		aim_number(a, row, at);
}

/* 0: arrays of these are left as they are. */
static size_t size_of(const struct schema_row *row)
{
	if (row->kind == KIND_STRUCT)
		return row->sub->size;
	if (row->kind == KIND_STR)
		return sizeof(struct str);
	return row->kind == KIND_I32 ? sizeof(int32_t) : row->kind == KIND_I8;
}

static void aim_at(struct aim *a, const struct schema *s, uint8_t *at)
{
	for (int i = 0; i < s->n_rows; i++) {
		const struct schema_row *row = &s->rows[i];
		uint8_t *field = at + row->at;
		if (!row->is_array) {
			/* a nullable struct is a pointer */
			if (row->kind != KIND_STRUCT || row->null_min > row->null_max)
				aim_value(a, row, field);
			continue;
		}
		int32_t n = *(int32_t *)(void *)(at + row->n_at);
		uint8_t *items = *(uint8_t **)(void *)field;
		for (int32_t k = 0; size_of(row) > 0 && k < n; k++)
			aim_value(a, row, items + (size_t)k * size_of(row));
	}
}

static int ask(struct kclient *k, struct aim *a, const struct kafka_api *api, int version)
{
	struct arena mem;
	uint8_t *in, *out;
	enum err e;

	arena_init(&mem, (size_t)64 << 20);
	in = arena_must(&mem, api->request->size);
	out = arena_must(&mem, api->response->size);
	schema_random(api->request, version, in, &a->prng, &mem);
	if (api->key != API_DELETE_TOPICS)
		aim_at(a, api->request, in);
	e = kclient_call(k, (enum api_key)api->key, version, in, out);
	if (e)
		printf("%s version %d: %s\n", api->name, version, k->error);
	arena_fini(&mem);
	return e ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct api_versions_request in;
	struct api_versions_response out;
	struct kclient k;
	struct aim a;
	int n_failed = 0, n = 0;

	if (argc != 6) {
		fprintf(stderr, "usage: every_api HOST PORT TOPIC SEED ROUNDS\n");
		return 2;
	}
	prng_seed(&a.prng, strtoull(argv[4], NULL, 10));
	a.topic = str_of(argv[3]);
	schema_init(&api_versions_request_schema, &in);
	if (kclient_open(&k, argv[1], (int)strtol(argv[2], NULL, 10), TIMEOUT_MS) ||
	    kclient_call(&k, API_API_VERSIONS, 0, &in, &out)) {
		printf("%s\n", k.error);
		return 1;
	}
	int32_t n_apis = out.n_api_keys;
	struct api_versions_response_api *apis = mem_alloc((size_t)n_apis * sizeof(*apis));
	memcpy(apis, out.api_keys, (size_t)n_apis * sizeof(*apis));
	for (int64_t round = strtoll(argv[5], NULL, 10); round > 0 && n_failed == 0; round--)
		for (int32_t i = 0; i < n_apis && n_failed == 0; i++) {
			const struct kafka_api *api = api_find(apis[i].api_key);
			int v = apis[i].api_key == API_PRODUCE ? 3 : apis[i].min_version;
			for (; v <= apis[i].max_version && n_failed == 0; v++, n++)
				n_failed += ask(&k, &a, api, v);
		}
	mem_free(apis);
	kclient_close(&k);
	printf("%d requests, %d unanswered\n", n, n_failed);
	return n_failed > 0;
}
