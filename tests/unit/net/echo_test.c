/* Frames of every size through real sockets, cut at random places, and the errors of framing. */
#include "common/base/endian.h"
#include "tests/lib/test.h"
#include "tests/unit/net/net_rig.h"
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BIG = 10 << 20, WINDOW = 64 };

static uint8_t data[BIG], back[BIG];

static void with_echo(int n_actors, void (*client)(struct net_rig *))
{
	struct net_rig r;
	rig_new(&r, n_actors);
	rig_listen(&r, rig_echo_accept);
	rig_run(&r, client);
	rig_free(&r);
}

static void expect_echo(int fd, const uint8_t *want, size_t n)
{
	size_t got = 0;
	if (!EXPECT(rig_read_frame(fd, back, sizeof(back), &got)) || got != n)
		FAIL("a frame of %zu bytes came back with %zu", n, got);
	else if (memcmp(back, want, n) != 0)
		FAIL("a frame of %zu bytes came back changed", n);
}

static void every_small_size(struct net_rig *r)
{
	int fd = rig_connect(r);
	rig_fill(data, BIG, 1);
	for (size_t n = 0; n < 3000 && !test_failed(); n++) {
		rig_send_frame(fd, data + n, n);
		expect_echo(fd, data + n, n);
	}
	close(fd);
}

TEST(every_size_up_to_3000)
{
	with_echo(1, every_small_size);
}

static void many_sizes(struct net_rig *r)
{
	int fd = rig_connect(r);
	rig_fill(data, BIG, 2);
	for (size_t n = 3000; n <= 200 << 10 && !test_failed(); n += 331) {
		rig_send_frame(fd, data, n);
		expect_echo(fd, data, n);
	}
	const size_t edges[] = { 16 << 10, 64 << 10, 1 << 20, BIG };
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		for (size_t n = edges[i] - 6; n <= edges[i] && !test_failed(); n++) {
			rig_send_frame(fd, data, n);
			expect_echo(fd, data, n);
		}
		rig_send_frame(fd, data, edges[i] + (edges[i] < BIG));
		expect_echo(fd, data, edges[i] + (edges[i] < BIG));
	}
	close(fd);
}

TEST(sizes_up_to_10_mib)
{
	with_echo(2, many_sizes);
}

/* Sends frames of random sizes as one stream cut at random places, up to WINDOW ahead. */
static void random_cuts(struct net_rig *r)
{
	int fd = rig_connect(r);
	struct prng p;
	prng_seed(&p, 3);
	rig_fill(data, BIG, 3);
	for (int round = 0; round < 60 && !test_failed(); round++) {
		uint8_t *stream = mem_alloc(WINDOW * (66 << 10));
		size_t n[WINDOW], total = 0;
		for (int i = 0; i < WINDOW; i++) {
			n[i] = prng_below(&p, prng_chance(&p, 1, 8) ? 65 << 10 : 300);
			store_be32(stream + total, (uint32_t)n[i]);
			memcpy(stream + total + 4, data + i, n[i]);
			total += 4 + n[i];
		}
		size_t tail = prng_below(&p, 2) ? 0 : prng_below(&p, 9);
		for (size_t at = 0; at < total;) {
			size_t k = size_min(total - at,
					    1 + prng_below(&p, prng_chance(&p, 1, 3) ? 7 : 90000));
			rig_write(fd, stream + at, k);
			at += k;
			if (at >= total - tail && tail)
				usleep(500);
		}
		for (int i = 0; i < WINDOW && !test_failed(); i++)
			expect_echo(fd, data + i, n[i]);
		mem_free(stream);
	}
	close(fd);
}

TEST(pipelined_frames_keep_order_however_cut)
{
	with_echo(1, random_cuts);
}

static void *one_client(void *arg)
{
	struct net_rig *r = arg;
	int fd = rig_connect(r);
	uint8_t frame[512], got[512];
	size_t n = 0;
	rig_fill(frame, sizeof(frame), (uint64_t)fd);
	for (int i = 0; i < 300; i++) {
		rig_send_frame(fd, frame, (size_t)i);
		if (!EXPECT(rig_read_frame(fd, got, sizeof(got), &n)) || !EXPECT_EQ(n, i) ||
		    !EXPECT_MEM(got, frame, n))
			break;
	}
	close(fd);
	return NULL;
}

static void twelve_clients(struct net_rig *r)
{
	pthread_t t[12];
	for (int i = 0; i < 12; i++)
		pthread_create(&t[i], NULL, one_client, r);
	for (int i = 0; i < 12; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(r->accepted, 12);
}

TEST(clients_spread_over_three_actors)
{
	with_echo(3, twelve_clients);
}

static void wait_down(struct net_rig *r, int downs)
{
	for (int i = 0; i < 5000 && r->downs < downs; i++)
		usleep(1000);
	EXPECT_EQ(r->downs, downs);
}

static void wrong_sizes(struct net_rig *r)
{
	int fd = rig_connect(r);
	rig_write(fd, "\xff\xff\xff\xff", 4);
	EXPECT(!rig_read(fd, back, 1));
	wait_down(r, 1);
	EXPECT_EQ(r->last_down, ERR_INVALID);
	close(fd);

	fd = rig_connect(r);
	rig_send_frame(fd, "last words", 10);
	rig_write(fd, "\x7f\xff\xff\xff", 4);
	expect_echo(fd, (const uint8_t *)"last words", 10);
	EXPECT(!rig_read(fd, back, 1));
	wait_down(r, 2);
	EXPECT_EQ(r->last_down, ERR_LIMIT);
	close(fd);
}

TEST(negative_and_oversized_frames_close_the_connection)
{
	with_echo(1, wrong_sizes);
}

static void half_close(struct net_rig *r)
{
	int fd = rig_connect(r);
	rig_send_frame(fd, "one", 3);
	rig_send_frame(fd, "two", 3);
	rig_write(fd,
		  "\0\0\0\x09"
		  "cut",
		  7);
	wait_down(r, 0);
	shutdown(fd, SHUT_WR);
	wait_down(r, 1);
	EXPECT_EQ(r->last_down, ERR_CLOSED);
	EXPECT_EQ(r->frames, 2);
	close(fd);
}

TEST(half_closed_peer_goes_down_after_its_whole_frames)
{
	with_echo(1, half_close);
}
