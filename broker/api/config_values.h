/* config_values.h - where a config's value comes from: every level that says something, the
 * strongest first, as DescribeConfigs and CreateTopics tell it.
 *
 * Texts belong to the request's arena, its image or the broker's options. */
#pragma once
#include "broker/api/api.h"
#include "common/meta/topic_conf.h"

enum config_source {                     /* Kafka's, on the wire */
	CONFIG_OF_TOPIC = 1,
	CONFIG_OF_BROKER = 2,            /* dynamic, this broker alone */
	CONFIG_OF_CLUSTER = 3,           /* dynamic, every broker */
	CONFIG_OF_FILE = 4,
	CONFIG_DEFAULT = 5,
};
struct config_level {
	struct str name, value;          /* the name it has at that level */
	int8_t source;
};
#define CONFIG_LEVELS_MAX 5

/* Each gives at least one level; v[0] is in force.  topic NULL: of a topic without overrides. */
int config_topic_levels(struct req *, const struct image_topic *, const struct conf_row *,
			struct config_level v[CONFIG_LEVELS_MAX]);
int config_broker_levels(struct req *, const struct conf_row *,
			 struct config_level v[CONFIG_LEVELS_MAX]);
/* This broker in the request's image; NULL: not there. */
const struct image_broker *config_self(const struct req *);
/* Rows for tests, which nobody is shown. */
bool config_is_internal(const struct conf_row *);
