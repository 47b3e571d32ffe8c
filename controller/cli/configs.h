/* configs.h - configs of one topic or broker, asked of the brokers: only they know what their files
 * say. */
#pragma once
#include "controller/cli/view.h"
#include "kafka/describe_configs.h"

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };

struct config_resource {
	int type;
	const char *name; /* of a broker: its id, or nothing for all of them */
};
/* "topics/NAME", "brokers/ID", "brokers/"; an exit code. */
must_check int configs_resource(struct cli *, const char *text, struct config_resource *);
/* Is it there?  An exit code. */
must_check int configs_exists(struct cli *, const struct view *, const struct config_resource *);

/* Any live broker is asked for a topic; the broker itself for a broker. */
must_check enum err configs_ask(struct cli *, const struct view *, const struct config_resource *,
				struct describe_configs_response *);
/* The same with a sentence where there is no answer, or a refusal; an exit code. */
must_check int configs_describe(struct cli *, const struct view *, const struct config_resource *,
				struct describe_configs_response *);
const char *configs_source(int source); /* "topic", "broker (dynamic)", ... */
const char *configs_type(int type);     /* "int", "list", ... */
/* Has somebody set it, for this very thing or for what it inherits dynamically? */
bool configs_is_set(const struct config_resource *,
		    const struct describe_configs_response_config *);
/* What would be in force if nobody had set anything; null: unknown or none. */
struct str configs_default(const struct describe_configs_response_config *);
