/* conn_read.c - from bytes to frames.
 *
 * One readv fills the rest of the frame in progress and, behind it, the loop's scratch buf.  So a
 * frame that fits in the scratch costs one system call, many small ones together cost one, and of
 * a large one all but the first READ_AHEAD and the last TAIL_AHEAD bytes are received in place.
 * What lies in the scratch is parsed before the next readv; when the conn has to stop in the
 * middle of it (paused, moved, over its share of the turn) it keeps the scratch as its `ahead` and
 * the loop takes a new one from the pool. */
#include "common/net/internal.h"
#include "common/base/endian.h"
#include <errno.h>

static bool parse(struct conn *, int *frames);
static bool take_head(struct conn *);
static void take_body(struct conn *);
static void make_room(struct conn *);
static ssize_t fill(struct conn *, size_t *asked);
static void received(struct conn *, size_t n);
static void stop_reading(struct conn *);
static void drop_ahead(struct conn *);

/* Reads until the socket is empty, the frames of this turn are out, or the conn stops. A short read
 * means empty: asking again would cost a system call to hear EAGAIN. */
void conn_read(struct conn *c)
{
	int frames = 0;
	size_t bytes = 0;
	while (parse(c, &frames) && bytes < BYTES_PER_TURN) {
		size_t asked;
		ssize_t n = fill(c, &asked);
		if (n <= 0)
			break;
		bytes += (size_t)n;
		received(c, (size_t)n);
		if ((size_t)n < asked) { /* the socket is empty: do not ask it again */
			(void)parse(c, &frames);
			break;
		}
	}
	if (c->ahead == c->loop->scratch) /* a moved conn takes it along */
		c->loop->scratch = buf_new(c->loop->env.bufs, READ_AHEAD);
	if (c->state == CONN_OPEN && !c->failure)
		stop_reading(c);
}

/* The kernel will not tell again of bytes that are in hand already. */
void conn_read_again(struct conn *c)
{
	bool whole = c->frame && c->frame->len == c->frame_len;
	if ((c->ahead || whole) && !c->paused && list_empty(&c->in_again))
		list_push_back(&c->loop->again, &c->in_again);
}

void conn_read_fini(struct conn *c)
{
	buf_put(c->frame);
	c->frame = NULL;
	c->head_n = 0;
	drop_ahead(c);
}

/* Hands out the frames that are in hand.  True: all bytes are used up, more may be read. */
static bool parse(struct conn *c, int *frames)
{
	while (c->state == CONN_OPEN && !c->failure) {
		if (c->frame && c->frame->len == c->frame_len) {
			struct buf *whole = c->frame;
			if (c->paused || *frames == FRAMES_PER_TURN)
				return false;
			c->frame = NULL;
			++*frames;
			c->on->frame(c->arg, c, whole);
			continue;
		}
		if (!c->ahead)
			return !c->paused;
		if (c->frame)
			take_body(c);
		else if (!take_head(c))
			return false;
	}
	return false;
}

/* Size first. Negative or too large ends the connection: nothing behind it can be trusted, and with
 * garbage (an HTTP request, TLS on a plain port) the first four bytes are such a number. */
static bool take_head(struct conn *c)
{
	while (c->head_n < SIZE_BYTES && c->ahead) {
		c->head[c->head_n++] = c->ahead->at[c->ahead_at++];
		if (c->ahead_at == c->ahead->len)
			drop_ahead(c);
	}
	if (c->head_n < SIZE_BYTES)
		return true;
	int32_t size = (int32_t)load_be32(c->head);
	if (size < 0 || (uint32_t)size > c->frame_max) {
		conn_fail_later(c, size < 0 ? ERR_INVALID : ERR_LIMIT);
		return false;
	}
	c->head_n = 0;
	c->frame_len = (uint32_t)size;
	c->frame = buf_new(c->loop->env.bufs, size > TRUST_MAX ? TRUST_FIRST : (size_t)size);
	return true;
}

static void take_body(struct conn *c)
{
	make_room(c);
	size_t room = size_min(c->frame->cap, c->frame_len) - c->frame->len;
	size_t n = size_min(room, c->ahead->len - c->ahead_at);
	memcpy(c->frame->at + c->frame->len, c->ahead->at + c->ahead_at, n);
	c->frame->len += (uint32_t)n;
	c->ahead_at += (uint32_t)n;
	if (c->ahead_at == c->ahead->len)
		drop_ahead(c);
}

/* A very large frame starts in a small buf: four bytes are no reason to take 100 MiB. */
static void make_room(struct conn *c)
{
	struct buf *small = c->frame;
	if (small->len < small->cap || small->len == c->frame_len)
		return;
	c->frame = buf_new(c->loop->env.bufs, c->frame_len);
	memcpy(c->frame->at, small->at, small->len);
	c->frame->len = small->len;
	buf_put(small);
}

/* One system call; recv is cheaper than readv where there is nothing to scatter. */
static ssize_t fill(struct conn *c, size_t *asked)
{
	struct loop *l = c->loop;
	struct iovec iov[2];
	int n = 0;
	size_t room = 0;
	ASSERT(!c->ahead);
	if (c->frame) {
		make_room(c);
		room = size_min(c->frame->cap, c->frame_len) - c->frame->len;
		iov[n++] = (struct iovec){ c->frame->at + c->frame->len, room };
	}
	size_t ahead = room > READ_AHEAD ? TAIL_AHEAD : READ_AHEAD;
	iov[n++] = (struct iovec){ l->scratch->at, ahead };
	*asked = room + ahead;
	ssize_t got;
	do {
		got = n == 1 ? recv(c->fd, iov[0].iov_base, iov[0].iov_len, 0)
			     : readv(c->fd, iov, n);
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		conn_fail_later(c, ERR_CLOSED);
	else if (got < 0 && errno != EAGAIN)
		conn_fail_later(c, sock_err(errno));
	return got;
}

/* Bytes beyond the frame in progress lie in the scratch, which becomes the conn's `ahead`. */
static void received(struct conn *c, size_t n)
{
	struct loop *l = c->loop;
	if (c->frame) {
		size_t room = size_min(c->frame->cap, c->frame_len) - c->frame->len;
		size_t k = size_min(room, n);
		c->frame->len += (uint32_t)k;
		n -= k;
	}
	if (n == 0)
		return;
	c->ahead = l->scratch;
	c->ahead->len = (uint32_t)n;
	c->ahead_at = 0;
}

/* The scratch goes back to the loop if it is still the loop's, else home to its pool. */
static void drop_ahead(struct conn *c)
{
	if (c->ahead && c->ahead != c->loop->scratch)
		buf_put(c->ahead);
	c->ahead = NULL;
	c->ahead_at = 0;
}

/* A frame that was begun must make progress (frame_timeout_ms), or a slow sender could hold memory
 * for ever; an idle connection between frames has all the time in the world. */
static void stop_reading(struct conn *c)
{
	struct loop *l = c->loop;
	struct env *env = &l->env;
	bool whole = c->frame && c->frame->len == c->frame_len;
	conn_read_again(c);
	if (!whole && (c->frame || c->head_n > 0)) {
		c->progress_us = env_mono_us(env);
		if (!c->patience.set)
			timer_after_ms(env, &c->patience, l->group->options.frame_timeout_ms);
	} else {
		timer_clear(env, &c->patience);
	}
	conn_want(c);
}
