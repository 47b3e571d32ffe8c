/* local_view.c - what the controller of a local cluster says of it, asked directly. */
#include "controller/cli/local_view.h"
#include "common/base/text.h"
#include "controller/cli/link.h"
#include "controller/cli/profile.h"

#define ASK_MS 3000

static int find_leader(struct cli *, struct local *, const char *partition, struct local_node **);

/* What the active controller says; a standby may not know the newest yet. */
struct image *local_image(struct local *l, int64_t deadline_ms)
{
	Weir__ReadSnapshot read = WEIR__READ_SNAPSHOT__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;

	request.body_case = WEIR__REQUEST__BODY_READ_SNAPSHOT;
	request.read_snapshot = &read;
	for (int i = 0; i < l->n_controllers; i++) {
		struct addr at = { "127.0.0.1", l->nodes[i].port };
		int64_t share_ms = (deadline_ms - cli_now_ms()) / (l->n_controllers - i);

		if (link_ask(l->cli, at, &request, cli_now_ms() + share_ms, &response) ||
		    response->body_case != WEIR__RESPONSE__BODY_SNAPSHOT ||
		    response->status->active_controller != l->nodes[i].id)
			continue;
		return view_fold(response->snapshot);
	}
	return NULL;
}

static struct local_node *find(struct local *l, int32_t id)
{
	for (int i = 0; i < l->n_nodes; i++)
		if (l->nodes[i].id == id)
			return &l->nodes[i];
	return NULL;
}

/* "controller-101" and "broker-2", as their folders are called, are the nodes 101 and 2. */
static struct str number_of(const char *name)
{
	static const char *const roles[] = { "controller-", "broker-" };

	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (strncmp(name, roles[i], strlen(roles[i])) == 0)
			return str_of(name + strlen(roles[i]));
	return str_of(name);
}

int local_choose(struct cli *cli, struct local *l, struct local_node **out)
{
	int32_t id;
	int code;

	local_init(l, cli);
	if ((code = local_open(l)))
		return code;
	local_look(l);
	if (strcmp(cli->args[0], "leader-of") == 0) {
		if (cli->n_args < 2)
			return cli_fail(cli, CLI_USAGE,
					"leader-of what? Write: leader-of orders-0");
		return find_leader(cli, l, cli->args[1], out);
	}
	if (cli->n_args > 1)
		return cli_fail(cli, CLI_USAGE, "one node at a time: what is %s?", cli->args[1]);
	if (parse_i32(number_of(cli->args[0]), &id))
		return cli_fail(cli, CLI_USAGE, "%s is no node: write its id, for example 2",
				cli->args[0]);
	*out = find(l, id);
	if (*out)
		return CLI_OK;
	return cli_fail(cli, CLI_MISSING, "no node %d: brokers are 1 to %d, controllers from %d",
			id, l->n_brokers, LOCAL_CONTROLLER_FIRST);
}

static int find_leader(struct cli *cli, struct local *l, const char *partition,
		       struct local_node **out)
{
	const struct image_topic *topic;
	struct topic_partition tp;
	struct image *image;
	bool is_there;
	int32_t leader = -1;

	if (!cli_partition_arg(cli, partition, &tp))
		return CLI_USAGE;
	image = local_image(l, cli_now_ms() + ASK_MS);
	if (!image)
		return cli_fail(cli, CLI_UNREACHABLE,
				"the controller gives no answer: who leads %s?", partition);
	topic = image_topic_named(image, tp.topic);
	is_there = topic && tp.partition < topic->n_partitions;
	if (is_there)
		leader = topic->partitions[tp.partition].leader;
	image_put(image);
	*out = find(l, leader);
	if (*out)
		return CLI_OK;
	return cli_fail(cli, CLI_MISSING, is_there ? "%s has no leader" : "there is no %s",
			partition);
}

/* ---- what would help ------------------------------------------------------------------------- */

/* Its brokers' addresses stand in the profile then. */
static bool is_of_profile(struct cli *cli, const struct view *v)
{
	const struct image_broker *b = v->image->n_brokers ? v->image->brokers[0] : NULL;
	struct profile local;
	struct str rest, one;

	if (!b || b->n_endpoints == 0 || !profile_load(cli, &local))
		return false;
	rest = str_of(local.bootstrap);
	while (str_cut(&rest, ',', &one))
		if (str_eq(one, arena_printf(&cli->mem, "%.*s:%d", (int)b->endpoints[0].host.n,
					     b->endpoints[0].host.at, b->endpoints[0].port)))
			return true;
	return false;
}

const char *local_remedy(struct cli *cli, const struct view *v, int32_t id)
{
	const struct local_node *node;
	struct local l;

	if (!is_of_profile(cli, v))
		return NULL;
	local_init(&l, cli);
	if (!local_exists(&l) || local_open(&l) != CLI_OK)
		return NULL;
	local_look(&l);
	node = find(&l, id);
	if (!node || node->state == LOCAL_RUNNING)
		return NULL;
	return arena_printf(&cli->mem, "%s local %s %d", cli->program,
			    node->state == LOCAL_PAUSED ? "resume" : "restart", id)
		.at;
}
