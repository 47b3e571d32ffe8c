/* cmd_segments.c - weir log segments and log index: a partition's files, without a server. */
#include "common/base/endian.h"
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/files.h"
#include "controller/cli/local.h"
#include "controller/cli/out.h"
#include "controller/cli/segments.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define INDEX_ENTRY 8
#define TIME_ENTRY 12

static int64_t size_of(struct cli *cli, const char *segment, const char *suffix)
{
	struct stat st;
	const char *path =
		arena_printf(&cli->mem, "%.*s%s", (int)(strlen(segment) - 4), segment, suffix).at;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

struct totals {
	int64_t first, last, batches, records, oldest_ms, newest_ms;
};

static enum err count(struct cli *cli, const char *path, struct totals *t)
{
	struct segment_reader r;
	enum err e = segment_reader_open(&r, cli, path);

	*t = (struct totals){ .first = -1, .last = -1, .oldest_ms = -1, .newest_ms = -1 };
	if (e)
		return e;
	while (!(e = segment_reader_next(&r))) {
		const struct batch *b = &r.batch;

		t->first = t->first < 0 ? b->base_offset : t->first;
		t->last = batch_last_offset(b);
		t->batches++;
		t->records += b->n_records;
		if (t->oldest_ms < 0)
			t->oldest_ms = b->base_timestamp_ms;
		t->newest_ms = i64_max(t->newest_ms, b->max_timestamp_ms);
	}
	segment_reader_close(&r);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static void number_cell(struct out *o, int64_t v)
{
	if (v < 0)
		out_none(o);
	else
		out_i64(o, v);
}

static void time_cell(struct out *o, int64_t ms)
{
	if (ms < 0)
		out_none(o);
	else
		out_z(o, text_of_time(o->cli, ms));
}

static bool segment_row(struct out *o, const char *path)
{
	const char *slash = strrchr(path, '/');
	int64_t index = size_of(o->cli, path, ".index"),
		times = size_of(o->cli, path, ".timeindex");
	struct totals t;
	enum err e = count(o->cli, path, &t);

	out_z(o, slash ? slash + 1 : path);
	number_cell(o, t.first);
	number_cell(o, t.last);
	out_i64(o, t.records);
	out_i64(o, t.batches);
	out_bytes(o, i64_max(0, size_of(o->cli, path, ".log")));
	time_cell(o, t.oldest_ms);
	time_cell(o, t.newest_ms);
	number_cell(o, index < 0 ? -1 : index / INDEX_ENTRY);
	number_cell(o, times < 0 ? -1 : times / TIME_ENTRY);
	o->color = e ? OUT_RED : OUT_PLAIN;
	out_z(o, e == ERR_CORRUPT ? "a torn or damaged batch" : e ? err_text(e) : "ok");
	return !e;
}

int cmd_log_segments(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "SEGMENT", "segment", OUT_LEFT },      { "FIRST", "first_offset", OUT_RIGHT },
		{ "LAST", "last_offset", OUT_RIGHT },    { "RECORDS", "records", OUT_RIGHT },
		{ "BATCHES", "batches", OUT_RIGHT },     { "SIZE", "bytes", OUT_RIGHT },
		{ "OLDEST", "oldest", OUT_LEFT },        { "NEWEST", "newest", OUT_LEFT },
		{ "INDEX", "index_entries", OUT_RIGHT }, { "TIMES", "time_entries", OUT_RIGHT },
		{ "STATE", "state", OUT_LEFT },
	};
	const char *dir = local_log_path(cli);
	struct partition_reader r;
	int code = CLI_OK;
	struct out o;

	if (partition_reader_open(&r, cli, dir))
		return cli_fail(cli, CLI_MISSING,
				"%s is no directory of a partition; for one of a local cluster: "
				"weir log segments orders-0 --broker 1",
				dir);
	out_begin(&o, cli, "SegmentList", columns, ARRAY_LEN(columns));
	for (int i = 0; i < r.n_segments; i++)
		if (!segment_row(&o, r.segments[i]))
			code = CLI_FAILED;
	out_end(&o);
	partition_reader_close(&r);
	return code;
}

/* ---- index --------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* 00000000000000000120.index -> 120 */
static bool base_of(const char *path, int64_t *out)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t digits = strspn(name, "0123456789");

	return digits > 0 && !parse_i64((struct str){ name, digits }, out);
}

static void index_row(struct out *o, const uint8_t *at, int64_t base, bool is_time)
{
	if (is_time) {
		out_i64(o, base + load_be32(at + 8));
		time_cell(o, (int64_t)load_be64(at));
	} else {
		out_i64(o, base + load_be32(at));
		out_i64(o, load_be32(at + 4));
	}
}

/* Kafka preallocates: after the last entry there may be zeros. */
static bool is_padding(const uint8_t *at, size_t n, bool first)
{
	for (size_t i = 0; i < n; i++)
		if (at[i])
			return false;
	return !first;
}

int cmd_log_index(struct cli *cli)
{
	static const struct out_column of_offsets[] = {
		{ "OFFSET", "offset", OUT_RIGHT },
		{ "POSITION", "position", OUT_RIGHT },
	};
	static const struct out_column of_times[] = {
		{ "OFFSET", "offset", OUT_RIGHT },
		{ "TIME", "time", OUT_LEFT },
	};
	const char *path = cli->args[0];
	bool is_time = ends_with(path, ".timeindex");
	size_t entry = is_time ? TIME_ENTRY : INDEX_ENTRY;
	struct str bytes;
	int64_t base;
	struct out o;
	enum err e;

	if ((!is_time && !ends_with(path, ".index")) || !base_of(path, &base))
		return cli_fail(cli, CLI_USAGE,
				"%s: an index is called 00000000000000000000.index or .timeindex",
				path);
	if ((e = file_read_all(cli, path, &bytes)))
		return cli_fail(cli, e == ERR_NOT_FOUND ? CLI_MISSING : CLI_FAILED, "%s: %s", path,
				e == ERR_NOT_FOUND ? "no such file" : err_text(e));
	out_begin(&o, cli, is_time ? "TimeIndex" : "OffsetIndex", is_time ? of_times : of_offsets,
		  2);
	for (size_t i = 0; i + entry <= bytes.n; i += entry) {
		const uint8_t *at = (const uint8_t *)bytes.at + i;

		if (is_padding(at, entry, i == 0))
			break;
		index_row(&o, at, base, is_time);
	}
	out_end(&o);
	return CLI_OK;
}
