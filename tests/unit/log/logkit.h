/* logkit.h - a log on a disk in memory beside a naive model of what it must hold. */
#pragma once
#include "broker/log/log.h"
#include "common/base/prng.h"
#include "tests/lib/fakefiles.h"

#define KIT_DIR "/data/t-0"

struct kit_batch {
	uint8_t *bytes;
	struct batch view; /* into bytes */
};
struct kit {
	struct fakefs fs;
	struct log *l;
	struct log_options o;
	struct log_recovery rec;
	struct prng prng;
	struct kit_batch *v; /* every batch that must be there, in order */
	int n, cap;
	int64_t end, now_ms;
	int32_t epoch;
};

void kit_init(struct kit *, uint64_t seed);
void kit_fini(struct kit *);        /* closes the log when it is open */
struct log_config kit_config(void); /* small segments, an index entry every 100 bytes */
enum err kit_open(struct kit *);    /* as k->o says */
void kit_crash(struct kit *);       /* the process dies: forgets the log, keeps the files */
void kit_close(struct kit *);       /* cleanly; the next kit_open is a clean one */

/* Appends n batches with random sizes; takes them into the model when it succeeds. */
enum err kit_append(struct kit *, int n);
enum err kit_append_one(struct kit *, int64_t base, int records, int value_bytes,
			int64_t timestamp_ms);
void kit_forget_from(struct kit *, int64_t offset); /* the model's truncation */
void kit_flush(struct kit *);

/* Does the whole log read as the model says, by random reads and from start to end? */
void kit_check(struct kit *, int n_reads);
/* Does segment_check accept every segment?  Indexes are complete only after kit_close. */
void kit_check_files(struct kit *);
/* The content of [start, end) as bytes; freed by the caller. */
uint8_t *kit_read_all(struct kit *, int64_t *n);
