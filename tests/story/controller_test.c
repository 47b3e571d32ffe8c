/* Runs tests/story/controller/NAME.txt: a script, a line of dashes, the narrative it must give.
 * STORY_UPDATE=1 in the environment writes the narratives anew: read the diff.
 *
 *   register ID [same] [alive] [clean|was=N] [rack=R]
 *       same process again; while the old one is connected; with all it had, at the present epoch
 *       or that one
 *   fence|unfence|leave|unregister|hold|let_in ID
 *   create NAME [partitions=N] [rf=N] [assign=1,2;2,3] [NAME=VALUE]...
 *   delete NAME | grow NAME COUNT | ids BROKER | rebalance | show | replay
 *   alter LEADER TOPIC/P ISR [leader_epoch=N] [partition_epoch=N] [epoch=N] [recovered]
 *   set|unset|append|subtract|replace TOPIC|- NAME [VALUE]       replace: the older AlterConfigs
 *   elect preferred|unclean TOPIC/P|all
 *   safe        new topics get min.insync.replicas=2, as they do by default
 *   lose ID TOPIC/P [offline] [damaged]     told of a replica by its broker
 *   activate | feature NAME LEVEL up|down
 *   reassign TOPIC/P IDS|cancel [same_rf]
 * Behind any of them: by=BROKER/N, that broker's request N, which may come again. */
#include "tests/lib/tale.h"
#include "tests/lib/test.h"
#include "tests/story/ctlworld.h"

#include <stdio.h>
#include <stdlib.h>

#define WORDS 12

struct words {
	char text[512];
	char *v[WORDS];
	int n;
};
typedef bool verb(struct ctlworld *, const struct words *);

/* The value of NAME=VALUE among the words; NULL: not there. */
static const char *option(const struct words *x, const char *name)
{
	size_t n = strlen(name);

	for (int i = 1; i < x->n; i++)
		if (strncmp(x->v[i], name, n) == 0 && x->v[i][n] == '=')
			return x->v[i] + n + 1;
	return NULL;
}

static bool has(const struct words *x, const char *word)
{
	for (int i = 1; i < x->n; i++)
		if (strcmp(x->v[i], word) == 0)
			return true;
	return false;
}

static int32_t number(const char *z, int32_t otherwise)
{
	int32_t n;

	return z != NULL && parse_i32(str_of(z), &n) == ERR_OK ? n : otherwise;
}

static size_t ids_of(const char *z, int32_t *to)
{
	struct str rest = str_of(z), one;
	size_t n = 0;

	while (rest.n > 0 && str_cut(&rest, ',', &one) && n < IMAGE_REPLICAS_MAX)
		if (parse_i32(one, &to[n]) == ERR_OK)
			n++;
	return n;
}

/* Cuts TOPIC/P. */
static int32_t partition_of(char *z)
{
	char *slash = strchr(z, '/');

	if (slash == NULL)
		return -1;
	*slash = 0;
	return number(slash + 1, -1);
}

static bool do_register(struct ctlworld *w, const struct words *x)
{
	int32_t id = number(x->v[1], 0);

	w->previous_epoch = has(x, "clean") ? ctlworld_epoch(w, id) : number(option(x, "was"), -1);
	ctlworld_register(w, id, option(x, "rack"), !has(x, "same"), has(x, "alive"));
	return true;
}

static bool do_broker(struct ctlworld *w, const struct words *x)
{
	enum ctl_kind kind = x->v[0][0] == 'f'   ? CTL_FENCE
			     : x->v[0][0] == 'u' ? CTL_UNFENCE
						 : CTL_BEGIN_SHUTDOWN;

	ctlworld_broker(w, kind, number(x->v[1], 0),
			kind == CTL_FENCE ? "connection closed" : "caught up");
	return true;
}

static bool do_unregister(struct ctlworld *w, const struct words *x)
{
	Weir__UnregisterBroker m = WEIR__UNREGISTER_BROKER__INIT;
	struct ctl_cmd cmd = { .kind = CTL_UNREGISTER, .unregister = &m };

	m.id = number(x->v[1], 0);
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_hold(struct ctlworld *w, const struct words *x)
{
	Weir__HoldBroker m = WEIR__HOLD_BROKER__INIT;
	struct ctl_cmd cmd = { .kind = CTL_HOLD, .hold = &m };

	m.id = number(x->v[1], 0);
	m.held = strcmp(x->v[0], "hold") == 0;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_create(struct ctlworld *w, const struct words *x)
{
	Weir__CreateTopics m = WEIR__CREATE_TOPICS__INIT;
	Weir__CreateTopic t = WEIR__CREATE_TOPIC__INIT, *topics[] = { &t };
	Weir__Config configs[WORDS], *at[WORDS];
	Weir__BrokerIds ids[WORDS], *assigned[WORDS];
	int32_t v[WORDS][IMAGE_REPLICAS_MAX];
	struct ctl_cmd cmd = { .kind = CTL_CREATE_TOPICS, .create_topics = &m };
	char *more;

	t.name = x->v[1];
	t.partitions = number(option(x, "partitions"), -1);
	t.replication_factor = number(option(x, "rf"), -1);
	t.assignments = assigned;
	t.configs = at;
	for (char *z = (char *)(uintptr_t)option(x, "assign"); z != NULL; z = more) {
		if ((more = strchr(z, ';')) != NULL)
			*more++ = 0;
		ids[t.n_assignments] = (Weir__BrokerIds)WEIR__BROKER_IDS__INIT;
		ids[t.n_assignments].id = v[t.n_assignments];
		ids[t.n_assignments].n_id = ids_of(z, v[t.n_assignments]);
		assigned[t.n_assignments] = &ids[t.n_assignments];
		t.n_assignments++;
	}
	for (int i = 2; i < x->n; i++) {
		char *is = strchr(x->v[i], '=');

		if (is == NULL || strchr(x->v[i], '.') == NULL)
			continue;
		*is = 0;
		configs[t.n_configs] = (Weir__Config)WEIR__CONFIG__INIT;
		configs[t.n_configs].name = x->v[i];
		configs[t.n_configs].value = is + 1;
		at[t.n_configs] = &configs[t.n_configs];
		t.n_configs++;
	}
	m.topics = topics;
	m.n_topics = 1;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_delete(struct ctlworld *w, const struct words *x)
{
	Weir__DeleteTopics m = WEIR__DELETE_TOPICS__INIT;
	Weir__DeleteTopic t = WEIR__DELETE_TOPIC__INIT, *topics[] = { &t };
	struct ctl_cmd cmd = { .kind = CTL_DELETE_TOPICS, .delete_topics = &m };

	t.name = x->v[1];
	m.topics = topics;
	m.n_topics = 1;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_grow(struct ctlworld *w, const struct words *x)
{
	Weir__CreatePartitions m = WEIR__CREATE_PARTITIONS__INIT;
	Weir__CreatePartitionsTopic t = WEIR__CREATE_PARTITIONS_TOPIC__INIT, *topics[] = { &t };
	struct ctl_cmd cmd = { .kind = CTL_CREATE_PARTITIONS, .create_partitions = &m };

	t.name = x->v[1];
	t.count = number(x->v[2], 0);
	m.topics = topics;
	m.n_topics = 1;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_ids(struct ctlworld *w, const struct words *x)
{
	Weir__AllocateProducerIds m = WEIR__ALLOCATE_PRODUCER_IDS__INIT;
	struct ctl_cmd cmd = { .kind = CTL_PRODUCER_IDS, .producer_ids = &m };

	m.broker = number(x->v[1], 0);
	m.broker_epoch = number(option(x, "epoch"), (int32_t)ctlworld_epoch(w, m.broker));
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_alter(struct ctlworld *w, const struct words *x)
{
	Weir__AlterPartition m = WEIR__ALTER_PARTITION__INIT;
	Weir__AlterPartitionItem item = WEIR__ALTER_PARTITION_ITEM__INIT, *items[] = { &item };
	Weir__IsrMember members[IMAGE_REPLICAS_MAX], *isr[IMAGE_REPLICAS_MAX];
	struct ctl_cmd cmd = { .kind = CTL_ALTER_PARTITION, .alter_partition = &m };
	int32_t ids[IMAGE_REPLICAS_MAX], partition = partition_of(x->v[2]);
	const struct image_topic *t = image_topic_named(w->ctl.image, str_of(x->v[2]));
	const struct image_partition *p = t != NULL ? image_partition(t, partition) : NULL;
	struct uuid id = t != NULL ? t->id : (struct uuid){ { 9 } };

	m.broker = number(x->v[1], 0);
	m.broker_epoch = number(option(x, "epoch"), (int32_t)ctlworld_epoch(w, m.broker));
	m.items = items;
	m.n_items = 1;
	item.topic_id = (ProtobufCBinaryData){ 16, id.b };
	item.partition = partition;
	item.leader_epoch = (p ? p->leader_epoch : 0) + number(option(x, "leader_epoch"), 0);
	item.partition_epoch =
		(p ? p->partition_epoch : 0) + number(option(x, "partition_epoch"), 0);
	item.n_isr = ids_of(x->v[3], ids);
	item.isr = isr;
	for (size_t i = 0; i < item.n_isr; i++) {
		members[i] = (Weir__IsrMember)WEIR__ISR_MEMBER__INIT;
		members[i].id = ids[i];
		members[i].has_broker_epoch = true;
		members[i].broker_epoch = has(x, "stale") ? 0 : ctlworld_epoch(w, ids[i]);
		isr[i] = &members[i];
	}
	item.has_recovery = has(x, "recovered");
	item.recovery = WEIR__RECOVERY_STATE__RECOVERED;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_lose(struct ctlworld *w, const struct words *x)
{
	Weir__ReportLost m = WEIR__REPORT_LOST__INIT;
	Weir__LostReplica lost = WEIR__LOST_REPLICA__INIT, *replicas[] = { &lost };
	struct ctl_cmd cmd = { .kind = CTL_REPORT_LOST, .report_lost = &m };
	const struct image_topic *t;
	struct uuid id;

	lost.partition = partition_of(x->v[2]);
	t = image_topic_named(w->ctl.image, str_of(x->v[2]));
	if (t == NULL)
		return false;
	id = t->id;
	lost.topic_id = (ProtobufCBinaryData){ 16, id.b };
	lost.is_offline = has(x, "offline");
	lost.is_damaged = has(x, "damaged");
	m.broker = number(x->v[1], 0);
	m.broker_epoch = ctlworld_epoch(w, m.broker);
	m.replicas = replicas;
	m.n_replicas = 1;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_config(struct ctlworld *w, const struct words *x)
{
	Weir__AlterConfigs m = WEIR__ALTER_CONFIGS__INIT;
	Weir__AlterConfigsResource r = WEIR__ALTER_CONFIGS_RESOURCE__INIT, *resources[] = { &r };
	Weir__AlterConfig c = WEIR__ALTER_CONFIG__INIT, *configs[] = { &c };
	struct ctl_cmd cmd = { .kind = CTL_ALTER_CONFIGS, .alter_configs = &m };

	c.op = x->v[0][0] == 'a'   ? WEIR__CONFIG_OP__CONFIG_APPEND
	       : x->v[0][0] == 'u' ? WEIR__CONFIG_OP__CONFIG_DELETE
	       : x->v[0][1] == 'u' ? WEIR__CONFIG_OP__CONFIG_SUBTRACT
				   : WEIR__CONFIG_OP__CONFIG_SET;
	c.name = x->v[2];
	c.value = x->n > 3 ? x->v[3] : NULL;
	r.type = strcmp(x->v[1], "-") == 0 ? IMAGE_BROKER : IMAGE_TOPIC;
	r.name = r.type == IMAGE_BROKER ? (char[]){ "" } : x->v[1];
	r.configs = configs;
	r.n_configs = 1;
	r.has_replace_all = r.replace_all = x->v[0][0] == 'r';
	m.resources = resources;
	m.n_resources = 1;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_elect(struct ctlworld *w, const struct words *x)
{
	Weir__ElectLeaders m = WEIR__ELECT_LEADERS__INIT;
	Weir__ElectPartition p = WEIR__ELECT_PARTITION__INIT, *v[] = { &p };
	struct ctl_cmd cmd = { .kind = CTL_ELECT_LEADERS, .elect_leaders = &m };

	m.type = strcmp(x->v[1], "unclean") == 0;
	m.has_all = m.all = strcmp(x->v[2], "all") == 0;
	if (!m.all) {
		p.partition = partition_of(x->v[2]);
		p.topic = x->v[2];
		m.partitions = v;
		m.n_partitions = 1;
	}
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_reassign(struct ctlworld *w, const struct words *x)
{
	Weir__ReassignPartitions m = WEIR__REASSIGN_PARTITIONS__INIT;
	Weir__ReassignPartition p = WEIR__REASSIGN_PARTITION__INIT, *v[] = { &p };
	Weir__BrokerIds ids = WEIR__BROKER_IDS__INIT;
	int32_t to[IMAGE_REPLICAS_MAX];
	struct ctl_cmd cmd = { .kind = CTL_REASSIGN, .reassign = &m };

	p.partition = partition_of(x->v[1]);
	p.topic = x->v[1];
	ids.id = to;
	ids.n_id = ids_of(x->v[2], to);
	p.replicas = strcmp(x->v[2], "cancel") == 0 ? NULL : &ids;
	m.has_allow_replication_factor_change = true;
	m.allow_replication_factor_change = !has(x, "same_rf");
	m.partitions = v;
	m.n_partitions = 1;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_activate(struct ctlworld *w, const struct words *x)
{
	struct ctl_cmd cmd = { .kind = CTL_ACTIVATE, .activate.controller = 101 };

	(void)x;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_feature(struct ctlworld *w, const struct words *x)
{
	Weir__UpdateFeatures m = WEIR__UPDATE_FEATURES__INIT;
	Weir__FeatureUpdate u = WEIR__FEATURE_UPDATE__INIT, *v[] = { &u };
	struct ctl_cmd cmd = { .kind = CTL_UPDATE_FEATURES, .update_features = &m };

	u.name = x->v[1];
	u.level = number(x->v[2], 0);
	u.upgrade_type = strcmp(x->v[3], "up") == 0 ? 1 : 2;
	m.updates = v;
	m.n_updates = 1;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_safe(struct ctlworld *w, const struct words *x)
{
	(void)x;
	w->options.default_min_insync = -1;
	return true;
}

static bool do_rebalance(struct ctlworld *w, const struct words *x)
{
	struct ctl_cmd cmd = { .kind = CTL_REBALANCE };

	(void)x;
	(void)ctlworld_do(w, &cmd);
	return true;
}

static bool do_show(struct ctlworld *w, const struct words *x)
{
	(void)x;
	ctlworld_show(w);
	return true;
}

static bool do_replay(struct ctlworld *w, const struct words *x)
{
	(void)x;
	text_printf(w->tale, "         %lld records replayed: the state is %s\n",
		    (long long)w->n_log, ctlworld_replays(w) ? "the same" : "another");
	return true;
}

static const struct {
	const char *name;
	int min_words;
	verb *run;
} verbs[] = {
	{ "register", 2, do_register },
	{ "fence", 2, do_broker },
	{ "unfence", 2, do_broker },
	{ "leave", 2, do_broker },
	{ "unregister", 2, do_unregister },
	{ "hold", 2, do_hold },
	{ "let_in", 2, do_hold },
	{ "create", 2, do_create },
	{ "delete", 2, do_delete },
	{ "grow", 3, do_grow },
	{ "ids", 2, do_ids },
	{ "alter", 4, do_alter },
	{ "set", 4, do_config },
	{ "unset", 3, do_config },
	{ "append", 4, do_config },
	{ "replace", 4, do_config },
	{ "subtract", 4, do_config },
	{ "elect", 3, do_elect },
	{ "activate", 1, do_activate },
	{ "feature", 4, do_feature },
	{ "reassign", 3, do_reassign },
	{ "rebalance", 1, do_rebalance },
	{ "lose", 3, do_lose },
	{ "safe", 1, do_safe },
	{ "show", 1, do_show },
	{ "replay", 1, do_replay },
};

/* by=BROKER/N: it has the answers to all requests before the one before N. */
static void take_asker(struct ctlworld *w, struct words *x)
{
	struct str rest, broker;
	int32_t n;

	w->number = 0;
	if (x->n < 2 || strncmp(x->v[x->n - 1], "by=", 3) != 0)
		return;
	rest = str_of(x->v[--x->n] + 3);
	ASSERT(str_cut(&rest, '/', &broker) && parse_i32(broker, &w->asker) == ERR_OK &&
	       parse_i32(rest, &n) == ERR_OK);
	w->number = n;
	w->answered_below = n - 1;
}

static bool run_line(struct ctlworld *w, struct str line)
{
	struct words x = { .n = 0 };
	struct text t;
	char *save = NULL;

	text_init(&t, x.text, sizeof(x.text));
	text_str(&t, line);
	for (char *z = strtok_r(x.text, " ", &save); z != NULL && x.n < WORDS;
	     z = strtok_r(NULL, " ", &save))
		x.v[x.n++] = z;
	take_asker(w, &x);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(x.v[0], verbs[i].name) == 0 && x.n >= verbs[i].min_words) {
			text_printf(w->tale, "%.*s\n", (int)line.n, line.at);
			return verbs[i].run(w, &x);
		}
	return false;
}

static void perform(const char *path, struct str script, struct text *tale)
{
	struct ctlworld w;
	struct str line;

	ctlworld_init(&w);
	w.tale = tale;
	while (str_cut(&script, '\n', &line)) {
		line = str_trim(line);
		if (line.n > 0 && line.at[0] != '#' && !run_line(&w, line))
			FAIL("%s: no such line: %.*s", path, (int)line.n, line.at);
	}
	ctlworld_fini(&w);
}

TEST(stories)
{
	tales_run("tests/story/controller", perform);
}
