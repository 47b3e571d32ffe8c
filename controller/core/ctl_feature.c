/* ctl_feature.c - finalised features (KIP-584): the levels of a new cluster, and their change.
 *
 * A request is all or nothing.  The refusals are those of Kafka's FeatureControlManager. */
#include "common/meta/features.h"
#include "controller/core/decide.h"

#define UPDATES_MAX 100

enum { UPGRADE = 1, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE };

static struct kerr_why check(struct ctl_result *, const Weir__FeatureUpdate *);
static void write_level(struct ctl_result *, const char *name, int32_t level);

/* A cluster from before there were levels gets them, too. */
void write_first_features(struct ctl_result *r)
{
	if (image_feature(r->ctl->image, STR("metadata.version")) != 0)
		return;
	for (int i = 0; i < n_features; i++)
		if (features[i].first != 0)
			write_level(r, features[i].name, features[i].first);
}

void decide_update_features(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__UpdateFeatures *m = cmd->update_features;
	Weir__FeatureResults *out;
	/* Asking to validate only is being refused without an error: everything is decided, nothing
	 * stays. */
	bool is_refused = m->has_validate_only && m->validate_only;

	if (is_too_much(r, m->n_updates, UPDATES_MAX, "features"))
		return;
	out = arena_must(r->arena, sizeof(*out));
	*out = (Weir__FeatureResults)WEIR__FEATURE_RESULTS__INIT;
	out->features = arena_must(r->arena, m->n_updates * sizeof(*out->features) + 1);
	for (size_t i = 0; i < m->n_updates; i++) {
		const Weir__FeatureUpdate *u = m->updates[i];
		Weir__FeatureResult *one = arena_must(r->arena, sizeof(*one));
		struct kerr_why w = check(r, u);

		*one = (Weir__FeatureResult)WEIR__FEATURE_RESULT__INIT;
		one->name = zdup(r, str_of(u->name));
		one->code = (int32_t)w.code;
		one->message = w.message;
		out->features[out->n_features++] = one;
		is_refused |= w.code != KERR_NONE;
		/* The level that it has already is no change, and no error: Kafka's tools ask for
		 * all of a release. */
		if (w.code == KERR_NONE && image_feature(view(r), str_of(u->name)) != u->level)
			write_level(r, u->name, u->level);
	}
	if (is_refused)
		r->n_records = 0;
	r->reply.body_case = WEIR__RESPONSE__BODY_FEATURES;
	r->reply.features = out;
}

/* In view(), not the image: a feature that is named twice is judged by what the first row made of
 * it. */
static struct kerr_why check(struct ctl_result *r, const Weir__FeatureUpdate *u)
{
	const struct feature *f = feature_named(str_of(u->name));
	int32_t now = image_feature(view(r), str_of(u->name));

	if (u->upgrade_type < UPGRADE || u->upgrade_type > UNSAFE_DOWNGRADE)
		return because(r, KERR_INVALID_UPDATE_VERSION,
			       "The controller does not support the given upgrade type %d.",
			       u->upgrade_type);
	if (f == NULL)
		return because(r, KERR_INVALID_UPDATE_VERSION,
			       "Invalid update version %d for feature %s. The controller does not "
			       "support this feature.",
			       u->level, u->name);
	if (u->level < f->min || u->level > f->max)
		return because(r, KERR_INVALID_UPDATE_VERSION,
			       "Invalid update version %d for feature %s. The controller only "
			       "supports versions %d-%d.",
			       u->level, u->name, f->min, f->max);
	if (u->level < now && u->upgrade_type == UPGRADE)
		return because(r, KERR_INVALID_UPDATE_VERSION,
			       "Invalid update version %d for feature %s. Can't downgrade the "
			       "version of this feature without setting the upgrade type to either "
			       "safe or unsafe downgrade.",
			       u->level, u->name);
	if (u->level > now && u->upgrade_type != UPGRADE)
		return because(r, KERR_INVALID_UPDATE_VERSION,
			       "Invalid update version %d for feature %s. Can't downgrade to a "
			       "newer version.",
			       u->level, u->name);
	return (struct kerr_why){ KERR_NONE, NULL };
}

static void write_level(struct ctl_result *r, const char *name, int32_t level)
{
	Weir__FeatureRecord *m = arena_must(r->arena, sizeof(*m));

	*m = (Weir__FeatureRecord)WEIR__FEATURE_RECORD__INIT;
	m->name = zdup(r, str_of(name));
	m->level = level;
	emit(r, WEIR__METADATA_RECORD__BODY_FEATURE)->feature = m;
}
