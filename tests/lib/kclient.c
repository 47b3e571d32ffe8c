#include "tests/lib/kclient.h"

#include "common/wire/header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ARENA_BYTES = 256 << 20, POOL_BYTES = 1 << 20 };

static enum err connect_one(struct kclient *, const struct addrinfo *);
static enum err wait_for(struct kclient *, short events, int64_t until_ms);
static enum err read_all(struct kclient *, void *to, size_t n, int64_t until_ms);
static int64_t now_ms(void);
static enum err fail(struct kclient *, enum err, const char *fmt, ...) printf_like(3, 4);

enum err kclient_open(struct kclient *k, const char *host, int port, int timeout_ms)
{
	const struct addrinfo want = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char service[16];
	enum err e = ERR_REFUSED;
	int no_delay = 1;

	*k = (struct kclient){ .fd = -1, .timeout_ms = timeout_ms, .client_id = "kclient" };
	k->pool = bufpool_new(POOL_BYTES);
	arena_init(&k->arena, ARENA_BYTES);
	snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(host, service, &want, &found) != 0)
		return fail(k, ERR_NOT_FOUND, "%s: no such host", host);
	for (const struct addrinfo *a = found; a && e; a = a->ai_next)
		e = connect_one(k, a);
	freeaddrinfo(found);
	if (!e)
		setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
	return e;
}

static enum err connect_one(struct kclient *k, const struct addrinfo *a)
{
	socklen_t size = sizeof(int);
	enum err e;
	int problem = 0;

	k->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd < 0)
		return fail(k, ERR_IO, "socket: %s", strerror(errno));
	if (connect(k->fd, a->ai_addr, a->ai_addrlen) == 0)
		return ERR_OK;
	problem = errno;
	e = ERR_OK;
	if (problem == EINPROGRESS) {
		e = wait_for(k, POLLOUT, now_ms() + k->timeout_ms);
		getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
	}
	if (!e && problem)
		e = fail(k, problem == ECONNREFUSED ? ERR_REFUSED : ERR_IO, "connect: %s",
			 strerror(problem));
	if (e) {
		close(k->fd);
		k->fd = -1;
	}
	return e;
}

void kclient_close(struct kclient *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	if (!k->pool)
		return;
	arena_fini(&k->arena);
	bufpool_free(k->pool);
	k->pool = NULL;
}

void kclient_fresh(struct kclient *k)
{
	arena_reset(&k->arena);
}

enum err kclient_call(struct kclient *k, enum api_key key, int version, const void *request,
		      void *response)
{
	enum err e = kclient_send(k, key, version, request);

	if (e)
		return e;
	kclient_fresh(k);
	e = kclient_recv(k, key, version, response);
	if (!e && k->answered_id != k->correlation_id)
		return fail(k, ERR_CORRUPT, "asked %d, was answered %d", k->correlation_id,
			    k->answered_id);
	return e;
}

enum err kclient_send(struct kclient *k, enum api_key key, int version, const void *request)
{
	const struct request_header head = { .api_key = (int16_t)key,
					     .api_version = (int16_t)version,
					     .correlation_id = ++k->correlation_id,
					     .client_id = str_of(k->client_id) };
	struct writer w;
	struct buf *frame;
	enum err e;

	ASSERT(api_decodable(key, version));
	writer_init(&w, k->pool, 0);
	request_begin(&w, &head);
	schema_encode(api_find(key)->request, version, request, &w);
	frame_end(&w);
	ASSERT(w.n_splices == 0); /* a client has no files to send */
	frame = writer_take(&w);
	writer_fini(&w);
	if (!frame)
		return fail(k, ERR_LIMIT, "the request is too large");
	e = kclient_send_raw(k, frame->at, frame->len);
	buf_put(frame);
	return e;
}

enum err kclient_recv(struct kclient *k, enum api_key key, int version, void *response)
{
	struct str frame;
	struct reader r;
	enum err e = kclient_recv_raw(k, &frame);

	if (e)
		return e;
	reader_init(&r, frame.at, frame.n);
	e = response_header_decode(&r, key, version, &k->answered_id);
	if (!e)
		e = schema_decode(api_find(key)->response, version, &r, &k->arena, response);
	if (e)
		return fail(k, e, "the reply of %zu bytes is no %s version %d", frame.n,
			    api_find(key)->name, version);
	if (reader_left(&r) > 0)
		return fail(k, ERR_CORRUPT, "%zu bytes left behind %s version %d", reader_left(&r),
			    api_find(key)->name, version);
	return ERR_OK;
}

enum err kclient_send_raw(struct kclient *k, const void *at, size_t n)
{
	const int64_t until_ms = now_ms() + k->timeout_ms;
	const char *from = at;

	while (n > 0) {
		ssize_t done = send(k->fd, from, n, MSG_NOSIGNAL);
		enum err e = ERR_OK;

		if (done > 0) {
			from += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN || errno == EINTR) {
			e = wait_for(k, POLLOUT, until_ms);
		} else {
			e = fail(k, ERR_CLOSED, "send: %s", strerror(errno));
		}
		if (e)
			return e;
	}
	return ERR_OK;
}

enum err kclient_recv_raw(struct kclient *k, struct str *frame)
{
	const int64_t until_ms = now_ms() + k->timeout_ms;
	uint8_t head[4];
	struct reader r;
	int32_t size;
	char *body;
	enum err e = read_all(k, head, sizeof(head), until_ms);

	if (e)
		return e;
	reader_init(&r, head, sizeof(head));
	size = reader_i32(&r);
	if (size < 4)
		return fail(k, ERR_CORRUPT, "a reply of %d bytes", size);
	body = arena_alloc(&k->arena, (size_t)size);
	if (!body)
		return fail(k, ERR_LIMIT, "a reply of %d bytes", size);
	*frame = (struct str){ body, (size_t)size };
	return read_all(k, body, (size_t)size, until_ms);
}

bool kclient_is_closed(struct kclient *k)
{
	const int64_t until_ms = now_ms() + k->timeout_ms;
	char scrap[4096];

	for (;;) {
		ssize_t n = recv(k->fd, scrap, sizeof(scrap), 0);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return true;
		if (n < 0 && wait_for(k, POLLIN, until_ms))
			return false;
	}
}

static enum err read_all(struct kclient *k, void *to, size_t n, int64_t until_ms)
{
	char *at = to;

	while (n > 0) {
		ssize_t got = recv(k->fd, at, n, 0);
		enum err e = ERR_OK;

		if (got > 0) {
			at += got;
			n -= (size_t)got;
		} else if (got == 0) {
			e = fail(k, ERR_CLOSED, "the peer closed the connection");
		} else if (errno == EAGAIN || errno == EINTR) {
			e = wait_for(k, POLLIN, until_ms);
		} else {
			e = fail(k, ERR_CLOSED, "recv: %s", strerror(errno));
		}
		if (e)
			return e;
	}
	return ERR_OK;
}

static enum err wait_for(struct kclient *k, short events, int64_t until_ms)
{
	struct pollfd p = { .fd = k->fd, .events = events };
	int64_t left_ms = until_ms - now_ms();

	if (left_ms <= 0 || poll(&p, 1, (int)left_ms) == 0)
		return fail(k, ERR_TIMEOUT, "nothing came of it in %d ms", k->timeout_ms);
	return ERR_OK;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum err fail(struct kclient *k, enum err e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(k->error, sizeof(k->error), fmt, args);
	va_end(args);
	return e;
}
