/* versions.c - ApiVersions(18): exactly the rows of table.c.
 *
 * A version we do not know is answered in version 0 with UNSUPPORTED_VERSION and the list, so that
 * a newer client finds out what to speak (KIP-511). */
#include "broker/api/versions.h"

#include "common/meta/features.h"
#include "kafka/api_versions.h"
#include "kafka/apis.h"

static void fill(struct req *, struct api_versions_response *);
static void fill_features(struct req *, struct api_versions_response *);
static enum api_ret handle_unsupported(struct req *);

static const struct api unsupported = { API_API_VERSIONS, 0, 0, API_OVERLAPS, handle_unsupported };

enum api_ret handle_api_versions(struct req *q)
{
	fill(q, q->out);
	return API_DONE;
}

static void fill(struct req *q, struct api_versions_response *out)
{
	int n_rows;
	const struct api *rows = api_rows(&n_rows);

	out->api_keys = schema_new(&api_versions_response_api_schema, &q->arena, n_rows);
	for (int i = 0; i < n_rows; i++) {
		const struct kafka_api *wire = api_find(rows[i].key);
		if (rows[i].flags == API_HIDDEN)
			continue;
		/* Produce 0 to 2 are announced as Kafka does, for old clients that probe for them
		 * (KAFKA-18659), though a real one closes its connection. */
		out->api_keys[out->n_api_keys++] = (struct api_versions_response_api){
			.api_key = rows[i].key,
			.min_version = wire->advertised_min < rows[i].min ? wire->advertised_min
									  : rows[i].min,
			.max_version = rows[i].max,
		};
	}
	fill_features(q, out);
}

/* What this version can, and what the cluster has agreed on (KIP-584); one image for both the
 * levels and their epoch. */
static void fill_features(struct req *q, struct api_versions_response *out)
{
	const struct image *im = q->shard->image;

	out->supported_features =
		schema_new(&api_versions_response_supported_feature_schema, &q->arena, n_features);
	out->finalized_features =
		schema_new(&api_versions_response_finalized_feature_schema, &q->arena, n_features);
	for (int i = 0; i < n_features; i++) {
		const struct feature *f = &features[i];
		int32_t level = im ? image_feature(im, str_of(f->name)) : 0;
		/* Version 3's readers take no range that begins at 0. */
		if (f->min > 0 || q->head.api_version >= 4)
			out->supported_features[out->n_supported_features++] =
				(struct api_versions_response_supported_feature){ str_of(f->name),
										  (int16_t)f->min,
										  (int16_t)f->max };
		if (level > 0)
			out->finalized_features[out->n_finalized_features++] =
				(struct api_versions_response_finalized_feature){ str_of(f->name),
										  (int16_t)level,
										  (int16_t)level };
	}
	if (im)
		out->finalized_features_epoch = im->offset;
}

enum err versions_unsupported(struct req *q)
{
	q->head.api_version = 0;
	q->api = &unsupported;
	q->wire = api_find(API_API_VERSIONS);
	q->out = arena_must(&q->arena, q->wire->response->size);
	schema_init(q->wire->response, q->out);
	return ERR_OK;
}

static enum api_ret handle_unsupported(struct req *q)
{
	struct api_versions_response *out = q->out;

	fill(q, out);
	out->error_code = KERR_UNSUPPORTED_VERSION;
	return API_DONE;
}
