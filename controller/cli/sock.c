/* sock.c - poll before every blocking step, against one deadline for the whole exchange. */
#include "controller/cli/sock.h"
#include "common/base/endian.h"
#include "common/base/text.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_BYTES_MAX (1 << 30)

bool addr_parse(struct cli *cli, struct str text, int32_t port, struct addr *out)
{
	struct str host = str_trim(text);
	/* An address of IPv6 has colons of its own: the port's stands behind the bracket. */
	const char *colon = memrchr(host.at, ':', host.n), *bracket = memrchr(host.at, ']', host.n);

	out->port = port;
	if (colon && colon > bracket) {
		struct str number = { colon + 1, (size_t)(host.at + host.n - colon - 1) };

		if (parse_i32(number, &out->port) || out->port <= 0 || out->port > 65535)
			return false;
		host.n = (size_t)(colon - host.at);
	}
	if (host.n >= 2 && host.at[0] == '[' && host.at[host.n - 1] == ']')
		host = (struct str){ host.at + 1, host.n - 2 };
	out->host = cli_z(cli, host);
	return host.n > 0 && out->port > 0;
}

/* ERR_OK: the fd is ready for `events`. */
static enum err wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = i64_max(0, deadline_ms - cli_now_ms());
		int n = poll(&p, 1, (int)i64_min(left, INT32_MAX));

		if (n > 0)
			return ERR_OK;
		if (n == 0)
			return ERR_TIMEOUT;
		if (errno != EINTR)
			return err_of_errno(errno);
	}
}

static enum err connect_one(const struct addrinfo *ai, int64_t deadline_ms, int *out)
{
	int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
			ai->ai_protocol);
	int one = 1, failed = 0;
	socklen_t n = sizeof(failed);
	enum err e = ERR_OK;

	if (fd < 0)
		return err_of_errno(errno);
	/* Without waiting, so that a host that swallows packets costs our deadline and not the
	 * kernel's two minutes. */
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		e = errno == EINPROGRESS ? wait_for(fd, POLLOUT, deadline_ms) : err_of_errno(errno);
	/* Writable also means failed; only this tells (connect(2), EINPROGRESS). */
	if (!e && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) == 0 && failed)
		e = failed == ECONNREFUSED ? ERR_REFUSED : err_of_errno(failed);
	if (e) {
		close(fd);
		return e;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*out = fd;
	return ERR_OK;
}

enum err sock_dial(struct addr to, int64_t deadline_ms, int *fd)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	enum err e = ERR_NOT_FOUND;
	char port[16];

	snprintf(port, sizeof(port), "%d", to.port);
	if (getaddrinfo(to.host, port, &hints, &all) != 0)
		return ERR_NOT_FOUND;
	/* localhost is ::1 and 127.0.0.1, and a broker mostly listens on one of them. */
	for (const struct addrinfo *ai = all; ai; ai = ai->ai_next) {
		e = connect_one(ai, deadline_ms, fd);
		if (!e)
			break;
	}
	freeaddrinfo(all);
	return e;
}

bool sock_is_free(int32_t loopback_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)loopback_port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	bool is_free;

	if (fd < 0)
		return true; /* whoever listens will say what is wrong */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* as the daemons do */
	is_free = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno != EADDRINUSE;
	close(fd);
	return is_free;
}

enum err sock_send(int fd, const void *bytes, size_t n, int64_t deadline_ms)
{
	const char *at = bytes;

	while (n > 0) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
		enum err e;

		if (sent >= 0) {
			at += sent;
			n -= (size_t)sent;
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			return ERR_CLOSED;
		if (errno != EAGAIN && errno != EINTR)
			return err_of_errno(errno);
		if ((e = wait_for(fd, POLLOUT, deadline_ms)))
			return e;
	}
	return ERR_OK;
}

static enum err recv_all(int fd, void *to, size_t n, int64_t deadline_ms)
{
	char *at = to;

	while (n > 0) {
		ssize_t got = recv(fd, at, n, 0);
		enum err e;

		if (got > 0) {
			at += got;
			n -= (size_t)got;
			continue;
		}
		if (got == 0 || errno == ECONNRESET)
			return ERR_CLOSED;
		if (errno != EAGAIN && errno != EINTR)
			return err_of_errno(errno);
		if ((e = wait_for(fd, POLLIN, deadline_ms)))
			return e;
	}
	return ERR_OK;
}

enum err sock_recv_frame(int fd, struct arena *mem, int64_t deadline_ms, struct str *frame)
{
	uint8_t head[4];
	enum err e = recv_all(fd, head, sizeof(head), deadline_ms);
	uint32_t n;
	char *at;

	if (e)
		return e;
	n = load_be32(head);
	if (n > FRAME_BYTES_MAX)
		return ERR_LIMIT;
	/* arena_alloc, not arena_must: the size is the peer's word, and it may not even be a
	 * broker. */
	at = arena_alloc(mem, n + 1);
	if (!at)
		return ERR_LIMIT;
	*frame = (struct str){ at, n };
	return recv_all(fd, at, n, deadline_ms);
}
