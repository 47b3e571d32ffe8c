/* The client against a peer that says what a test wants it to say. */
#include "common/wire/header.h"
#include "kafka/api_versions.h"
#include "tests/lib/kclient.h"
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct peer {
	pid_t pid;
	int port;
};

/* A child that accepts once, reads something, sends `say` and closes. */
static struct peer peer_start(const void *say, size_t n)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct peer p;
	char scrap[512];

	ASSERT(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0);
	getsockname(listener, (struct sockaddr *)&at, &size);
	p.port = ntohs(at.sin_port);
	p.pid = fork();
	if (p.pid == 0) {
		int fd = accept(listener, NULL, NULL);

		if (recv(fd, scrap, sizeof(scrap), 0) <= 0 || send(fd, say, n, 0) != (ssize_t)n)
			_exit(1);
		if (n == 0)
			usleep(300 * 1000);
		_exit(0);
	}
	close(listener);
	return p;
}

static enum err ask(const void *say, size_t n, struct kclient *k, struct api_versions_response *got)
{
	struct peer p = peer_start(say, n);
	struct api_versions_request q;
	enum err e = kclient_open(k, "127.0.0.1", p.port, n ? 5000 : 100);

	schema_init(&api_versions_request_schema, &q);
	EXPECT_OK(e);
	if (!e)
		e = kclient_call(k, API_API_VERSIONS, 0, &q, got);
	if (!e)
		EXPECT(kclient_is_closed(k));
	waitpid(p.pid, NULL, 0);
	return e;
}

TEST(a_call_brings_the_reply)
{
	static const uint8_t say[] = {
		0, 0, 0, 16, 0, 0, 0, 1, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4
	};
	struct api_versions_response got;
	struct kclient k;

	EXPECT_OK(ask(say, sizeof(say), &k, &got));
	EXPECT_EQ(got.error_code, 35);
	EXPECT_EQ(got.n_api_keys, 1);
	EXPECT_EQ(got.api_keys[0].max_version, 4);
	kclient_close(&k);
}

TEST(bad_replies_are_errors)
{
	static const uint8_t cut[] = { 0, 0, 0, 16, 0, 0, 0, 1 };
	static const uint8_t tiny[] = { 0, 0, 0, 2, 0, 0 };
	static const uint8_t wrong_id[] = { 0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0 };
	static const uint8_t too_long[] = { 0, 0, 0, 11, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
	struct api_versions_response got;
	struct kclient k;

	EXPECT_EQ(ask(cut, sizeof(cut), &k, &got), ERR_CLOSED);
	kclient_close(&k);
	EXPECT_EQ(ask(tiny, sizeof(tiny), &k, &got), ERR_CORRUPT);
	kclient_close(&k);
	EXPECT_EQ(ask(wrong_id, sizeof(wrong_id), &k, &got), ERR_CORRUPT);
	EXPECT_Z(k.error, "asked 1, was answered 9");
	kclient_close(&k);
	EXPECT_EQ(ask(too_long, sizeof(too_long), &k, &got), ERR_CORRUPT);
	kclient_close(&k);
	EXPECT_EQ(ask(NULL, 0, &k, &got), ERR_TIMEOUT);
	kclient_close(&k);
	kclient_close(&k);
}

TEST(nobody_listens)
{
	struct kclient k;

	EXPECT_EQ(kclient_open(&k, "127.0.0.1", 1, 1000), ERR_REFUSED);
	kclient_close(&k);
}
