/* log_reader.h - the metadata log, page by page. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "controller/cli/cli.h"

/* Entries from `from` on, at most `count` and what fits into an answer; in cli->mem. */
must_check int log_reader_page(struct cli *, int64_t from, int64_t count, Weir__LogEntries **);
/* All entries below `to` that the controller still holds. */
must_check int log_reader_all(struct cli *, int64_t to, Weir__LogEntries **);
/* The whole state as records. */
must_check int log_reader_snapshot(struct cli *, const Weir__Snapshot **);
