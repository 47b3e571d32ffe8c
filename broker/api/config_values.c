/* config_values.c - every level that says something about a config, the strongest first.
 *
 *   topic        this broker, dynamic   all brokers, dynamic   options file   default
 *
 * The same order decides in topic_conf_of (common/meta/topic_conf.c), which is what partitions run
 * on. */
#include "broker/api/config_values.h"

#include "common/base/text.h"

static int dynamic_levels(struct req *, const char *name, struct config_level *v);
static bool file_says(const struct req *, const struct conf_row *topic_row);
static void add(struct config_level *v, int *n, struct str name, struct str value,
		enum config_source);

int config_topic_levels(struct req *q, const struct image_topic *t, const struct conf_row *row,
			struct config_level v[CONFIG_LEVELS_MAX])
{
	const struct broker_conf *c = q->shard->broker->conf;
	struct str name = str_of(row->name), alias = row->alias ? str_of(row->alias) : name;
	char tmp[64];
	int n = 0;

	if (t)
		add(v, &n, name, image_topic_config(t, name), CONFIG_OF_TOPIC);
	if (row->alias)
		n += dynamic_levels(q, row->alias, v + n);
	if (file_says(q, row))
		add(v, &n, alias,
		    arena_str(&q->arena, topic_conf_text(&c->topic, row, tmp, sizeof(tmp))),
		    CONFIG_OF_FILE);
	add(v, &n, alias, str_of(row->def ? row->def : ""), CONFIG_DEFAULT);
	return n;
}

int config_broker_levels(struct req *q, const struct conf_row *row,
			 struct config_level v[CONFIG_LEVELS_MAX])
{
	const struct conf_store *store = q->shard->broker->store;
	int n = dynamic_levels(q, row->name, v);
	char tmp[64];

	if (conf_is_set(store, row) && !topic_conf_is_shared(row))
		add(v, &n, str_of(row->name),
		    arena_str(&q->arena, conf_value(store, row, tmp, sizeof(tmp))), CONFIG_OF_FILE);
	add(v, &n, str_of(row->name), str_of(row->def), CONFIG_DEFAULT);
	if (n == 0)
		v[n++] = (struct config_level){ str_of(row->name), { NULL, 0 }, CONFIG_DEFAULT };
	return n;
}

const struct image_broker *config_self(const struct req *q)
{
	return q->image ? image_broker(q->image, q->shard->broker->conf->node_id) : NULL;
}

bool config_is_internal(const struct conf_row *row)
{
	return strncmp(row->name, "internal.", 9) == 0;
}

/* Both dynamic levels know a config by its broker name. */
static int dynamic_levels(struct req *q, const char *name, struct config_level *v)
{
	const struct image_broker *self = config_self(q);
	int n = 0;

	for (int32_t i = 0; self && i < self->n_configs; i++)
		if (str_eq(self->configs[i].name, str_of(name)))
			add(v, &n, str_of(name), self->configs[i].value, CONFIG_OF_BROKER);
	for (int32_t i = 0; q->image && i < q->image->n_broker_configs; i++)
		if (str_eq(q->image->broker_configs[i].name, str_of(name)))
			add(v, &n, str_of(name), q->image->broker_configs[i].value,
			    CONFIG_OF_CLUSTER);
	return n;
}

/* The two times may stand in the file under coarser names, too (broker_conf.c). */
static bool file_says(const struct req *q, const struct conf_row *topic_row)
{
	static const char *const coarser[][3] = {
		{ "log.retention.ms", "log.retention.minutes", "log.retention.hours" },
		{ "log.roll.ms", "log.roll.hours", NULL },
	};
	const struct broker *b = q->shard->broker;

	if (!topic_row->alias || topic_conf_is_shared(topic_row))
		return false;
	if (conf_is_set(b->store, conf_find(b->rows, b->n_rows, str_of(topic_row->alias))))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(coarser); i++)
		for (int k = 1;
		     strcmp(coarser[i][0], topic_row->alias) == 0 && k < 3 && coarser[i][k]; k++)
			if (conf_is_set(b->store,
					conf_find(b->rows, b->n_rows, str_of(coarser[i][k]))))
				return true;
	return false;
}

static void add(struct config_level *v, int *n, struct str name, struct str value,
		enum config_source source)
{
	if (!str_null(value))
		v[(*n)++] = (struct config_level){ name, value, (int8_t)source };
}
