/* segment.h - one .log file with its two indexes, and the names of a segment's files.
 *
 *   <20-digit base offset>.log .index .timeindex .txnindex .snapshot
 *   suffixes: .deleted (waiting to be unlinked), .cleaned and .swap (compaction), .corrupt
 *
 * A segment is plain data in its log's array: files are opened when needed and closed when the
 * log has too many open, except those that hold bytes not yet known to be on the device (a second
 * opener could miss the error of a failed write-back).
 * A segment_writer is what only the growing segment has: index tails and counters; it is attached
 * while a segment is appended to or its indexes are rebuilt. */
#pragma once
#include "broker/log/hop.h"
#include "broker/log/index.h"

#define TIME_NONE INT64_C(-1)  /* no record carries a timestamp */
#define TIME_UNKNOWN INT64_MIN /* not looked up yet */
#define SEGMENT_PATH_MAX 1024

struct segment_home {
	struct env *env;
	const char *dir;
};

struct segment {
	int64_t base;
	int64_t bytes;             /* of the .log file that count */
	int64_t max_time_ms;       /* TIME_NONE, TIME_UNKNOWN */
	int64_t max_time_offset;   /* last offset of the batch that holds it */
	int64_t timeless_since_ms; /* when retention first met it without timestamps; 0: never */
	struct file *file;         /* NULL: not open */
	struct index index[INDEX_KINDS];
	uint64_t used; /* the log's clock at the last use */
	bool dirty;    /* bytes not known to be on the device: keep the files open */
};

struct segment_writer {
	struct index_tail tails[INDEX_KINDS];
	int64_t interval_bytes;    /* index.interval.bytes */
	int64_t since_entry_bytes; /* appended since the last offset entry */
	int64_t last_time_ms;      /* timestamp of the last time entry */
};

void segment_path(char out[SEGMENT_PATH_MAX], const struct segment_home *, int64_t base,
		  const char *suffix);
/* "00000000000000000042.index" -> 42 and ".index"; false for any other name. */
bool segment_name(const char *name, int64_t *base, const char **suffix);

void segment_init(struct segment *, int64_t base, int64_t bytes);
/* Empty, or emptied. */
must_check enum err segment_create(const struct segment_home *, struct segment *);
must_check enum err segment_open(const struct segment_home *, struct segment *);
/* Opens for reading; with a missing file the index simply has no entries. */
must_check enum err segment_open_index(const struct segment_home *, struct segment *,
				       enum index_kind);
void segment_close(struct segment *);
must_check enum err segment_unlink(const struct segment_home *, struct segment *);
must_check enum err segment_rename_deleted(const struct segment_home *, struct segment *);

/* Appending: the bytes are in the file already, `view` began at `at`. */
void segment_attach(struct segment *, struct segment_writer *, int64_t interval_bytes);
void segment_detach(struct segment *);
void segment_note(const struct segment_home *, struct segment *, struct segment_writer *,
		  const struct batch *view, int64_t at);
/* ERR_NOFILES: segment_finish would find no descriptor for an index.  Opens them otherwise. */
must_check enum err segment_may_finish(const struct segment_home *, struct segment *);
/* Writes the last time entry and the tails; on return both index files exist and are whole, or
 * are gone so that the next start rebuilds them. */
must_check enum err segment_finish(const struct segment_home *, struct segment *,
				   struct segment_writer *);

/* Throws both indexes away and makes them anew from the batch headers of [0, until).  Stops at the
 * first header that does not fit: *end and *end_offset say where. */
must_check enum err segment_reindex(const struct segment_home *, struct segment *, int64_t until,
				    struct segment_writer *, int64_t *end, int64_t *end_offset);
/* Hops to the first batch whose last offset is >= offset; ERR_NOT_FOUND past the last. */
must_check enum err segment_seek(const struct segment_home *, struct segment *, int64_t offset,
				 struct hop *);
/* Does an entry of the offset index name the last offset of the batch at its position? */
bool segment_entry_ok(const struct segment *, const struct index_entry *);
/* Makes max_time_ms known. */
must_check enum err segment_max_time(const struct segment_home *, struct segment *);
