/* cmd_fence.c - weir brokers fence and unfence: out of service, and back, while the process runs.
 *
 * The controller holds the broker: neither its heartbeats nor a restart of it ends that. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"
#include "controller/cli/restart.h"
#include "controller/cli/view.h"

#include <stdio.h>

#define LOOK_EVERY_MS 20

struct change {
	struct cli *cli;
	int32_t id, leads;
	bool held;
	const char *old;
};

/* What it leads now, and what to call it; an exit code. */
static int look(struct change *c, const struct view *v)
{
	const struct image_broker *b;
	struct view_walk w;

	if (parse_i32(str_of(c->cli->args[0]), &c->id))
		return cli_fail(c->cli, CLI_USAGE, "%s: a broker's id is a number",
				c->cli->args[0]);
	b = image_broker(v->image, c->id);
	if (!b)
		return cli_fail(c->cli, CLI_MISSING, "no broker %d; see: weir brokers list", c->id);
	c->old = view_broker_text(b);
	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w))
		c->leads += w.partition->leader == c->id;
	return CLI_OK;
}

static int check_harm(const struct change *c, const struct view *v)
{
	struct restart_harm h = restart_harm(v, c->id);

	if (!c->held || cli_switch(c->cli, "allow-unavailable") || h.below + h.offline == 0)
		return CLI_OK;
	return cli_fail(c->cli, CLI_UNSAFE,
			"fencing broker %d would leave %d partitions without a leader and %d below "
			"min.insync.replicas; which: weir cluster can-restart %d; to do it "
			"nevertheless: --allow-unavailable",
			c->id, h.offline, h.below, c->id);
}

static void tell(const struct change *c, const char *is, const char *result)
{
	static const struct out_column columns[] = {
		{ "BROKER", "id", OUT_RIGHT },    { "OLD", "old", OUT_LEFT },
		{ "NEW", "new", OUT_LEFT },       { "LED", "leaders", OUT_RIGHT },
		{ "RESULT", "result", OUT_LEFT },
	};
	struct out o;

	if (out_is_for_people(c->cli)) {
		printf("broker %d   %s -> %s   led %d partition%s   %s\n", c->id, c->old, is,
		       c->leads, c->leads == 1 ? "" : "s", result);
		return;
	}
	out_begin(&o, c->cli, "BrokerStateChangeList", columns, ARRAY_LEN(columns));
	out_i64(&o, c->id);
	out_z(&o, c->old);
	out_z(&o, is);
	out_i64(&o, c->leads);
	out_z(&o, result);
	out_end(&o);
}

static int ask(const struct change *c)
{
	Weir__HoldBroker hold = WEIR__HOLD_BROKER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;

	hold.id = c->id;
	hold.held = c->held;
	request.body_case = WEIR__REQUEST__BODY_HOLD_BROKER;
	request.hold_broker = &hold;
	return link_call(c->cli, &request, c->held ? "fence the broker" : "let the broker in",
			 &response);
}

/* Held is held at once.  Let in, it is in service when it has beaten its heart once more. */
static int wait_for_it(const struct change *c, const char **is)
{
	int64_t deadline_ms = cli_now_ms() + cli_wait_ms(c->cli);

	for (;; cli_sleep_ms(LOOK_EVERY_MS)) {
		const struct image_broker *b;
		struct view v;
		int code = view_load(c->cli, &v);
		bool done;

		if (code)
			return code;
		b = image_broker(v.image, c->id);
		*is = b ? view_broker_text(b) : "unregistered";
		done = !b || (c->held ? b->is_held && b->is_fenced : !b->is_fenced);
		view_fini(&v);
		if (done || cli_switch(c->cli, "no-wait"))
			return CLI_OK;
		if (cli_now_ms() >= deadline_ms)
			return cli_fail(c->cli, CLI_UNREACHABLE,
					"broker %d may come back, but has not yet: is it running? "
					"See: weir brokers describe %d",
					c->id, c->id);
	}
}

static int change(struct cli *cli, bool held)
{
	struct change c = { .cli = cli, .held = held };
	const char *is = held ? "held" : "up";
	struct view v;
	int code = view_load(cli, &v);

	if (code)
		return code;
	if (!(code = look(&c, &v)))
		code = check_harm(&c, &v);
	view_fini(&v);
	if (code)
		return code;
	if (cli_switch(cli, "dry-run")) {
		tell(&c, is, "would change");
		return CLI_OK;
	}
	if ((code = ask(&c)) || (code = wait_for_it(&c, &is)))
		return code;
	tell(&c, is, "done");
	return CLI_OK;
}

int cmd_brokers_fence(struct cli *cli)
{
	return change(cli, true);
}

int cmd_brokers_unfence(struct cli *cli)
{
	return change(cli, false);
}
