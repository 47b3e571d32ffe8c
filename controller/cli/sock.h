/* sock.h - blocking sockets with a deadline, for frames: an int32 size and that many bytes.
 *
 * Deadlines are cli_now_ms() times.  Whoever dialled closes. */
#pragma once
#include "controller/cli/cli.h"

struct iovec;
struct addr {
	const char *host;
	int32_t port;
};

/* "host:9092", "[::1]:9092", "host" with `port`; text in cli->mem. */
must_check bool addr_parse(struct cli *, struct str, int32_t port, struct addr *);
/* ERR_NOT_FOUND: no such host; ERR_REFUSED: nobody listens; ERR_TIMEOUT. */
must_check enum err sock_dial(struct addr, int64_t deadline_ms, int *fd);
/* Could somebody listen there now? */
must_check bool sock_is_free(int32_t loopback_port);
must_check enum err sock_send(int fd, const void *, size_t n, int64_t deadline_ms);
/* One frame without its size, in the arena.  ERR_CLOSED, ERR_TIMEOUT, ERR_LIMIT. */
must_check enum err sock_recv_frame(int fd, struct arena *, int64_t deadline_ms, struct str *frame);
