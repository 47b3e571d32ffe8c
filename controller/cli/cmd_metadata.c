/* cmd_metadata.c - weir metadata log dump and snapshot show: records of the metadata log. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/json.h"
#include "controller/cli/log_reader.h"
#include "controller/cli/out.h"
#include "controller/cli/record_print.h"

#include <inttypes.h>
#include <stdio.h>

#define FOLLOW_MS 100

/* -o json wraps the entries into one object; any other form but text gives one a line. */
struct dump {
	struct cli *cli;
	struct record_names names;
	const char *kind;
	int64_t printed;
};

static int read_range(struct cli *, int64_t *from, int64_t *to);
static void begin(struct dump *);
static void print_entry(struct dump *, int64_t offset, int64_t epoch, const Weir__MetadataRecord *);
static int end(struct dump *, int code);

/* To the end of what is asked for, or for ever with --follow. */
static int print_pages(struct dump *d, Weir__LogEntries *page, int64_t from, int64_t to)
{
	bool follow = cli_switch(d->cli, "follow");
	int code;

	for (;;) {
		for (size_t i = 0; i < page->n_entries && page->entries[i]->offset < to; i++) {
			const Weir__LogEntry *entry = page->entries[i];

			print_entry(d, entry->offset, entry->epoch, entry->record);
			from = entry->offset + 1;
		}
		if (from >= to || (!follow && (from >= page->end || page->n_entries == 0)))
			return CLI_OK;
		if (page->n_entries == 0) {
			fflush(stdout);
			cli_sleep_ms(FOLLOW_MS);
		}
		if ((code = log_reader_page(d->cli, from, to - from, &page)))
			return code;
	}
}

int cmd_metadata_log_dump(struct cli *cli)
{
	struct dump d = { .cli = cli, .kind = "MetadataLog" };
	const Weir__Snapshot *snapshot;
	Weir__LogEntries *page;
	int64_t from, to;
	int code = read_range(cli, &from, &to);

	if (cli_switch(cli, "follow") && cli->format == FORMAT_JSON)
		cli->format = FORMAT_JSONL; /* there is no end at which to close the list */

	/* Topics that the dump does not see being created have their names from the snapshot. */
	if (code || (code = log_reader_snapshot(cli, &snapshot)) ||
	    (code = log_reader_page(cli, from, to - from, &page)))
		return code;
	begin(&d);
	for (size_t r = 0; r < snapshot->n_records; r++)
		record_names_learn(&d.names, snapshot->records[r]);
	if (from < page->start)
		fprintf(stderr,
			"the log begins at %" PRId64
			": what came before lies in the snapshot (weir metadata snapshot show)\n",
			page->start);
	code = print_pages(&d, page, from, to);
	return end(&d, code);
}

int cmd_metadata_snapshot_show(struct cli *cli)
{
	struct dump d = { .cli = cli, .kind = "MetadataSnapshot" };
	const Weir__Snapshot *snapshot;
	int code = log_reader_snapshot(cli, &snapshot);

	if (code)
		return code;
	begin(&d);
	for (size_t i = 0; i < snapshot->n_records; i++)
		print_entry(&d, snapshot->offset, -1, snapshot->records[i]);
	return end(&d, CLI_OK);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* "N..M", "N..", "..M", "N" */
static int read_range(struct cli *cli, int64_t *from, int64_t *to)
{
	const char *text = cli_flag(cli, "offset"), *dots = text ? strstr(text, "..") : NULL;
	struct str head = { text, !text ? 0 : dots ? (size_t)(dots - text) : strlen(text) };

	*from = 0;
	*to = INT64_MAX;
	if ((head.n && parse_i64(head, from)) ||
	    (dots && dots[2] && parse_i64(str_of(dots + 2), to)) || *from < 0)
		return cli_fail(cli, CLI_USAGE, "--offset %s: write N..M, N.. or N", text);
	if (text && !dots)
		*to = *from + 1;
	return CLI_OK;
}

/* ---- printing -------------------------------------------------------------------------------- */

static bool is_text(const struct cli *cli)
{
	return cli->format == FORMAT_TABLE || cli->format == FORMAT_WIDE;
}

static void begin(struct dump *d)
{
	record_names_init(&d->names, d->cli);
	if (d->cli->format == FORMAT_JSON)
		printf("{\"kind\":\"%s\",\"version\":1,\"items\":[", d->kind);
}

static int end(struct dump *d, int code)
{
	record_names_fini(&d->names);
	if (d->cli->format == FORMAT_JSON)
		puts("]}");
	return code;
}

static void print_json(struct dump *d, int64_t offset, int64_t epoch, const Weir__MetadataRecord *r)
{
	struct json j = { 0 };

	if (d->cli->format == FORMAT_JSON)
		fputs(d->printed ? ",\n" : "\n", stdout);
	json_object(&j, NULL);
	json_i64(&j, "offset", offset);
	if (epoch >= 0)
		json_i64(&j, "epoch", epoch);
	else
		json_str(&j, "epoch", (struct str){ 0 });
	json_str(&j, "time", str_of(r->has_time_ms ? text_of_time(d->cli, r->time_ms) : NULL));
	json_str(&j, "type", str_of(record_kind(r)));
	record_print_json(&j, "record", r);
	json_close(&j);
	if (d->cli->format != FORMAT_JSON)
		json_end(&j);
}

/* epoch -1: part of a snapshot, which has none. */
static void print_entry(struct dump *d, int64_t offset, int64_t epoch,
			const Weir__MetadataRecord *r)
{
	record_names_learn(&d->names, r);
	if (is_text(d->cli)) {
		printf("%-6" PRId64, offset);
		if (epoch >= 0)
			printf("  e%" PRId64, epoch);
		if (r->has_time_ms && d->cli->format == FORMAT_WIDE)
			printf("  %s", text_of_time(d->cli, r->time_ms));
		printf("  %-16s", record_kind(r));
		record_print_text(&d->names, r);
		putchar('\n');
	} else {
		print_json(d, offset, epoch, r);
	}
	d->printed++;
}
