/* cmd_replicas.c - weir replicas reassign, status, cancel, rebalance, set-factor; brokers drain;
 * leaders move: where replicas lie, changed by plan.
 *
 * A plan is shown as old -> new, asked for at once, and waited for: a move is done when its
 * partition adds and removes nobody any more.  A throttle goes when the moves are done. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/link.h"
#include "controller/cli/move.h"
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"

#include <inttypes.h>
#include <stdio.h>

#define LOOK_EVERY_MS 50
#define WAIT_MS 3600000

static int carry_out(struct cli *, struct view *, struct plan *, bool cancel);

static int nothing_to_do(struct cli *cli, const char *why)
{
	static const struct out_column columns[] = { { "PARTITION", "partition", OUT_LEFT } };
	struct out o;

	if (out_is_for_people(cli)) {
		puts(why);
		return CLI_OK;
	}
	out_begin(&o, cli, "ReassignmentList", columns, ARRAY_LEN(columns));
	out_end(&o);
	return CLI_OK;
}

/* ---- the plans ----------------------------------------------------------------------------- */

static int read_brokers(struct cli *cli, const struct view *v, const char *text,
			struct image_ids *out)
{
	int n;

	if (!cli_ids_arg(cli, text, out->v, IMAGE_REPLICAS_MAX, &n))
		return CLI_USAGE;
	out->n = n;
	for (int i = 0; i < n; i++)
		if (!image_broker(v->image, out->v[i]))
			return cli_fail(cli, CLI_MISSING, "no broker %d; see: weir brokers list",
					out->v[i]);
	return CLI_OK;
}

static int plan_topics(struct cli *cli, const struct view *v, struct plan *plan)
{
	const char *names[CLI_ARGS_MAX], *list = cli_flag(cli, "topics"), *to = cli_flag(cli, "to");
	struct str rest = str_of(list), one;
	struct image_ids brokers;
	int n = 0, code;

	if (!to)
		return cli_fail(cli, CLI_USAGE, "--topics %s: onto which brokers? Add --to 1,2,3",
				list);
	while (n < CLI_ARGS_MAX && str_cut(&rest, ',', &one))
		names[n++] = cli_z(cli, str_trim(one));
	if ((code = view_has_topics(cli, v, names, n)) ||
	    (code = read_brokers(cli, v, to, &brokers)))
		return code;
	if (plan_onto(cli, v->image, names, n, &brokers, plan))
		return CLI_OK;
	return cli_fail(cli, CLI_UNSAFE,
			"a topic has more replicas than there are live brokers among %s; see: weir "
			"replicas set-factor",
			to);
}

static int plan_off(struct cli *cli, const struct view *v, const char *text, struct plan *plan)
{
	struct image_ids broker;
	int code = read_brokers(cli, v, text, &broker);

	if (code)
		return code;
	if (broker.n != 1)
		return cli_fail(cli, CLI_USAGE, "drain one broker at a time");
	if (plan_drain(cli, v->image, broker.v[0], plan))
		return CLI_OK;
	return cli_fail(cli, CLI_UNSAFE,
			"broker %d holds partitions that already have a replica on every other "
			"live broker; add a broker, or see: weir replicas set-factor",
			broker.v[0]);
}

/* What the file says, with what is now beside it. */
static int plan_file(struct cli *cli, const struct view *v, const char *path, struct plan *plan)
{
	int code = plan_read(cli, path, plan);

	for (int i = 0; !code && i < plan->n; i++) {
		struct plan_item *p = &plan->v[i];
		const struct image_topic *t = image_topic_named(v->image, p->topic);
		const struct image_partition *now = t ? image_partition(t, p->partition) : NULL;

		if (!now || !p->has_replicas)
			return cli_fail(cli, now ? CLI_USAGE : CLI_MISSING, "%s: %.*s-%d: %s", path,
					(int)p->topic.n, p->topic.at, p->partition,
					now ? "no list of replicas" : "there is no such partition");
		p->old = now->replicas;
	}
	return code;
}

int cmd_replicas_reassign(struct cli *cli)
{
	const char *drain = cli_flag(cli, "drain"), *file = cli_flag(cli, "plan");
	bool topics = cli_flag(cli, "topics") != NULL;
	struct plan plan = { 0 };
	struct view v;
	int code;

	if ((drain != NULL) + (file != NULL) + topics != 1)
		return cli_fail(cli, CLI_USAGE,
				"what is to be moved? --topics T --to 1,2,3, or --drain ID, or "
				"--plan FILE");
	if ((code = view_load(cli, &v)))
		return code;
	if (drain)
		code = plan_off(cli, &v, drain, &plan);
	else if (file)
		code = plan_file(cli, &v, file, &plan);
	else
		code = plan_topics(cli, &v, &plan);
	if (!code)
		code = carry_out(cli, &v, &plan, false);
	view_fini(&v);
	return code;
}

int cmd_brokers_drain(struct cli *cli)
{
	struct plan plan = { 0 };
	struct view v;
	int code = view_load(cli, &v);

	if (!code && !(code = plan_off(cli, &v, cli->args[0], &plan)))
		code = carry_out(cli, &v, &plan, false);
	view_fini(&v);
	return code;
}

/* The other way round: not what it held before, which others may need by now, but its share. */
int cmd_brokers_undrain(struct cli *cli)
{
	struct plan plan = { 0 };
	struct image_ids broker;
	struct view v;
	int code = view_load(cli, &v);

	if (!code && !(code = read_brokers(cli, &v, cli->args[0], &broker))) {
		if (broker.n != 1)
			code = cli_fail(cli, CLI_USAGE, "undrain one broker at a time");
		else if (!image_broker_active(v.image, broker.v[0]))
			code = cli_fail(cli, CLI_UNSAFE,
					"broker %d is not in service: start it, or let it in with "
					"weir brokers unfence %d",
					broker.v[0], broker.v[0]);
		else
			plan_fill(cli, v.image, broker.v[0], &plan);
		if (!code)
			code = carry_out(cli, &v, &plan, false);
	}
	view_fini(&v);
	return code;
}

int cmd_replicas_rebalance(struct cli *cli)
{
	struct plan plan = { 0 };
	struct view v;
	int code = view_load(cli, &v);

	if (!code) {
		plan_rebalance(cli, v.image, &plan);
		code = carry_out(cli, &v, &plan, false);
	}
	view_fini(&v);
	return code;
}

int cmd_replicas_set_factor(struct cli *cli)
{
	struct plan plan = { 0 };
	int32_t factor;
	struct view v;
	int code;

	if (parse_i32(str_of(cli->args[1]), &factor) || factor < 1 || factor > IMAGE_REPLICAS_MAX)
		return cli_fail(cli, CLI_USAGE, "%s: a replication factor is a number from 1 to %d",
				cli->args[1], IMAGE_REPLICAS_MAX);
	if ((code = view_load(cli, &v)))
		return code;
	code = view_has_topics(cli, &v, cli->args, 1);
	if (!code && !plan_factor(cli, v.image, image_topic_named(v.image, str_of(cli->args[0])),
				  factor, &plan))
		code = cli_fail(cli, CLI_UNSAFE,
				"%d replicas need as many live brokers; see: weir brokers list",
				factor);
	if (!code)
		code = carry_out(cli, &v, &plan, false);
	view_fini(&v);
	return code;
}

/* ---- carrying out -------------------------------------------------------------------------- */

static const struct out_column columns[] = {
	{ "PARTITION", "partition", OUT_LEFT },
	{ "OLD", "old", OUT_LEFT },
	{ "NEW", "new", OUT_LEFT },
	{ "RESULT", "result", OUT_LEFT },
	{ "ERROR", "error", OUT_LEFT },
};

static const char *name_of(struct cli *cli, const struct plan_item *p)
{
	return arena_printf(&cli->mem, "%.*s-%d", (int)p->topic.n, p->topic.at, p->partition).at;
}

static void item_row(struct out *o, const struct plan_item *p, const char *result, int code)
{
	out_z(o, name_of(o->cli, p));
	out_ids(o, p->old.v, p->old.n);
	out_ids(o, p->replicas.v, p->replicas.n);
	o->color = code ? OUT_RED : OUT_PLAIN;
	out_z(o, code ? "failed" : result);
	if (code)
		out_z(o, kerr_name(code));
	else
		out_none(o);
}

/* Until nothing of the plan moves any more.  1: the time was over first. */
static int wait_for(struct cli *cli, const struct plan *plan, int64_t deadline_ms, int *left)
{
	struct view v;
	int code;

	for (;;) {
		if ((code = view_load(cli, &v)))
			return code;
		*left = move_count(v.image, plan);
		view_fini(&v);
		/* The metadata is the word: a move is over when the controller has taken the old
		 * replicas out, not when the last record was copied. */
		if (*left == 0 || cli_now_ms() >= deadline_ms)
			return CLI_OK;
		cli_sleep_ms(LOOK_EVERY_MS);
	}
}

static int print_results(struct cli *cli, const struct plan *plan, const Weir__ReassignResults *r,
			 const char *result)
{
	int failed = 0, code = CLI_OK;
	struct out o;

	out_begin(&o, cli, "ReassignmentList", columns, ARRAY_LEN(columns));
	for (int i = 0; i < plan->n; i++)
		item_row(&o, &plan->v[i], result, r ? r->partitions[i]->code : KERR_NONE);
	out_end(&o);
	for (int i = 0; r && i < plan->n; i++) {
		const Weir__ReassignResult *one = r->partitions[i];

		if (!one->code)
			continue;
		failed++;
		code = cli_fail_code(cli, one->code,
				     str_of(one->message ? one->message : kerr_text(one->code)),
				     "%s", name_of(cli, &plan->v[i]));
	}
	return failed && failed < plan->n ? CLI_PARTLY : code;
}

void move_print_plan(struct cli *cli, const struct plan *plan)
{
	(void)print_results(cli, plan, NULL, "would move");
}

/* "50MB/s", "1048576" */
static int read_rate(struct cli *cli, int64_t *out)
{
	static const struct {
		const char *name;
		int64_t bytes;
	} units[] = { { "", 1 },
		      { "B/s", 1 },
		      { "kB/s", 1000 },
		      { "MB/s", 1000000 },
		      { "GB/s", 1000000000 } };
	const char *text = cli_flag(cli, "throttle");
	size_t digits = text ? strspn(text, "0123456789") : 0;

	*out = -1;
	for (size_t i = 0; text && i < ARRAY_LEN(units); i++)
		if (strcmp(text + digits, units[i].name) == 0 &&
		    !parse_i64((struct str){ text, digits }, out) && *out > 0 &&
		    *out < INT64_MAX / units[i].bytes) {
			*out *= units[i].bytes;
			return CLI_OK;
		}
	return text ? cli_fail(cli, CLI_USAGE, "--throttle %s: write 50MB/s", text) : CLI_OK;
}

static int finish(struct cli *cli, struct view *v, const struct plan *plan, int64_t rate)
{
	int64_t began_ms = cli_now_ms(), wait_ms;
	int left, code;

	if (cli_switch(cli, "no-wait")) {
		if (out_is_for_people(cli))
			printf("asked for; see: weir replicas status -w%s\n",
			       rate >= 0 ? " (the throttle stays until weir replicas cancel or "
					   "configs unset)"
					 : "");
		return CLI_OK;
	}
	if (!cli_duration(cli, "wait", WAIT_MS, &wait_ms))
		return CLI_USAGE;
	if ((code = wait_for(cli, plan, began_ms + wait_ms, &left)))
		return code;
	if (left)
		return cli_fail(
			cli, CLI_UNREACHABLE,
			"%d of %d partitions still move after %s; they go on: weir replicas "
			"status -w, weir replicas cancel",
			left, plan->n, text_of_duration(cli, wait_ms));
	if (out_is_for_people(cli))
		printf("done   %d partition%s in %s\n", plan->n, plan->n == 1 ? "" : "s",
		       text_of_duration(cli, cli_now_ms() - began_ms));
	/* Left behind, the throttle would slow down each of these followers whenever it lags. */
	return rate >= 0 ? move_throttle(cli, v, plan, -1) : CLI_OK;
}

static int carry_out(struct cli *cli, struct view *v, struct plan *plan, bool cancel)
{
	const Weir__ReassignResults *results;
	int64_t rate;
	int code;

	if ((code = read_rate(cli, &rate)))
		return code;
	plan_sort(plan);
	if (plan->n == 0)
		return nothing_to_do(cli, "nothing to move: it is so already");
	if (cli_switch(cli, "dry-run"))
		return print_results(cli, plan, NULL, "would move");
	/* Before the moves, or they would run unthrottled until it is set. */
	if (rate >= 0 && (code = move_throttle(cli, v, plan, rate)))
		return code;
	if ((code = move_submit(cli, plan, cancel, &results)))
		return code;
	code = print_results(cli, plan, results, cancel ? "cancelled" : "moves");
	return code ? code : finish(cli, v, plan, rate);
}

/* ---- status, cancel ------------------------------------------------------------------------ */

static int64_t behind(const struct image_partition *p, const struct replica_offsets *at)
{
	int64_t end = -1, worst = -1;

	for (int32_t i = 0; i < p->replicas.n; i++)
		if (p->replicas.v[i] == p->leader)
			end = at->end[i];
	for (int32_t i = 0; end >= 0 && i < p->replicas.n; i++)
		if (image_ids_has(&p->adding, p->replicas.v[i]))
			/* One that does not answer, or has no log yet, has everything before it. */
			worst = i64_max(worst, end - i64_max(0, at->end[i]));
	return worst;
}

static void status_row(struct out *o, const struct view_walk *w, const struct replica_offsets *at)
{
	const struct image_partition *p = w->partition;
	struct image_ids in_sync = { .n = 0 };
	int64_t lag = behind(p, at);

	for (int32_t i = 0; i < p->adding.n; i++)
		if (image_ids_has(&p->isr, p->adding.v[i]))
			in_sync.v[in_sync.n++] = p->adding.v[i];
	out_z(o, arena_printf(&o->cli->mem, "%.*s-%d", (int)w->topic->name.n, w->topic->name.at,
			      w->number)
			 .at);
	out_ids(o, p->replicas.v, p->replicas.n);
	out_ids(o, p->adding.v, p->adding.n);
	out_ids(o, p->removing.v, p->removing.n);
	out_ids(o, in_sync.v, in_sync.n);
	if (lag < 0)
		out_none(o);
	else
		out_i64(o, lag);
}

static bool is_moving(const struct image_partition *p)
{
	return p->adding.n + p->removing.n > 0;
}

int cmd_replicas_status(struct cli *cli)
{
	static const struct out_column status[] = {
		{ "PARTITION", "partition", OUT_LEFT },   { "REPLICAS", "replicas", OUT_LEFT },
		{ "ADDING", "adding", OUT_LEFT },         { "REMOVING", "removing", OUT_LEFT },
		{ "ADDED IN SYNC", "in_sync", OUT_LEFT }, { "BEHIND", "behind", OUT_RIGHT },
	};
	struct offsets at;
	struct view_walk w;
	int moving = 0;
	struct view v;
	struct out o;
	int code = view_load(cli, &v);

	if (code)
		return code;
	view_walk_init(&w, &v, NULL, 0);
	while (view_walk_partition(&w))
		moving += is_moving(w.partition);
	if (moving == 0 && out_is_for_people(cli)) {
		puts("nothing moves");
		goto out;
	}
	if (moving)
		offsets_load(cli, &v, NULL, 0, &at);
	out_begin(&o, cli, "ReassignmentStatusList", status, ARRAY_LEN(status));
	view_walk_init(&w, &v, NULL, 0);
	while (view_walk_partition(&w))
		if (is_moving(w.partition))
			status_row(&o, &w, offsets_find(&at, w.topic, w.number));
	out_end(&o);
out:
	view_fini(&v);
	return code;
}

/* What a cancelled move goes back to: the replicas without those that were being added. */
static void add_cancel(struct cli *cli, struct plan *plan, const struct view_walk *w)
{
	const struct image_partition *p = w->partition;
	struct image_ids back = { .n = 0 };

	for (int32_t i = 0; i < p->replicas.n; i++)
		if (!image_ids_has(&p->adding, p->replicas.v[i]))
			back.v[back.n++] = p->replicas.v[i];
	plan_add(cli, plan, w->topic->name, w->number, p, &back);
}

static bool is_named(const struct cli *cli, const struct view_walk *w)
{
	char name[300];

	snprintf(name, sizeof(name), "%.*s-%d", (int)w->topic->name.n, w->topic->name.at,
		 w->number);
	for (int i = 0; i < cli->n_args; i++)
		if (strcmp(cli->args[i], name) == 0)
			return true;
	return cli->n_args == 0;
}

int cmd_replicas_cancel(struct cli *cli)
{
	struct plan plan = { 0 };
	struct view_walk w;
	struct view v;
	int code = view_load(cli, &v);

	if (code)
		return code;
	view_walk_init(&w, &v, NULL, 0);
	while (view_walk_partition(&w))
		if (is_moving(w.partition) && is_named(cli, &w))
			add_cancel(cli, &plan, &w);
	if (plan.n == 0)
		code = nothing_to_do(cli, "nothing of that moves");
	else
		code = carry_out(cli, &v, &plan, true);
	view_fini(&v);
	return code;
}
