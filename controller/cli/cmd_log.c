/* cmd_log.c - weir log dump: segment files in words, every batch checked.
 *
 * The first batch that does not hold ends the reading, as it ends a log; what the indexes say is
 * checked afterwards (verify.c). --records decompresses; without it only headers are looked at. */
#include "common/base/text.h"
#include "common/wire/codec.h"
#include "controller/cli/commands.h"
#include "controller/cli/json.h"
#include "controller/cli/local.h"
#include "controller/cli/out.h"
#include "controller/cli/segments.h"
#include "controller/cli/verify.h"

#include <inttypes.h>
#include <stdio.h>

#define INFLATED_MAX ((size_t)1 << 30)

struct dump {
	struct cli *cli;
	struct segment_reader reader;
	struct out out;
	struct codec_state *codecs;
	struct codec_buf inflated;
	bool with_records, quiet;
	int64_t batches, records, bytes, problems, next_offset;
};

static void problem(struct dump *, const char *what);
static void check_batch(struct dump *);
static void batch_row(struct dump *);
static void print_records(struct dump *);
static enum err dump_segment(struct dump *, const char *path);
static int dump_partition(struct dump *, const char *dir);
static int refuse(struct cli *, const char *path, enum err);
static int finish(struct dump *);

int cmd_log_dump(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "OFFSETS", "offsets", OUT_LEFT },
		{ "EPOCH", "leader_epoch", OUT_RIGHT },
		{ "RECORDS", "records", OUT_RIGHT },
		{ "BYTES", "bytes", OUT_RIGHT },
		{ "AT", "position", OUT_RIGHT },
		{ "CODEC", "codec", OUT_LEFT },
		{ "PRODUCER", "producer_id", OUT_RIGHT },
		{ "P-EPOCH", "producer_epoch", OUT_RIGHT },
		{ "SEQUENCE", "base_sequence", OUT_RIGHT },
		{ "MAX TIME", "max_time", OUT_LEFT },
		{ "FLAGS", "flags", OUT_LEFT },
		{ "CRC", "crc", OUT_LEFT },
	};
	const char *path = local_log_path(cli);
	struct dump d = { .cli = cli,
			  .with_records = cli_switch(cli, "records"),
			  .quiet = cli_switch(cli, "verify") };
	enum err e;
	int code;

	d.codecs = codec_state_new();
	codec_buf_init(&d.inflated, INFLATED_MAX);
	out_begin(&d.out, cli, "BatchList", columns, ARRAY_LEN(columns));
	e = dump_segment(&d, path);
	code = e == ERR_INVALID ? dump_partition(&d, path) : e ? refuse(cli, path, e) : CLI_OK;
	if (!code)
		code = finish(&d);
	else
		out_drop(&d.out);
	codec_buf_fini(&d.inflated);
	codec_state_free(d.codecs);
	return code;
}

static int refuse(struct cli *cli, const char *path, enum err e)
{
	return cli_fail(cli, e == ERR_NOT_FOUND ? CLI_MISSING : CLI_FAILED, "%s: %s", path,
			e == ERR_NOT_FOUND ? "no such file" : err_text(e));
}

/* ERR_INVALID: it is no file. */
static enum err dump_segment(struct dump *d, const char *path)
{
	enum err e = segment_reader_open(&d->reader, d->cli, path);

	if (e)
		return e;
	while (!(e = segment_reader_next(&d->reader))) {
		check_batch(d);
		d->batches++;
		d->records += d->reader.batch.n_records;
		if (d->with_records)
			print_records(d);
		else if (!d->quiet)
			batch_row(d);
	}
	if (e != ERR_NOT_FOUND) {
		fprintf(stderr, "%s: at byte %" PRId64 " of %" PRId64 ": %s\n", d->reader.path,
			d->reader.at, d->reader.size,
			e == ERR_CORRUPT ? "what follows is no whole batch" : err_text(e));
		d->problems++;
	}
	if (d->quiet)
		d->problems += verify_indexes(d->reader.path);
	d->bytes += d->reader.at;
	segment_reader_close(&d->reader);
	return ERR_OK;
}

/* Its segments, one behind the other. */
static int dump_partition(struct dump *d, const char *dir)
{
	struct partition_reader r;
	enum err e = partition_reader_open(&r, d->cli, dir);

	if (e || r.n_segments == 0)
		return cli_fail(d->cli, CLI_MISSING,
				"%s is neither a segment nor a partition's directory; one of a "
				"local cluster: weir log dump orders-0 --broker 1",
				dir);
	for (int i = 0; !e && i < r.n_segments; i++)
		e = dump_segment(d, r.segments[i]);
	partition_reader_close(&r);
	return e ? refuse(d->cli, dir, e) : CLI_OK;
}

static void problem(struct dump *d, const char *what)
{
	fprintf(stderr, "%s: at byte %" PRId64 ", offset %" PRId64 ": %s\n", d->reader.path,
		d->reader.batch_at, d->reader.batch.base_offset, what);
	d->problems++;
}

static void check_batch(struct dump *d)
{
	const struct batch *b = &d->reader.batch;

	if (!batch_crc_ok(b))
		problem(d, "the CRC does not match");
	if (d->batches && b->base_offset < d->next_offset)
		problem(d, "offsets go back");
	if (b->n_records < 0 || b->last_offset_delta < 0)
		problem(d, "a negative record count or offset delta");
	d->next_offset = batch_last_offset(b) + 1;
}

static const char *flags_of(struct cli *cli, const struct batch *b)
{
	return arena_printf(&cli->mem, "%s%s%s%s",
			    b->attributes & BATCH_TRANSACTIONAL ? "transactional " : "",
			    b->attributes & BATCH_CONTROL ? "control " : "",
			    b->attributes & BATCH_LOG_APPEND_TIME ? "log-append-time " : "",
			    b->attributes & BATCH_DELETE_HORIZON ? "delete-horizon " : "")
		.at;
}

static void batch_row(struct dump *d)
{
	const struct batch *b = &d->reader.batch;
	struct arena *mem = &d->cli->mem;

	out_cell(
		&d->out,
		arena_printf(mem, "%" PRId64 "..%" PRId64, b->base_offset, batch_last_offset(b)).at,
		arena_printf(mem, "[%" PRId64 ",%" PRId64 "]", b->base_offset, batch_last_offset(b))
			.at);
	out_i64(&d->out, b->leader_epoch);
	out_i64(&d->out, b->n_records);
	out_i64(&d->out, b->size);
	out_i64(&d->out, d->reader.batch_at);
	out_z(&d->out, codec_name(b->attributes & BATCH_CODEC_MASK));
	if (b->producer_id < 0) {
		out_none(&d->out);
		out_none(&d->out);
		out_none(&d->out);
	} else {
		out_i64(&d->out, b->producer_id);
		out_i64(&d->out, b->producer_epoch);
		out_i64(&d->out, b->base_sequence);
	}
	out_z(&d->out, b->max_timestamp_ms < 0 ? "-" : text_of_time(d->cli, b->max_timestamp_ms));
	out_str(&d->out, str_trim(str_of(flags_of(d->cli, b))));
	d->out.color = batch_crc_ok(b) ? OUT_PLAIN : OUT_RED;
	out_z(&d->out, batch_crc_ok(b) ? "ok" : "BAD");
}

/* ---- records -------------------------------------------------------------------------------- */

static void print_headers(struct json *j, const struct record *r)
{
	struct header_walk w;
	struct str key, value;

	json_array(j, "headers");
	header_walk_init(&w, r);
	while (header_walk_next(&w, &key, &value)) {
		json_object(j, NULL);
		json_str(j, "key", key);
		json_str(j, "value", value);
		json_close(j);
	}
	json_close(j);
}

static void print_record(struct dump *d, const struct record *r)
{
	struct json j = { 0 };

	if (d->cli->format == FORMAT_TABLE || d->cli->format == FORMAT_WIDE) {
		printf("%" PRId64 "  %s  ", r->offset,
		       r->timestamp_ms < 0 ? "-" : text_of_time(d->cli, r->timestamp_ms));
		json_str(&j, NULL, r->key);
		fputs("  ", stdout);
		j.used[0] = false;
		json_str(&j, NULL, r->value);
		putchar('\n');
		return;
	}
	json_object(&j, NULL);
	json_i64(&j, "offset", r->offset);
	json_i64(&j, "timestamp_ms", r->timestamp_ms);
	json_str(&j, "key", r->key);
	json_str(&j, "value", r->value);
	print_headers(&j, r);
	json_close(&j);
	json_end(&j);
}

static void print_records(struct dump *d)
{
	const struct batch *b = &d->reader.batch;
	struct str body = { (const char *)b->at + BATCH_HEADER_BYTES,
			    (size_t)(b->size - BATCH_HEADER_BYTES) };
	struct record_walk w;
	struct record r;
	int codec = b->attributes & BATCH_CODEC_MASK;

	if (codec != CODEC_NONE) {
		if (codec_decompress(d->codecs, codec, body, &d->inflated)) {
			problem(d, "the records do not decompress");
			return;
		}
		body = (struct str){ (const char *)d->inflated.at, d->inflated.n };
	}
	record_walk_init(&w, b, (const uint8_t *)body.at, body.n);
	while (record_walk_next(&w, &r))
		if (!d->quiet)
			print_record(d, &r);
	if (w.bad)
		problem(d, "a record is malformed");
}

static int finish(struct dump *d)
{
	bool people = d->cli->format == FORMAT_TABLE || d->cli->format == FORMAT_WIDE;

	if (d->with_records || d->quiet)
		out_drop(&d->out);
	else
		out_end(&d->out);
	if (people)
		printf("%" PRId64 " batches, %" PRId64 " records, %" PRId64 " bytes, %" PRId64
		       " problems\n",
		       d->batches, d->records, d->bytes, d->problems);
	return d->problems ? CLI_FAILED : CLI_OK;
}
