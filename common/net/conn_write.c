/* conn_write.c - from spans to the socket.
 *
 * Output is a ring of spans.  A turn's worth of memory spans and short file spans, read into the
 * loop's stage, leaves in one sendmsg; a long file span leaves by sendfile, and the bytes before
 * it say MSG_MORE so that header and data share packets.  Nothing is remembered about the stage:
 * what the socket did not take is read again next time. */
#include "common/net/internal.h"
#include "common/base/endian.h"
#include "common/base/log.h"
#include <errno.h>
#include <sys/sendfile.h>
#include <unistd.h>

struct gather {
	int n; /* entries of loop->iov */
	size_t bytes, staged;
	bool before_file; /* what follows is for sendfile */
	enum err err;
};

static struct out *push(struct conn *);
static struct out *nth(struct conn *, uint32_t i);
static void pop(struct conn *);
static bool is_long(const struct out *);
static void gather(struct conn *, size_t budget, struct gather *);
static bool gather_one(struct conn *, const struct out *, struct gather *);
static enum err stage_read(struct conn *, const struct out *, size_t n, uint8_t *to);
static enum err send_memory(struct conn *, size_t *budget);
static enum err send_file(struct conn *, size_t *budget);
static void sent(struct conn *, size_t n);

/* Takes the references of all spans.  The frame's four-byte size travels in the ring entry of its
 * first span, so a frame costs no buffer of its own. */
void conn_push(struct conn *c, const struct span *v, int n)
{
	int64_t size = 0;
	for (int i = 0; i < n; i++) {
		ASSERT(v[i].n >= 0 && v[i].at >= 0 && !v[i].buf != !v[i].file);
		ASSERT(!v[i].buf || v[i].at + v[i].n <= v[i].buf->len);
		size += v[i].n;
	}
	ASSERT(size <= INT32_MAX);
	struct out *first = push(c);
	*first = (struct out){ .size_left = SIZE_BYTES };
	store_be32(first->size, (uint32_t)size);
	bool taken = false; /* the size travels with the first span */
	for (int i = 0; i < n; i++) {
		if (v[i].n == 0) {
			buf_put(v[i].buf);
			file_put(v[i].file);
		} else if (!taken) {
			first->span = v[i];
			taken = true;
		} else {
			*push(c) = (struct out){ .span = v[i] };
		}
	}
	c->out_bytes += size + SIZE_BYTES;
}

/* Returns when the ring is empty, the socket is full (blocked) or the share is used up (more). */
enum err conn_flush(struct conn *c, bool *more)
{
	size_t budget = BYTES_PER_TURN;
	enum err e = ERR_OK;
	int64_t before = c->out_bytes;
	while (c->out_n > 0 && !c->blocked && budget > 0 && !e) {
		const struct out *o = nth(c, 0);
		e = o->size_left == 0 && is_long(o) ? send_file(c, &budget)
						    : send_memory(c, &budget);
	}
	if (c->state == CONN_FINISHING && c->out_bytes < before)
		c->progress_us = env_mono_us(&c->loop->env);
	*more = !e && c->out_n > 0 && !c->blocked;
	return e;
}

void conn_write_fini(struct conn *c)
{
	while (c->out_n > 0)
		pop(c);
	mem_free(c->ring);
	c->ring = NULL;
	c->out_cap = c->out_at = 0;
	c->out_bytes = 0;
}

/* ---- the ring -------------------------------------------------------------------------------- */

static struct out *nth(struct conn *c, uint32_t i)
{
	return &c->ring[(c->out_at + i) & (c->out_cap - 1)];
}

/* The ring doubles and never shrinks; how much may be queued is the owner's business (pending). */
static struct out *push(struct conn *c)
{
	if (c->out_n == c->out_cap) {
		uint32_t cap = c->out_cap ? c->out_cap * 2 : 16;
		struct out *ring = mem_alloc(cap * sizeof(*ring));
		for (uint32_t i = 0; i < c->out_n; i++)
			ring[i] = *nth(c, i);
		mem_free(c->ring);
		c->ring = ring;
		c->out_cap = cap;
		c->out_at = 0;
	}
	return nth(c, c->out_n++);
}

static void pop(struct conn *c)
{
	struct out *o = nth(c, 0);
	buf_put(o->span.buf);
	file_put(o->span.file);
	c->out_at = (c->out_at + 1) & (c->out_cap - 1);
	c->out_n--;
}

/* ---- memory and short file spans ------------------------------------------------------------- */

/* Below 64 KiB a copy into the stage costs less than sendfile's two system calls per span. */
static bool is_long(const struct out *o)
{
	return o->span.file && o->span.n >= COPY_SPAN_MAX;
}

/* Less taken than offered means that the socket's buffer is full: wait for EV_WRITE. */
static enum err send_memory(struct conn *c, size_t *budget)
{
	struct gather g = { 0 };
	gather(c, *budget, &g);
	if (g.err)
		return g.err;
	struct msghdr m = { .msg_iov = c->loop->iov, .msg_iovlen = (size_t)g.n };
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (g.before_file ? MSG_MORE : 0);
	ssize_t n = sendmsg(c->fd, &m, flags);
	if (n < 0 && errno == EINTR)
		return ERR_OK;
	if (n < 0 && errno != EAGAIN)
		return sock_err(errno);
	c->blocked = n < (ssize_t)g.bytes;
	if (n > 0) {
		sent(c, (size_t)n);
		*budget -= size_min(*budget, (size_t)n);
	}
	return ERR_OK;
}

/* Two entries per span at most: the size and the bytes. */
static void gather(struct conn *c, size_t budget, struct gather *g)
{
	for (uint32_t i = 0; i < c->out_n && !g->err; i++) {
		if (g->bytes >= budget || g->n + 2 > IOV_MAX_OUT)
			return;
		if (!gather_one(c, nth(c, i), g))
			return;
	}
}

/* False: nothing behind this one can be added. */
static bool gather_one(struct conn *c, const struct out *o, struct gather *g)
{
	struct iovec *iov = c->loop->iov;
	size_t n = (size_t)o->span.n;
	bool fits = !o->span.file || (!is_long(o) && g->staged + n <= STAGE_BYTES);
	if (o->size_left > 0) {
		const uint8_t *at = o->size + SIZE_BYTES - o->size_left;
		iov[g->n++] = (struct iovec){ (void *)(uintptr_t)at, o->size_left };
		g->bytes += o->size_left;
	}
	if (!fits) {
		g->before_file = true;
		return false;
	}
	if (n == 0)
		return true;
	uint8_t *at;
	if (o->span.file) {
		at = c->loop->stage + g->staged;
		g->staged += n;
		g->err = stage_read(c, o, n, at);
	} else {
		at = o->span.buf->at + o->span.at;
	}
	iov[g->n++] = (struct iovec){ at, n };
	g->bytes += n;
	return true;
}

/* Cold spans were warmed by the io pool before the reply was sent (broker/api/fetch.c), so this
 * reads the page cache. */
static enum err stage_read(struct conn *c, const struct out *o, size_t n, uint8_t *to)
{
	size_t got;
	enum err e = c->loop->env.files->read(o->span.file, to, n, o->span.at, &got);
	if (!e && got < n) {
		log_error("net", "a file is shorter than a span of it", F_I64("at", o->span.at),
			  F_I64("want", n), F_I64("got", got));
		e = ERR_IO;
	}
	return e;
}

/* Books n bytes against the ring's head; a span that is done drops its reference. */
static void sent(struct conn *c, size_t n)
{
	c->out_bytes -= (int64_t)n;
	while (c->out_n > 0) {
		struct out *o = nth(c, 0);
		size_t k = size_min(n, o->size_left);
		o->size_left = (uint8_t)(o->size_left - k);
		n -= k;
		k = size_min(n, (size_t)o->span.n);
		o->span.at += (int64_t)k;
		o->span.n -= (int64_t)k;
		n -= k;
		if (o->size_left > 0 || o->span.n > 0)
			break;
		pop(c);
	}
	ASSERT(n == 0);
}

/* ---- long file spans ------------------------------------------------------------------------- */

/* EIO here is the disk's, not the socket's: the connection closes, the log's owner finds out by
 * itself at its next read. */
static enum err send_file(struct conn *c, size_t *budget)
{
	struct out *o = nth(c, 0);
	off_t at = o->span.at;
	size_t want = size_min((size_t)o->span.n, *budget);
	ssize_t n = sendfile(c->fd, o->span.file->fd, &at, want);
	if (n < 0 && errno == EINTR)
		return ERR_OK;
	if (n < 0 && errno == EAGAIN) {
		c->blocked = true;
		return ERR_OK;
	}
	if (n < 0 && (errno == EIO || errno == ENOSPC)) {
		log_error("net", "sendfile could not read", F_I64("errno", errno));
		return ERR_IO;
	}
	if (n < 0)
		return sock_err(errno);
	if (n == 0) {
		log_error("net", "a file is shorter than a span of it", F_I64("at", o->span.at),
			  F_I64("want", want), F_I64("got", 0));
		return ERR_IO;
	}
	sent(c, (size_t)n);
	*budget -= size_min(*budget, (size_t)n);
	return ERR_OK;
}
