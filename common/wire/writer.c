/* writer.c - appends to one buf of the pool, doubling it; see writer.h for what a splice is.
 *
 * No size pass runs before a message is encoded: lengths that stand in front of their content are
 * patched (writer_patch_u32) or moved in (writer_prefix_uvarint, for tagged fields, which are
 * small).  A bad writer ignores everything until writer_take, so encoders need no error path. */
#include "common/wire/writer.h"

#include "common/base/endian.h"
#include "common/base/varint.h"

static void length16(struct writer *, int32_t n, bool compact);
static uint8_t *room(struct writer *, size_t n);
static bool grow(struct writer *, struct buf **, size_t n);

/* hint_bytes: what the reply will probably take; a wrong guess costs a copy, nothing else. */
void writer_init(struct writer *w, struct bufpool *pool, size_t hint_bytes)
{
	*w = (struct writer){ .pool = pool };
	w->out = buf_new(pool, size_max(hint_bytes, 64));
}

struct buf *writer_take(struct writer *w)
{
	struct buf *out = w->out;

	ASSERT(out);
	w->out = NULL;
	if (w->bad) {
		buf_put(out);
		return NULL;
	}
	return out;
}

void writer_fini(struct writer *w)
{
	buf_put(w->out);
	buf_put(w->splices);
	*w = (struct writer){ .pool = NULL };
}

uint32_t writer_at(const struct writer *w)
{
	return w->out->len;
}

const struct splice *writer_splices(const struct writer *w)
{
	return w->splices ? (const struct splice *)(const void *)w->splices->at : NULL;
}

void writer_u8(struct writer *w, uint8_t v)
{
	uint8_t *to = room(w, sizeof(v));

	if (!to)
		return;
	*to = v;
	w->out->len += (uint32_t)sizeof(v);
}

void writer_u16(struct writer *w, uint16_t v)
{
	uint8_t *to = room(w, sizeof(v));

	if (!to)
		return;
	store_be16(to, v);
	w->out->len += (uint32_t)sizeof(v);
}

void writer_u32(struct writer *w, uint32_t v)
{
	uint8_t *to = room(w, sizeof(v));

	if (!to)
		return;
	store_be32(to, v);
	w->out->len += (uint32_t)sizeof(v);
}

void writer_u64(struct writer *w, uint64_t v)
{
	uint8_t *to = room(w, sizeof(v));

	if (!to)
		return;
	store_be64(to, v);
	w->out->len += (uint32_t)sizeof(v);
}

void writer_f64(struct writer *w, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	writer_u64(w, bits);
}

void writer_uuid(struct writer *w, struct uuid id)
{
	writer_raw(w, id.b, sizeof(id.b));
}

/* Asks for the longest form, so that the number is written once and not measured first. */
void writer_uvarint(struct writer *w, uint32_t v)
{
	uint8_t *to = room(w, VARINT_MAX);

	if (to)
		w->out->len += (uint32_t)uvarint_put(to, v);
}

void writer_varint(struct writer *w, int32_t v)
{
	uint8_t *to = room(w, VARINT_MAX);

	if (to)
		w->out->len += (uint32_t)varint_put(to, v);
}

void writer_varlong(struct writer *w, int64_t v)
{
	uint8_t *to = room(w, VARLONG_MAX);

	if (to)
		w->out->len += (uint32_t)varlong_put(to, v);
}

void writer_raw(struct writer *w, const void *from, size_t n)
{
	uint8_t *to = room(w, n);

	if (!to || n == 0)
		return;
	memcpy(to, from, n);
	w->out->len += (uint32_t)n;
}

/* The list of splices is a buf too and grows the same way; a reply without files has none. */
void writer_splice(struct writer *w, struct file *file, int64_t file_at, int32_t n)
{
	struct splice s = { .at = writer_at(w), .n = n, .file = file, .file_at = file_at };

	ASSERT(file && file_at >= 0 && n >= 0);
	if (!w->splices)
		w->splices = buf_new(w->pool, 8 * sizeof(s));
	if (w->bad || n == 0 || !grow(w, &w->splices, sizeof(s)))
		return;
	memcpy(w->splices->at + w->splices->len, &s, sizeof(s));
	w->splices->len += (uint32_t)sizeof(s);
	w->n_splices++;
	w->splice_bytes += n;
}

static void length16(struct writer *w, int32_t n, bool compact)
{
	if (n > INT16_MAX)
		w->bad = true;
	else if (compact)
		writer_length32(w, n, true);
	else
		writer_u16(w, (uint16_t)i32_max(n, -1));
}

void writer_length32(struct writer *w, int32_t n, bool compact)
{
	n = i32_max(n, -1);
	if (compact)
		writer_uvarint(w, (uint32_t)n + 1);
	else
		writer_u32(w, (uint32_t)n);
}

void writer_str(struct writer *w, struct str s, bool compact)
{
	if (s.at && s.n > INT16_MAX) {
		w->bad = true;
		return;
	}
	length16(w, s.at ? (int32_t)s.n : -1, compact);
	writer_raw(w, s.at, s.at ? s.n : 0);
}

void writer_bytes(struct writer *w, struct str s, bool compact)
{
	if (s.at && s.n >= INT32_MAX) {
		w->bad = true;
		return;
	}
	writer_length32(w, s.at ? (int32_t)s.n : -1, compact);
	writer_raw(w, s.at, s.at ? s.n : 0);
}

void writer_patch_u32(struct writer *w, uint32_t at, uint32_t v)
{
	if (w->bad)
		return;
	ASSERT((size_t)at + sizeof(v) <= w->out->len);
	store_be32(w->out->at + at, v);
}

/* Moves the content up by the width of its length.  A splice inside would have to move too: tagged
 * fields hold no records, kgen sees to it. */
void writer_prefix_uvarint(struct writer *w, uint32_t at)
{
	uint32_t n = writer_at(w) - at;
	uint8_t length[VARINT_MAX];
	size_t width = uvarint_put(length, n);

	ASSERT(w->n_splices == 0 || writer_splices(w)[w->n_splices - 1].at <= at);
	if (!room(w, width))
		return;
	memmove(w->out->at + at + width, w->out->at + at, n);
	memcpy(w->out->at + at, length, width);
	w->out->len += (uint32_t)width;
}

/* Where the next n bytes go, NULL when the writer is or becomes bad. */
static uint8_t *room(struct writer *w, size_t n)
{
	if (__builtin_expect(w->out->cap - w->out->len < n, 0) && !grow(w, &w->out, n))
		return NULL;
	return w->bad ? NULL : w->out->at + w->out->len;
}

/* Doubling keeps the copying linear; the old buf goes back to the pool at once. */
static bool grow(struct writer *w, struct buf **buf, size_t n)
{
	struct buf *old = *buf;
	size_t need = old->len + n;

	if (need <= old->cap)
		return true;
	if (need > BUF_BYTES_MAX) {
		w->bad = true;
		return false;
	}
	*buf = buf_new(w->pool, size_min(size_max(need, (size_t)old->cap * 2), BUF_BYTES_MAX));
	memcpy((*buf)->at, old->at, old->len);
	(*buf)->len = old->len;
	buf_put(old);
	return true;
}
