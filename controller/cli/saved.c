/* saved.c - weir metadata snapshot save, and its file read back as if it were a controller.
 *
 * The file is MAGIC and a packed Saved (proto/cluster/saved.proto). */
#include "controller/cli/saved.h"
#include "cluster/saved.pb-c.h"
#include "common/base/arena_pb.h"
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/files.h"
#include "controller/cli/json.h"
#include "controller/cli/link.h"
#include "controller/cli/log_reader.h"
#include "controller/cli/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MAGIC "weir metadata 1\n"

/* ---- reading ------------------------------------------------------------------------------- */

static int load(struct cli *cli, const char *path, const Weir__Saved **out)
{
	ProtobufCAllocator memory = arena_pb(&cli->mem);
	struct str text;
	enum err e = file_read_all(cli, path, &text);
	size_t n = strlen(MAGIC);

	if (e)
		return cli_fail(cli, e == ERR_NOT_FOUND ? CLI_MISSING : CLI_FAILED, "%s: %s", path,
				e == ERR_NOT_FOUND ? "no such file" : err_text(e));
	*out = text.n > n && memcmp(text.at, MAGIC, n) == 0
		       ? weir__saved__unpack(&memory, text.n - n, (const uint8_t *)text.at + n)
		       : NULL;
	if (*out)
		return CLI_OK;
	return cli_fail(cli, CLI_FAILED,
			"%s is no saved metadata; weir metadata snapshot save FILE makes one",
			path);
}

/* The entries from..., as a controller would give them. */
static Weir__LogEntries *part_of(struct cli *cli, const Weir__Saved *saved, const Weir__ReadLog *q)
{
	Weir__LogEntries *out = arena_must(&cli->mem, sizeof(*out));
	const Weir__LogEntries *log = saved->log;
	size_t first = 0;

	weir__log_entries__init(out);
	out->start = log ? log->start : saved->snapshot->offset;
	out->end = saved->snapshot->offset;
	while (log && first < log->n_entries && log->entries[first]->offset < q->from)
		first++;
	if (log) {
		out->entries = log->entries + first;
		out->n_entries = size_min(log->n_entries - first, (size_t)q->count);
	}
	return out;
}

int saved_call(struct cli *cli, const Weir__Request *request, const char *what,
	       Weir__Response **out)
{
	static Weir__Status fine = WEIR__STATUS__INIT;
	Weir__Response *r = arena_must(&cli->mem, sizeof(*r));
	const char *path = cli_flag(cli, "saved");
	const Weir__Saved *saved;
	int code = load(cli, path, &saved);

	if (code)
		return code;
	weir__response__init(r);
	r->status = &fine;
	*out = r;
	switch ((int)request->body_case) {
	case WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER:
		r->body_case = WEIR__RESPONSE__BODY_CONTROLLER;
		r->controller = saved->controller;
		return CLI_OK;
	case WEIR__REQUEST__BODY_READ_SNAPSHOT:
		r->body_case = WEIR__RESPONSE__BODY_SNAPSHOT;
		r->snapshot = saved->snapshot;
		return CLI_OK;
	case WEIR__REQUEST__BODY_READ_LOG:
		r->body_case = WEIR__RESPONSE__BODY_LOG;
		r->log = part_of(cli, saved, request->read_log);
		return CLI_OK;
	default:
		return cli_fail(cli, CLI_USAGE,
				"%s: %s is a file, and only a cluster can do that; leave --saved "
				"away",
				what, path);
	}
}

/* ---- writing ------------------------------------------------------------------------------- */

static int read_all(struct cli *cli, Weir__Saved *out)
{
	Weir__ReadSnapshot read = WEIR__READ_SNAPSHOT__INIT;
	Weir__DescribeController describe = WEIR__DESCRIBE_CONTROLLER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	request.body_case = WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER;
	request.describe_controller = &describe;
	if ((code = link_call(cli, &request, "describe the controller", &response)))
		return code;
	out->controller = response->controller;
	request.body_case = WEIR__REQUEST__BODY_READ_SNAPSHOT;
	request.read_snapshot = &read;
	if ((code = link_call(cli, &request, "read the snapshot", &response)))
		return code;
	out->snapshot = response->snapshot;
	if (!out->controller || !out->snapshot)
		return cli_fail(cli, CLI_FAILED,
				"read the metadata: the answer is of another kind");
	return log_reader_all(cli, out->snapshot->offset, &out->log);
}

static void tell_saved(struct cli *cli, const char *path, const Weir__Saved *saved, size_t bytes)
{
	struct json j = { 0 };

	if (out_is_for_people(cli)) {
		printf("%s   metadata up to offset %" PRId64
		       ", %zu records of the log   %zu bytes\n"
		       "try:  weir topics list --saved %s\n",
		       path, saved->snapshot->offset, saved->log->n_entries, bytes, path);
		return;
	}
	json_object(&j, NULL);
	json_str(&j, "kind", STR("SavedMetadata"));
	json_i64(&j, "version", 1);
	json_str(&j, "file", str_of(path));
	json_i64(&j, "offset", saved->snapshot->offset);
	json_i64(&j, "log_entries", (int64_t)saved->log->n_entries);
	json_i64(&j, "bytes", (int64_t)bytes);
	json_close(&j);
	json_end(&j);
}

int cmd_metadata_snapshot_save(struct cli *cli)
{
	Weir__Saved saved = WEIR__SAVED__INIT;
	const char *path = cli->args[0];
	struct timespec ts;
	size_t n, m = strlen(MAGIC);
	char *bytes;
	enum err e;
	int code = read_all(cli, &saved);

	if (code)
		return code;
	clock_gettime(CLOCK_REALTIME, &ts);
	saved.time_ms = ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	n = weir__saved__get_packed_size(&saved);
	bytes = arena_must(&cli->mem, m + n);
	memcpy(bytes, MAGIC, m);
	weir__saved__pack(&saved, (uint8_t *)bytes + m);
	e = file_write_new(path, (struct str){ bytes, m + n });
	if (e == ERR_EXISTS)
		return cli_fail(cli, CLI_UNSAFE,
				"%s exists already: remove it first, or choose another name", path);
	if (e)
		return cli_fail(cli, CLI_FAILED, "%s: %s", path, err_text(e));
	tell_saved(cli, path, &saved, m + n);
	return CLI_OK;
}
