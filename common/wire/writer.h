/* writer.h - big-endian values into one growing buf, with file ranges spliced between them.
 *
 * The memory is a buf of the pool, doubled when it is full, so a steady state reaches no heap.
 * A records field that lies in a file is not copied: the writer keeps {position, file, range} and
 * the connection sends buf[..position], the range, buf[position..].  The caller keeps its
 * reference on every spliced file until the reply has left.
 *
 *   writer_init -> values, splices -> writer_take (the buf moves to the caller) -> writer_fini
 *
 * Splices stay readable until writer_fini.  What cannot be written (more than BUF_BYTES_MAX, a
 * text longer than its length field can say) makes the writer `bad` for good and writer_take
 * gives NULL: the caller closes the connection.  Thread of the pool only. */
#pragma once
#include "common/base/base.h"
#include "common/base/buf.h"

struct file;
struct splice {
	uint32_t at; /* the range follows this many bytes of the buf; ascending */
	int32_t n;
	struct file *file;
	int64_t file_at;
};

struct writer {
	struct bufpool *pool;
	struct buf *out;
	struct buf *splices; /* struct splice[n_splices], NULL while there is none */
	uint32_t n_splices;
	int64_t splice_bytes;
	bool bad;
};

void writer_init(struct writer *, struct bufpool *, size_t hint_bytes);
struct buf *writer_take(struct writer *); /* once; NULL when bad */
void writer_fini(struct writer *);
uint32_t writer_at(const struct writer *); /* bytes written, splices not counted */
const struct splice *writer_splices(const struct writer *);

void writer_u8(struct writer *, uint8_t);
void writer_u16(struct writer *, uint16_t);
void writer_u32(struct writer *, uint32_t);
void writer_u64(struct writer *, uint64_t);
void writer_f64(struct writer *, double);
void writer_uuid(struct writer *, struct uuid);
void writer_uvarint(struct writer *, uint32_t);
void writer_varint(struct writer *, int32_t); /* zigzag, as in records */
void writer_varlong(struct writer *, int64_t);
void writer_raw(struct writer *, const void *, size_t n);
void writer_splice(struct writer *, struct file *, int64_t file_at, int32_t n);

/* Lengths and texts in their two forms; n < 0 and a null str are null. */
void writer_length32(struct writer *, int32_t n, bool compact);
void writer_str(struct writer *, struct str, bool compact);
void writer_bytes(struct writer *, struct str, bool compact);

void writer_patch_u32(struct writer *, uint32_t at, uint32_t);
/* Puts the uvarint length of everything written since `at` in front of it. */
void writer_prefix_uvarint(struct writer *, uint32_t at);
