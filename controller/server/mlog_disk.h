/* mlog_disk.h - the metadata log's files: their bytes, reading them back, cutting a torn tail.
 *
 * DIR/00000000000000000123.log       records from offset 123 on
 * DIR/00000000000000000123.snapshot  the state before record 123; complete or not there
 *
 * Both begin with a header of 24 bytes, big-endian:
 *   0  8  "weirmlog" or "weirsnap"      8  u32 version 1      12 i64 base offset
 *   20 u32 CRC-32C of the 20 bytes before
 * Then entries of 36 + size bytes:
 *   0  u32 size of the record           4  u32 CRC-32C of everything after
 *   8  i64 offset                       16 i64 epoch of the controller that wrote it
 *   24 i64 durable: the log was synced up to here when this was written
 *   32 u32 left: records of the same batch that follow
 *   36 the record, protobuf
 * A snapshot's entries have its offset; the last has size 0 and the number of records in durable.
 *
 * Torn or rotten?  An entry that does not check may be what a crash left of writes that were never
 * synced, and so never answered: it is cut off, with the rest.  But if a later entry says that the
 * log was durable beyond it, the disk has lost what it had promised, and opening is refused. */
#pragma once
#include "cluster/records.pb-c.h"
#include "common/base/arena.h"
#include "common/env/env.h"
#include "controller/server/mlog.h"

enum { MLOG_HEADER = 24, MLOG_ENTRY = 36, MLOG_RECORD_MAX = 8 << 20 };
enum mlog_file_kind { MLOG_LOG, MLOG_SNAPSHOT };

struct mlog_head {
	uint32_t size;
	int64_t offset, epoch, durable;
	uint32_t left;
};
void mlog_put_header(uint8_t to[MLOG_HEADER], enum mlog_file_kind, int64_t base);
void mlog_put_entry(uint8_t *to, const struct mlog_head *); /* the record is at to + MLOG_ENTRY */
void mlog_peek_entry(const uint8_t *at, struct mlog_head *);     /* our own, unchecked */
void mlog_path(const char *dir, enum mlog_file_kind, int64_t base, char *out, size_t cap);

struct mlog_found {
	int64_t snapshot;                /* offset of the newest; -1 none */
	int64_t snapshot_epoch;          /* of the last record before it */
	int64_t end;                     /* of the log */
	int64_t last_file, last_bytes;   /* base of the file to write on and its length; -1 none */
	int64_t bytes;                   /* of log since the snapshot */
	int64_t cut_bytes;
};
/* Reads everything that is there, the snapshot first. */
typedef void mlog_each(void *arg, const struct mlog_head *, const uint8_t *record,
		       bool is_snapshot);
must_check enum err mlog_recover(struct env *, const char *dir, mlog_each *, void *arg,
				 struct mlog_found *, char *why, size_t cap);
/* Removes the records from this offset on, durably; *file and *bytes: where the log goes on, -1 in
 * a new file.  The offset begins a batch. */
must_check enum err mlog_cut(struct env *, const char *dir, int64_t offset, int64_t *file,
			     int64_t *bytes);
must_check enum err mlog_remove_logs(struct env *, const char *dir);
/* Writes a snapshot file, synced and renamed into place. */
must_check enum err mlog_write_snapshot(struct env *, const char *dir, int64_t offset,
					int64_t epoch, mlog_dump *, void *state);
/* Removes files that a snapshot at this offset replaces; keep: the file being written. */
void mlog_remove_before(struct env *, const char *dir, int64_t snapshot, int64_t keep);
/* Where a snapshot from a leader is gathered; and making it the newest one when it is synced. */
void mlog_incoming_path(const char *dir, char *out, size_t cap);
must_check enum err mlog_adopt_snapshot(struct env *, const char *dir, int64_t offset,
					void (*each)(void *state, const Weir__MetadataRecord *),
					void *state);
/* A record in memory of the arena; NULL when it does not parse. */
Weir__MetadataRecord *mlog_unpack(struct arena *, const uint8_t *, size_t n);
