/* segments.h - partition directories read from the files, batch by batch, without a server.
 *
 * Works on live directories too: only what the files held when they were opened is looked at, and
 * a segment that retention removes meanwhile is an error the caller reports. */
#pragma once
#include "common/wire/batch.h"
#include "controller/cli/cli.h"

struct segment_reader {
	struct cli *cli;
	const char *path;
	int fd;
	int64_t at, size; /* of the file */
	uint8_t *memory;  /* holds the batch that was read last */
	size_t cap;
	struct batch batch;
	int64_t batch_at; /* its place in the file */
};

/* ERR_NOT_FOUND, ERR_IO. */
must_check enum err segment_reader_open(struct segment_reader *, struct cli *, const char *path);
void segment_reader_close(struct segment_reader *);
/* The next whole batch.  ERR_NOT_FOUND: the end; ERR_CORRUPT: bytes that are no batch, or a torn
 * tail (then `at` tells where). */
must_check enum err segment_reader_next(struct segment_reader *);

/* All segments of a partition's directory in offset order. */
struct partition_reader {
	struct cli *cli;
	const char *dir;
	const char **segments;
	int n_segments, at_segment;
	struct segment_reader segment;
	bool is_open;
};
must_check enum err partition_reader_open(struct partition_reader *, struct cli *, const char *dir);
void partition_reader_close(struct partition_reader *);
/* As segment_reader_next, over the end of segments. */
must_check enum err partition_reader_next(struct partition_reader *);
const struct batch *partition_reader_batch(const struct partition_reader *);
