/* cmd_doctor.c - weir doctor: can this machine use the cluster as a client would?
 *
 * A client asks one address and is then sent to the addresses that brokers advertise; most trouble
 * lies in the second step.  So every advertised address is resolved, dialled and asked. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/kafka_client.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"
#include "kafka/apis.h"
#include "kafka/metadata.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#define ASK_MS 3000
#define SLOW_MS 100
#define FILES_MIN 1024
enum { METADATA_VERSION = 12 };

enum finding { FINE, DOUBTFUL, BROKEN };

struct doctor {
	struct out out;
	int broken;
};

static void say(struct doctor *d, const char *what, enum finding f, const char *detail)
{
	static const char *const words[] = { "ok", "doubtful", "broken" };
	static const enum out_color colors[] = { OUT_GREEN, OUT_YELLOW, OUT_RED };

	out_z(&d->out, what);
	d->out.color = colors[f];
	out_z(&d->out, words[f]);
	out_z(&d->out, detail);
	d->broken += f == BROKEN;
}

/* ---- brokers ------------------------------------------------------------------------------- */

static enum err ask_metadata(struct cli *cli, struct addr at, int64_t *took_ms)
{
	int64_t began_ms = cli_now_ms(), deadline_ms = began_ms + ASK_MS;
	struct metadata_response out;
	struct metadata_request in;
	struct kafka k;
	enum err e;

	schema_init(&metadata_request_schema, &in);
	in.n_topics = 0;
	e = kafka_open(&k, cli, at, deadline_ms);
	if (!e)
		e = kafka_exchange(&k,
				   &(struct kafka_call){ API_METADATA, METADATA_VERSION,
							 &metadata_request_schema,
							 &metadata_response_schema, &in, &out },
				   deadline_ms);
	kafka_close(&k);
	*took_ms = cli_now_ms() - began_ms;
	return e;
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0 ||
	       strcmp(host, "::1") == 0;
}

/* Was the cluster asked under an address that is not this machine's own? */
static bool asked_from_afar(const struct cli *cli)
{
	const char *asked = cli_flag(cli, "bootstrap");

	return asked && strncmp(asked, "127.", 4) != 0 && strncmp(asked, "localhost", 9) != 0 &&
	       strncmp(asked, "[::1]", 5) != 0;
}

static const char *why_text(struct cli *cli, enum err e, const char *host)
{
	if (e == ERR_NOT_FOUND)
		return arena_printf(&cli->mem,
				    "%s does not resolve here: advertised.listeners must name an "
				    "address that clients know",
				    host)
			.at;
	if (e == ERR_REFUSED)
		return "nobody listens there: a wrong port in advertised.listeners, or a firewall";
	if (e == ERR_TIMEOUT)
		return "no answer: a firewall, or the broker hangs";
	return err_text(e);
}

static void check_broker(struct doctor *d, const struct image_broker *b)
{
	struct cli *cli = d->out.cli;
	const char *what = arena_printf(&cli->mem, "broker %d", b->id).at, *host;
	int64_t took_ms;
	enum err e;

	if (b->is_fenced || b->n_endpoints == 0) {
		say(d, what, BROKEN, "the controller does not hear it; see: weir brokers describe");
		return;
	}
	host = cli_z(cli, b->endpoints[0].host);
	if (is_loopback(host) && asked_from_afar(cli)) {
		say(d, what, BROKEN,
		    arena_printf(&cli->mem,
				 "it advertises %s, which is this machine itself for every client: "
				 "set advertised.listeners",
				 host)
			    .at);
		return;
	}
	e = ask_metadata(cli, (struct addr){ host, b->endpoints[0].port }, &took_ms);
	say(d, what,
	    e                    ? BROKEN
	    : took_ms >= SLOW_MS ? DOUBTFUL
				 : FINE,
	    arena_printf(&cli->mem, "%s:%d   %s", host, b->endpoints[0].port,
			 e ? why_text(cli, e, host)
			   : arena_printf(&cli->mem, "answers in %" PRId64 " ms", took_ms).at)
		    .at);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static void check_controller(struct doctor *d, const struct view *v)
{
	const Weir__ControllerState *c = v->controller;
	struct cli *cli = d->out.cli;

	if (c->id < 0 || (c->has_active && c->active < 0))
		say(d, "controller", BROKEN, "none is active: nothing is decided");
	else
		say(d, "controller", c->n_silent_voters ? DOUBTFUL : FINE,
		    arena_printf(&cli->mem, "%d is active, %zu of %zu answer",
				 c->has_active ? c->active : c->id,
				 size_max(c->n_voters, 1) - c->n_silent_voters,
				 size_max(c->n_voters, 1))
			    .at);
}

static void check_metadata(struct doctor *d, const struct view *v)
{
	for (size_t i = 0; i < v->controller->n_brokers; i++) {
		const Weir__BrokerState *b = v->controller->brokers[i];
		int64_t lag = v->controller->log_end - b->metadata_offset;

		if (b->connected && b->has_metadata_offset && lag > 1000)
			say(d, "metadata", DOUBTFUL,
			    arena_printf(&d->out.cli->mem,
					 "broker %d is %" PRId64 " records behind the controller",
					 b->id, lag)
				    .at);
	}
}

static void check_here(struct doctor *d)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	say(d, "open files", files.rlim_cur < FILES_MIN ? DOUBTFUL : FINE,
	    arena_printf(&d->out.cli->mem,
			 "this shell may have %llu; a broker needs two for each "
			 "partition and client",
			 (unsigned long long)files.rlim_cur)
		    .at);
}

int cmd_doctor(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "CHECK", "check", OUT_LEFT },
		{ "RESULT", "result", OUT_LEFT },
		{ "DETAIL", "detail", OUT_LEFT },
	};
	struct doctor d = { .broken = 0 };
	struct view v;
	int code = view_load(cli, &v);

	if (code)
		return code;
	out_begin(&d.out, cli, "DoctorReport", columns, ARRAY_LEN(columns));
	check_controller(&d, &v);
	for (int32_t i = 0; i < v.image->n_brokers; i++)
		check_broker(&d, v.image->brokers[i]);
	check_metadata(&d, &v);
	check_here(&d);
	out_end(&d.out);
	view_fini(&v);
	return d.broken ? CLI_FAILED : CLI_OK;
}
