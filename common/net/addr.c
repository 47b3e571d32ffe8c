/* addr.c - addresses and the options of a socket.
 *
 * Only addr_resolve may block (it asks the resolver); everybody calls it from a job of the io pool,
 * except a listener at start. */
#include "common/net/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

/* errno of a socket call.  Codes that mean "nobody there" to a caller are one error, exhausted
 * resources another; the rest is ERR_IO. */
enum err sock_err(int code)
{
	switch (code) {
	case ECONNREFUSED:
	case EADDRINUSE:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EACCES: return ERR_REFUSED;
	case ETIMEDOUT: return ERR_TIMEOUT;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
	case ENOTCONN: return ERR_CLOSED;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM: return ERR_LIMIT;
	default: return ERR_IO;
	}
}

/* Between processes of one machine there is nothing to control, but what BBR does (the default of
 * some kernels) costs a timer for every send: a fifth of the CPU of a small produce. */
static void tune_loopback(int fd, const struct sockaddr_storage *peer)
{
	const struct sockaddr_in *v4 = (const void *)peer;
	const struct sockaddr_in6 *v6 = (const void *)peer;
	bool is_near = peer->ss_family == AF_INET ? (ntohl(v4->sin_addr.s_addr) >> 24) == 127
						  : peer->ss_family == AF_INET6 &&
							    IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	if (is_near)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
}

/* Replies leave at the end of a turn in one piece, so there is nothing to wait for; and a peer
 * whose host vanished is noticed within minutes even where nobody is waiting for it. */
void sock_tune(int fd, const struct sockaddr_storage *peer)
{
	int on = 1, idle_s = 60, every_s = 10, probes = 6;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	tune_loopback(fd, peer);
}

/* Without getaddrinfo, so that dialling an address needs no job. */
bool addr_numeric(const struct peer_addr *a, struct sockaddr_storage *s, socklen_t *n)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)a->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)a->port) };
	memset(s, 0, sizeof(*s));
	if (inet_pton(AF_INET, a->host, &v4.sin_addr) == 1) {
		memcpy(s, &v4, sizeof(v4));
		*n = sizeof(v4);
		return true;
	}
	if (inet_pton(AF_INET6, a->host, &v6.sin6_addr) == 1) {
		memcpy(s, &v6, sizeof(v6));
		*n = sizeof(v6);
		return true;
	}
	return false;
}

int addr_resolve(const struct peer_addr *a, bool passive, struct sockaddr_storage v[ADDRS_MAX],
		 socklen_t len[ADDRS_MAX])
{
	char port[12];
	snprintf(port, sizeof(port), "%d", (int)a->port);
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0) };
	struct addrinfo *all = NULL;
	int n = 0;
	if (getaddrinfo(a->host[0] ? a->host : NULL, port, &hints, &all) != 0)
		return 0;
	for (struct addrinfo *i = all; i && n < ADDRS_MAX; i = i->ai_next, n++) {
		memset(&v[n], 0, sizeof(v[n]));
		memcpy(&v[n], i->ai_addr, i->ai_addrlen);
		len[n] = i->ai_addrlen;
	}
	freeaddrinfo(all);
	return n;
}

/* An IPv4 peer of a dual-stack socket is shown as IPv4, as people wrote it in their configs. */
void addr_of_sock(const struct sockaddr_storage *s, struct peer_addr *a)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	memset(a, 0, sizeof(*a));
	memcpy(&v4, s, sizeof(v4));
	memcpy(&v6, s, sizeof(v6));
	if (s->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4.sin_addr, a->host, sizeof(a->host));
		a->port = ntohs(v4.sin_port);
	} else if (s->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
		inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], a->host, sizeof(a->host));
		a->port = ntohs(v6.sin6_port);
	} else if (s->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6.sin6_addr, a->host, sizeof(a->host));
		a->port = ntohs(v6.sin6_port);
	}
}
