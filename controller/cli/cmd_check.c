/* cmd_check.c - weir cluster check: one line per thing that can be wrong, for people; one line in
 * all with --nagios, for monitors that take exit codes 0, 1, 2, 3 and performance data.
 *
 * What the metadata says is counted as in cluster health; the brokers are asked for their disks. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/ask.h"
#include "controller/cli/commands.h"
#include "controller/cli/health.h"
#include "controller/cli/out.h"
#include "kafka/apis.h"
#include "kafka/describe_log_dirs.h"

#include <inttypes.h>
#include <stdio.h>

#define CHECKS_MAX 16
#define ASK_MS 2000
#define DISK_FULL_PERCENT 95
#define DISK_FILLING_PERCENT 85
enum { LOG_DIRS_VERSION = 4 };

/* Nagios' plugin codes, too. */
enum grade { GRADE_OK, GRADE_WARNING, GRADE_CRITICAL, GRADE_UNKNOWN };

struct check {
	const char *name, *detail;
	enum grade grade;
};
struct checks {
	struct cli *cli;
	struct check v[CHECKS_MAX];
	int n;
};

static const char *const grade_words[] = { "ok", "warning", "critical", "unknown" };

static void check(struct checks *c, const char *name, enum grade grade, struct str detail)
{
	ASSERT(c->n < CHECKS_MAX);
	c->v[c->n++] = (struct check){ name, detail.at, grade };
}

static struct str of_partitions(struct checks *c, int32_t n, int32_t all, const char *what)
{
	return arena_printf(&c->cli->mem, "%d of %d partitions %s", n, all, what);
}

/* ---- the checks ------------------------------------------------------------------------------ */

static void check_controllers(struct checks *c, const struct view *v, const struct health *h)
{
	const Weir__ControllerState *s = v->controller;
	size_t all = size_max(s->n_voters, 1);

	if (s->id < 0 || h->is_leaderless)
		check(c, "controllers", GRADE_CRITICAL,
		      s->id < 0 ? STR("none answers: nothing is decided")
				: STR("none is active: nothing is decided"));
	else
		check(c, "controllers", s->n_silent_voters ? GRADE_WARNING : GRADE_OK,
		      arena_printf(&c->cli->mem, "%zu of %zu up, %d leads",
				   all - s->n_silent_voters, all,
				   s->has_active ? s->active : s->id));
}

static void check_brokers(struct checks *c, const struct health *h)
{
	enum grade grade = h->active == 0           ? GRADE_CRITICAL
			   : h->active < h->brokers ? GRADE_WARNING
						    : GRADE_OK;

	check(c, "brokers", grade,
	      h->fenced.n ? arena_printf(&c->cli->mem, "%d of %d up, fenced: %s", h->active,
					 h->brokers, text_of_ids(c->cli, h->fenced.v, h->fenced.n))
			  : arena_printf(&c->cli->mem, "%d of %d up", h->active, h->brokers));
}

static void check_partitions(struct checks *c, const struct health *h)
{
	const struct {
		const char *name, *what;
		int32_t n;
		enum grade bad;
	} rows[] = {
		{ "leaders", "without a leader", h->offline, GRADE_CRITICAL },
		{ "min.insync.replicas", "refuse acks=all", h->under_min, GRADE_CRITICAL },
		{ "margin", "are one failure away from refusing acks=all", h->at_min,
		  GRADE_WARNING },
		{ "replication", "have replicas out of sync", h->under_replicated, GRADE_WARNING },
		{ "recovery", "recover from an unclean election", h->recovering, GRADE_WARNING },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(c, rows[i].name, rows[i].n ? rows[i].bad : GRADE_OK,
		      of_partitions(c, rows[i].n, h->partitions, rows[i].what));
}

/* Records may be lost; counted from the active controller's start. */
static void check_unclean(struct checks *c, const struct view *v)
{
	int64_t n = v->controller->unclean_elections;

	check(c, "unclean elections", n ? GRADE_WARNING : GRADE_OK,
	      arena_printf(&c->cli->mem, "%" PRId64 " since this controller started%s", n,
			   n ? ": records may be lost; weir events --type leader" : ""));
}

/* The worst directory of all brokers that answer. */
struct disks {
	int32_t asked, silent, failed, worst_broker; /* silent: fenced ones too */
	int worst_percent;
};

static void look_at_disks(struct disks *d, int32_t broker,
			  const struct describe_log_dirs_response *r)
{
	for (int32_t i = 0; i < r->n_results; i++) {
		const struct describe_log_dirs_response_result *one = &r->results[i];
		int percent;

		d->failed += one->error_code != KERR_NONE;
		if (one->error_code || one->total_bytes <= 0)
			continue;
		percent = (int)(100 - one->usable_bytes * 100 / one->total_bytes);
		if (percent > d->worst_percent) {
			d->worst_percent = percent;
			d->worst_broker = broker;
		}
	}
}

static void check_disks(struct checks *c, const struct view *v)
{
	struct describe_log_dirs_request in;
	struct describe_log_dirs_response out;
	struct disks d = { .worst_percent = -1 };
	enum grade grade;

	schema_init(&describe_log_dirs_request_schema, &in);
	in.n_topics = 0;
	for (int32_t i = 0; i < v->image->n_brokers; i++) {
		const struct image_broker *b = v->image->brokers[i];

		d.asked++;
		if ((b->is_fenced && !b->is_held) ||
		    ask_broker(c->cli, b,
			       &(struct kafka_call){ API_DESCRIBE_LOG_DIRS, LOG_DIRS_VERSION,
						     &describe_log_dirs_request_schema,
						     &describe_log_dirs_response_schema, &in,
						     &out },
			       ASK_MS))
			d.silent++;
		else
			look_at_disks(&d, b->id, &out);
	}
	grade = d.failed || d.worst_percent >= DISK_FULL_PERCENT      ? GRADE_CRITICAL
		: d.silent || d.worst_percent >= DISK_FILLING_PERCENT ? GRADE_WARNING
								      : GRADE_OK;
	check(c, "disks", grade,
	      d.silent == d.asked
		      ? STR("no broker answers")
		      : arena_printf(&c->cli->mem,
				     "fullest %d%% (broker %d), %d failed director%s, %d broker%s "
				     "silent",
				     d.worst_percent, d.worst_broker, d.failed,
				     d.failed == 1 ? "y" : "ies", d.silent,
				     d.silent == 1 ? "" : "s"));
}

/* ---- answers --------------------------------------------------------------------------------- */

static enum grade worst_of(const struct checks *c)
{
	enum grade worst = GRADE_OK;

	for (int i = 0; i < c->n; i++)
		worst = c->v[i].grade > worst ? c->v[i].grade : worst;
	return worst;
}

static int tell_nagios(const struct checks *c, const struct health *h)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	enum grade worst = worst_of(c);
	bool told = false;

	printf("WEIR %s - ", words[worst]);
	for (int i = 0; i < c->n; i++) {
		if (worst != GRADE_OK ? c->v[i].grade == GRADE_OK : i > 1)
			continue;
		printf("%s%s: %s", told ? "; " : "", c->v[i].name, c->v[i].detail);
		told = true;
	}
	printf(" | brokers_up=%d;%d:;1: offline=%d;;0 under_min_isr=%d;;0 at_min_isr=%d;0 "
	       "under_replicated=%d;0 partitions=%d\n",
	       h->active, h->brokers, h->offline, h->under_min, h->at_min, h->under_replicated,
	       h->partitions);
	return (int)worst;
}

static int tell(const struct checks *c)
{
	static const enum out_color colors[] = { OUT_GREEN, OUT_YELLOW, OUT_RED, OUT_RED };
	static const struct out_column columns[] = {
		{ "CHECK", "check", OUT_LEFT },
		{ "RESULT", "result", OUT_LEFT },
		{ "DETAIL", "detail", OUT_LEFT },
	};
	struct out o;

	out_begin(&o, c->cli, "CheckList", columns, ARRAY_LEN(columns));
	for (int i = 0; i < c->n; i++) {
		out_z(&o, c->v[i].name);
		o.color = colors[c->v[i].grade];
		out_z(&o, grade_words[c->v[i].grade]);
		out_z(&o, c->v[i].detail);
	}
	out_end(&o);
	return worst_of(c) == GRADE_OK ? CLI_OK : CLI_FAILED;
}

int cmd_cluster_check(struct cli *cli)
{
	bool nagios = cli_switch(cli, "nagios");
	struct checks c = { .cli = cli };
	struct health h;
	struct view v;
	int code = view_load(cli, &v);

	if (code) {
		if (nagios)
			puts("WEIR UNKNOWN - no way to the cluster");
		return nagios ? (int)GRADE_UNKNOWN : code;
	}
	health_count(&v, &h);
	check_controllers(&c, &v, &h);
	check_brokers(&c, &h);
	check_partitions(&c, &h);
	check_unclean(&c, &v);
	check_disks(&c, &v);
	code = nagios ? tell_nagios(&c, &h) : tell(&c);
	view_fini(&v);
	return code;
}
