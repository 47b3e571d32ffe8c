/* log_reader.c - see log_reader.h. */
#include "controller/cli/log_reader.h"
#include "controller/cli/link.h"

#define PAGE 1000

int log_reader_page(struct cli *cli, int64_t from, int64_t count, Weir__LogEntries **out)
{
	Weir__ReadLog read = WEIR__READ_LOG__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	read.from = from;
	read.has_count = true;
	read.count = (int32_t)i64_max(0, i64_min(count, PAGE));
	request.body_case = WEIR__REQUEST__BODY_READ_LOG;
	request.read_log = &read;
	if ((code = link_call(cli, &request, "read the metadata log", &response)))
		return code;
	if (response->body_case != WEIR__RESPONSE__BODY_LOG)
		return cli_fail(cli, CLI_FAILED,
				"read the metadata log: the answer is of another kind");
	*out = response->log;
	return CLI_OK;
}

int log_reader_all(struct cli *cli, int64_t to, Weir__LogEntries **out)
{
	Weir__LogEntries *all = arena_must(&cli->mem, sizeof(*all)), *page;
	int64_t from = 0, first = -1;
	size_t cap = 0;
	int code;

	weir__log_entries__init(all);
	/* An empty page: the log ends before `to`. */
	do {
		if ((code = log_reader_page(cli, from, to - from, &page)))
			return code;
		/* The first page says where the log begins, and with that how many records there
		 * can be at most. */
		if (first < 0) {
			first = page->start;
			cap = (size_t)i64_max(0, to - i64_max(first, 0)) + 1;
			all->entries = arena_must(&cli->mem, cap * sizeof(*all->entries));
		}
		for (size_t i = 0; i < page->n_entries && all->n_entries < cap; i++) {
			if (page->entries[i]->offset >= to)
				break;
			all->entries[all->n_entries++] = page->entries[i];
			from = page->entries[i]->offset + 1;
		}
	} while (page->n_entries && from < to);
	all->start = first;
	all->end = from;
	*out = all;
	return CLI_OK;
}

int log_reader_snapshot(struct cli *cli, const Weir__Snapshot **out)
{
	Weir__ReadSnapshot read = WEIR__READ_SNAPSHOT__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	request.body_case = WEIR__REQUEST__BODY_READ_SNAPSHOT;
	request.read_snapshot = &read;
	if ((code = link_call(cli, &request, "read the snapshot", &response)))
		return code;
	if (response->body_case != WEIR__RESPONSE__BODY_SNAPSHOT)
		return cli_fail(cli, CLI_FAILED,
				"read the snapshot: the answer is of another kind");
	*out = response->snapshot;
	return CLI_OK;
}
