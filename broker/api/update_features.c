/* UpdateFeatures(57): the controller raises or lowers finalised levels (KIP-584), all or none.
 * From version 2 the reply has one error for all of them. */
#include "broker/api/update_features.h"

#include "broker/api/forward.h"
#include "kafka/update_features.h"

enum { UPGRADE = 1, UNSAFE_DOWNGRADE = 3 };

static void answer(struct forward *);
static void answer_each(struct req *, const Weir__FeatureResults *);

enum api_ret handle_update_features(struct req *q)
{
	const struct update_features_request *in = q->in;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_UPDATE_FEATURES, in->timeout_ms);
	Weir__UpdateFeatures *m = f->request->update_features =
		ARENA_NEW(q, Weir__UpdateFeatures, 1);

	weir__update_features__init(m);
	m->has_validate_only = m->has_timeout_ms = true;
	m->validate_only = in->validate_only;
	m->timeout_ms = f->wait_ms;
	m->updates = ARENA_NEW(q, Weir__FeatureUpdate *, in->n_feature_updates);
	for (int32_t i = 0; i < in->n_feature_updates; i++) {
		const struct update_features_request_feature_update *from = &in->feature_updates[i];
		Weir__FeatureUpdate *u = m->updates[m->n_updates++] =
			ARENA_NEW(q, Weir__FeatureUpdate, 1);
		weir__feature_update__init(u);
		u->name = forward_z(q, from->feature);
		u->level = from->max_version_level;
		u->upgrade_type = q->head.api_version >= 1 ? from->upgrade_type
				  : from->allow_downgrade  ? UNSAFE_DOWNGRADE
							   : UPGRADE;
	}
	return m->n_updates > 0 ? forward_go(f, answer) : API_DONE;
}

static void answer(struct forward *f)
{
	struct req *q = f->q;
	struct update_features_response *out = q->out;
	const Weir__Response *r = forward_body(f, WEIR__RESPONSE__BODY_FEATURES);

	if (!r) {
		out->error_code = (int16_t)f->call.code;
		out->error_message = f->call.message;
		return;
	}
	if (q->head.api_version <= 1) {
		answer_each(q, r->features);
		return;
	}
	for (size_t i = 0; i < r->features->n_features; i++) {
		const Weir__FeatureResult *one = r->features->features[i];
		if (one->code == KERR_NONE)
			continue;
		out->error_code = (int16_t)one->code;
		out->error_message = arena_printf(
			&q->arena,
			"The update failed for all features since the following feature had an "
			"error: %s",
			one->message ? one->message : kerr_text(one->code));
		return;
	}
}

static void answer_each(struct req *q, const Weir__FeatureResults *r)
{
	struct update_features_response *out = q->out;

	out->results = schema_new(&update_features_response_result_schema, &q->arena,
				  (int32_t)r->n_features);
	for (size_t i = 0; i < r->n_features; i++) {
		const Weir__FeatureResult *one = r->features[i];
		struct update_features_response_result *slot = &out->results[out->n_results++];
		slot->feature = arena_str(&q->arena, str_of(one->name));
		slot->error_code = (int16_t)one->code;
		if (one->code != KERR_NONE)
			slot->error_message = forward_message(q, one->code, one->message);
	}
}
