/* Configs of topics and brokers: IncrementalAlterConfigs, and the older call that replaces them
 * all.
 *
 * A resource is all or nothing: its operations are worked out on a copy of its overrides, the
 * result is checked against the rows of topic_conf, and only differences become records. */
#include <stdio.h>

#include "common/base/text.h"
#include "common/meta/dynamic_conf.h"
#include "controller/core/decide.h"

/* There are some forty topic configs; the rest is room for brokers' own. */
#define OVERRIDES_MAX 256

struct override {
	struct str name, value; /* value null: removed */
	bool is_touched;
};
struct edit {
	struct ctl_result *r;
	const Weir__AlterConfigsResource *m;
	const struct image_topic *topic; /* NULL: broker configs */
	const struct image_config *now;
	int32_t n_now;
	struct override v[OVERRIDES_MAX];
	int32_t n;
	struct kerr_why why;
};

static struct kerr_why alter_resource(struct ctl_result *, const Weir__AlterConfigs *, size_t at);
static bool find_resource(struct edit *);
static bool apply_op(struct edit *, const Weir__AlterConfig *);
static bool edit_list(struct edit *, struct override *, const Weir__AlterConfig *);
static void restore_min_isr(struct edit *);
static struct kerr_why finish(struct edit *);
static void write_differences(struct edit *);
static const struct conf_row *row_of(const struct edit *, struct str name);

#define WHY(...) because(e->r, __VA_ARGS__)

/* Resources are independent: one that is refused leaves the others to succeed. */
void decide_alter_configs(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__AlterConfigs *m = cmd->alter_configs;
	Weir__ConfigResults *out = arena_must(r->arena, sizeof(*out));

	if (is_too_much(r, m->n_resources, REQUEST_RESOURCES_MAX, "resources"))
		return;
	*out = (Weir__ConfigResults)WEIR__CONFIG_RESULTS__INIT;
	out->resources = arena_must(r->arena, m->n_resources * sizeof(*out->resources) + 1);
	out->n_resources = m->n_resources;
	for (size_t i = 0; i < m->n_resources; i++) {
		Weir__ConfigResult *one = out->resources[i] = arena_must(r->arena, sizeof(*one));
		struct kerr_why w = alter_resource(r, m, i);

		*one = (Weir__ConfigResult)WEIR__CONFIG_RESULT__INIT;
		one->type = m->resources[i]->type;
		one->name = zdup(r, str_of(m->resources[i]->name));
		one->code = (int32_t)w.code;
		one->message = w.message;
	}
	/* An unclean election that was only tried out is not one that an operator should hear
	 * of. */
	if (m->has_validate_only && m->validate_only)
		r->n_records = r->n_unclean = 0;
	r->reply.body_case = WEIR__RESPONSE__BODY_CONFIGS;
	r->reply.configs = out;
}

/* The overrides as they are, then each operation on them in turn, then one check of the outcome.
 * replace_all (the older AlterConfigs, API 33) starts from nothing instead. */
static struct kerr_why alter_resource(struct ctl_result *r, const Weir__AlterConfigs *m, size_t at)
{
	struct edit edit = { .r = r, .m = m->resources[at] }, *e = &edit;

	for (size_t j = 0; j < m->n_resources; j++)
		if (j != at && m->resources[j]->type == e->m->type &&
		    strcmp(m->resources[j]->name, e->m->name) == 0)
			return WHY(KERR_INVALID_REQUEST, "Each resource must appear at most once.");
	if (!find_resource(e))
		return e->why;
	if (e->n_now + (int64_t)e->m->n_configs > OVERRIDES_MAX)
		return WHY(KERR_INVALID_CONFIG, "More than %d configs for one resource.",
			   OVERRIDES_MAX);
	/* A replaced override stays in the list, without a value: the difference is what removes
	 * it. */
	for (int32_t i = 0; i < e->n_now; i++) {
		bool is_replaced = e->m->has_replace_all && e->m->replace_all;

		e->v[e->n++] =
			(struct override){ e->now[i].name,
					   is_replaced ? (struct str){ NULL, 0 } : e->now[i].value,
					   false };
	}
	for (size_t i = 0; i < e->m->n_configs; i++)
		if (!apply_op(e, e->m->configs[i]))
			return e->why;
	restore_min_isr(e);
	return finish(e);
}

/* Taken back means back to the default, and here that is what a new topic would get.  Else the
 * older AlterConfigs, in which a client that never heard of our default names the one config it
 * wants to change, would lower min.insync.replicas to 1 without a word. */
static void restore_min_isr(struct edit *e)
{
	int32_t want =
		e->topic != NULL ? default_min_isr(e->r, e->topic->partitions[0].replicas.n) : 1;

	for (int32_t i = 0; i < e->n && want > 1; i++)
		if (str_eq(e->v[i].name, STR("min.insync.replicas")) && str_null(e->v[i].value))
			e->v[i].value = str_of(zprintf(e->r, "%d", want));
}

/* Topic by name, broker by id, every broker by the empty name. */
static bool find_resource(struct edit *e)
{
	const struct image *im = view(e->r);
	struct str name = str_of(e->m->name);
	const struct image_broker *b;
	int32_t id;

	if (e->m->type == IMAGE_TOPIC) {
		e->topic = image_topic_named(im, name);
		if (e->topic == NULL) {
			e->why = WHY(KERR_UNKNOWN_TOPIC_OR_PARTITION,
				     "The topic '%s' does not exist.", e->m->name);
			return false;
		}
		e->now = e->topic->configs;
		e->n_now = e->topic->n_configs;
		return true;
	}
	if (e->m->type != IMAGE_BROKER) {
		e->why = WHY(
			KERR_INVALID_REQUEST,
			"Configs of resource type %d cannot be altered; 2 is topic, 4 is broker.",
			e->m->type);
		return false;
	}
	e->now = im->broker_configs;
	e->n_now = im->n_broker_configs;
	if (name.n == 0)
		return true;
	if (parse_i32(name, &id) != ERR_OK) {
		e->why = WHY(KERR_INVALID_REQUEST,
			     "'%s' is no broker id; an empty name means every broker.", e->m->name);
		return false;
	}
	b = image_broker(im, id);
	if (b == NULL) {
		e->why = WHY(KERR_BROKER_ID_NOT_REGISTERED, "No broker with id %d is registered.",
			     id);
		return false;
	}
	e->now = b->configs;
	e->n_now = b->n_configs;
	return true;
}

/* Kafka refuses two operations on one key in a request, because their order would matter. */
static bool apply_op(struct edit *e, const Weir__AlterConfig *op)
{
	struct str name = str_of(op->name);
	struct override *o = NULL;

	for (int32_t i = 0; i < e->n && o == NULL; i++)
		if (str_eq(e->v[i].name, name))
			o = &e->v[i];
	if (o != NULL && o->is_touched) {
		e->why = WHY(KERR_INVALID_REQUEST, "Error due to duplicate config keys: %s",
			     op->name);
		return false;
	}
	if (o == NULL) {
		o = &e->v[e->n++];
		*o = (struct override){ .name = name };
	}
	o->is_touched = true;
	if (op->op == WEIR__CONFIG_OP__CONFIG_DELETE) {
		o->value = (struct str){ NULL, 0 };
		return true;
	}
	if (name.n == 0 || op->value == NULL) {
		e->why = WHY(KERR_INVALID_REQUEST, "Null value not supported for : %s", op->name);
		return false;
	}
	if (name.n > NAME_MAX || strlen(op->value) > TEXT_MAX) {
		e->why = WHY(KERR_INVALID_CONFIG,
			     "A config's name has at most %d bytes and its value %d.", NAME_MAX,
			     TEXT_MAX);
		return false;
	}
	if (op->op == WEIR__CONFIG_OP__CONFIG_SET) {
		o->value = str_of(op->value);
		return true;
	}
	return edit_list(e, o, op);
}

/* APPEND and SUBTRACT work on lists, from the override or, without one, from the default. */
static bool edit_list(struct edit *e, struct override *o, const Weir__AlterConfig *op)
{
	const struct conf_row *row = row_of(e, o->name);
	struct str have = o->value, rest = str_of(op->value), one;
	char *at;
	struct text t;
	size_t cap;

	if (row == NULL || row->type != CONF_STR) {
		e->why = WHY(
			KERR_INVALID_CONFIG, "Can't %s to key %s because its type is not LIST.",
			op->op == WEIR__CONFIG_OP__CONFIG_APPEND ? "APPEND" : "SUBTRACT", op->name);
		return false;
	}
	if (str_null(have))
		have = str_of(row->def);
	cap = have.n + rest.n + 2;
	at = arena_must(e->r->arena, cap);
	text_init(&t, at, cap);
	/* APPEND first takes out what it will add: an element that is there already is not there
	 * twice, which also makes the request the same when it comes again. */
	for (struct str left = have; left.n > 0 && str_cut(&left, ',', &one);) {
		bool is_named = false;
		struct str ops = rest, drop;

		while (ops.n > 0 && str_cut(&ops, ',', &drop))
			is_named |= str_eq(str_trim(drop), str_trim(one));
		if (!is_named)
			text_printf(&t, "%s%.*s", t.n > 0 ? "," : "", (int)str_trim(one).n,
				    str_trim(one).at);
	}
	while (op->op == WEIR__CONFIG_OP__CONFIG_APPEND && rest.n > 0 && str_cut(&rest, ',', &one))
		text_printf(&t, "%s%.*s", t.n > 0 ? "," : "", (int)str_trim(one).n,
			    str_trim(one).at);
	ASSERT(!t.cut);
	o->value = (struct str){ t.at, t.n };
	if (t.n > TEXT_MAX)
		e->why = WHY(KERR_INVALID_CONFIG, "The list of %s would have more than %d bytes.",
			     op->name, TEXT_MAX);
	return t.n <= TEXT_MAX;
}

/* A broker knows a topic config under the broker's name for it; besides, some options of its own
 * (dynamic_conf.h).  Nothing else about a broker can change while it runs, and to accept what has
 * no effect would be a lie. */
static const struct conf_row *row_of(const struct edit *e, struct str name)
{
	if (e->topic != NULL)
		return topic_conf_row(name);
	for (int i = 0; i < topic_conf_n_rows; i++)
		if (topic_conf_rows[i].alias != NULL &&
		    str_eq(str_of(topic_conf_rows[i].alias), name))
			return &topic_conf_rows[i];
	return dynamic_conf_row(name);
}

static enum err check_value(const struct edit *e, const struct conf_row *row,
			    const struct override *o, char *why, size_t cap)
{
	bool is_own = e->topic == NULL && row == dynamic_conf_row(o->name);

	if (is_own)
		return conf_check(row, o->value, why, cap);
	if (row != NULL && topic_conf_is_shared(row) && e->topic == NULL && e->m->name[0] != 0) {
		snprintf(why, cap,
			 "%s must be the same on every broker: set it for a topic, or as the "
			 "default of the cluster (broker \"\")",
			 row->name);
		return ERR_INVALID;
	}
	return topic_conf_check(row != NULL ? str_of(row->name) : o->name, o->value, why, cap);
}

/* Checks what was touched only: an override that an older version accepted must not block the next
 * change.  Allowing unclean elections is acted on at once, as in Kafka: that is why it was set; and
 * so is another min.insync.replicas, before a leader hears of it. */
static struct kerr_why finish(struct edit *e)
{
	struct topic_conf conf;
	char text[512];
	int32_t min_isr;
	bool was_unclean;
	const struct image *im;

	topic_conf_of(&e->r->ctl->options->topic, view(e->r), -1, e->topic, &conf);
	was_unclean = conf.unclean_election;
	min_isr = conf.min_insync_replicas;
	for (int32_t i = 0; i < e->n; i++) {
		const struct conf_row *row = row_of(e, e->v[i].name);

		if (!e->v[i].is_touched || str_null(e->v[i].value))
			continue;
		if (row == NULL && e->topic == NULL)
			return WHY(
				KERR_INVALID_CONFIG,
				"%.*s cannot change while brokers run: only the defaults of topics "
				"and a few others can; set it in each broker's file and restart",
				(int)e->v[i].name.n, e->v[i].name.at);
		if (check_value(e, row, &e->v[i], text, sizeof(text)) != ERR_OK)
			return WHY(KERR_INVALID_CONFIG, "%s", text);
	}
	/* Rows of view() live until the next record is emitted, so after each of the following
	 * steps the topic is looked up again. */
	write_differences(e);
	im = view(e->r);
	if (e->topic != NULL)
		e->topic = image_topic_named(im, str_of(e->m->name));
	topic_conf_of(&e->r->ctl->options->topic, im, -1, e->topic, &conf);
	if (conf.min_insync_replicas != min_isr) {
		refresh_elr(e->r, im, e->topic, "min.insync.replicas changed");
		im = view(e->r);
		if (e->topic != NULL)
			e->topic = image_topic_named(im, str_of(e->m->name));
	}
	if (conf.unclean_election && !was_unclean)
		elect_leaderless(e->r, im, e->topic, "unclean.leader.election.enable was set");
	return (struct kerr_why){
		KERR_NONE, e->topic != NULL
				   ? config_warning(e->r, &conf, e->topic->partitions[0].replicas.n)
				   : NULL
	};
}

/* Setting a config to what it is already writes nothing. */
static void write_differences(struct edit *e)
{
	for (int32_t i = 0; i < e->n; i++) {
		struct str old = { NULL, 0 };
		Weir__ConfigRecord *c;

		for (int32_t k = 0; k < e->n_now; k++)
			if (str_eq(e->now[k].name, e->v[i].name))
				old = e->now[k].value;
		if (str_eq(old, e->v[i].value))
			continue;
		c = emit_config(e->r);
		c->resource_type = e->m->type;
		c->resource = zdup(e->r, str_of(e->m->name));
		c->name = zdup(e->r, e->v[i].name);
		c->value = zdup(e->r, e->v[i].value);
	}
}

/* Linear in the square of n, which is bounded above. */
struct kerr_why check_configs(struct ctl_result *r, Weir__Config *const *v, size_t n)
{
	char text[512];

	if (n > OVERRIDES_MAX)
		return because(r, KERR_INVALID_CONFIG, "More than %d configs for one topic.",
			       OVERRIDES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (v[i]->value == NULL)
			return because(r, KERR_INVALID_CONFIG,
				       "Null value not supported for topic configs: %s",
				       v[i]->name);
		if (strlen(v[i]->value) > TEXT_MAX)
			return because(r, KERR_INVALID_CONFIG,
				       "The value of %.*s has more than %d bytes.", NAME_MAX,
				       v[i]->name, TEXT_MAX);
		for (size_t j = 0; j < i; j++)
			if (strcmp(v[j]->name, v[i]->name) == 0)
				return because(r, KERR_INVALID_CONFIG,
					       "The config %s is given twice.", v[i]->name);
		if (topic_conf_check(str_of(v[i]->name), str_of(v[i]->value), text, sizeof(text)) !=
		    ERR_OK)
			return because(r, KERR_INVALID_CONFIG, "%s", text);
	}
	return (struct kerr_why){ KERR_NONE, NULL };
}

/* Accepted as Kafka accepts it, but said. */
char *config_warning(struct ctl_result *r, const struct topic_conf *c, int32_t replication_factor)
{
	if (c->min_insync_replicas > replication_factor)
		return zprintf(r,
			       "min.insync.replicas is %d but the topic has %d replica(s): every "
			       "write with acks=all will be refused.",
			       c->min_insync_replicas, replication_factor);
	if (c->min_compaction_lag_ms > c->max_compaction_lag_ms)
		return zprintf(r, "min.compaction.lag.ms is larger than max.compaction.lag.ms.");
	return NULL;
}
