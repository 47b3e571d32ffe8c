#include "common/wire/kerr.h"
#include "tests/lib/fakebroker.h"

#include "common/base/endian.h"
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* APPLY_MS: brokers that nobody reads for say nothing, and are not waited for. */
enum { CALL = 1, REPLY = 2, PUSH = 3, HEAD = 13, CALL_MS = 10000, APPLY_MS = 200 };

static int64_t now_ms(void);
static bool send_frame(struct fakebroker *, int kind, uint64_t id, const Weir__Request *);
static bool read_frame(struct fakebroker *, int timeout_ms, int *kind, uint64_t *id);
static bool read_all(int fd, uint8_t *, size_t n, int timeout_ms);
static void on_push(struct fakebroker *, const Weir__Response *);
static void on_metadata(struct fakebroker *, const Weir__MetadataBatch *);

void fake_init(struct fakebroker *f, int32_t id, int32_t port)
{
	*f = (struct fakebroker){ .fd = -1, .id = id, .port = port, .incarnation = 1 };
	f->is_fenced = true;
}

void fake_fini(struct fakebroker *f)
{
	fake_cut(f);
	image_put(f->image);
	if (f->reply != NULL)
		weir__response__free_unpacked(f->reply, NULL);
}

bool fake_connect(struct fakebroker *f)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)f->port) };
	int one = 1;

	fake_cut(f);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(f->fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		fake_cut(f);
		return false;
	}
	(void)setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return true;
}

void fake_cut(struct fakebroker *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

const Weir__Response *fake_call(struct fakebroker *f, Weir__Request *q)
{
	uint64_t want = ++f->last_call, id;
	int64_t end = now_ms() + CALL_MS;
	int kind;

	if (!send_frame(f, CALL, want, q))
		return NULL;
	while (now_ms() < end) {
		if (!read_frame(f, (int)(end - now_ms()), &kind, &id))
			return NULL;
		if (kind == REPLY && id == want)
			return f->reply;
		on_push(f, f->reply);
	}
	return NULL;
}

int32_t fake_register(struct fakebroker *f, int64_t metadata_offset)
{
	Weir__Request q = WEIR__REQUEST__INIT;
	Weir__RegisterBroker m = WEIR__REGISTER_BROKER__INIT;
	Weir__Endpoint end = WEIR__ENDPOINT__INIT, *ends[] = { &end };
	uint8_t incarnation[16] = { 1, (uint8_t)f->id, f->incarnation },
		dir[16] = { 2, (uint8_t)f->id };
	ProtobufCBinaryData dirs[] = { { 16, dir } };
	const Weir__Response *r;

	end.name = end.protocol = (char[]){ "PLAINTEXT" };
	end.host = (char[]){ "127.0.0.1" };
	end.port = 9092 + f->id;
	m.id = f->id;
	m.cluster_id = (char[]){ "" };
	m.incarnation = (ProtobufCBinaryData){ 16, incarnation };
	m.endpoints = ends;
	m.n_endpoints = 1;
	m.log_dirs = dirs;
	m.n_log_dirs = 1;
	m.has_metadata_offset = true;
	m.metadata_offset = metadata_offset;
	q.body_case = WEIR__REQUEST__BODY_REGISTER_BROKER;
	q.register_broker = &m;
	if ((r = fake_call(f, &q)) == NULL)
		return -1;
	if (r->status->code == 0)
		f->epoch = r->registered_broker->broker_epoch;
	return r->status->code;
}

void fake_heartbeat(struct fakebroker *f)
{
	Weir__Request q = WEIR__REQUEST__INIT;
	Weir__Heartbeat m = WEIR__HEARTBEAT__INIT;

	m.id = f->id;
	m.broker_epoch = f->epoch;
	m.metadata_offset = f->image != NULL ? f->image->offset : 0;
	m.has_want_shutdown = true;
	m.want_shutdown = f->want_shutdown;
	q.body_case = WEIR__REQUEST__BODY_HEARTBEAT;
	q.heartbeat = &m;
	(void)send_frame(f, PUSH, 0, &q);
}

bool fake_wait(struct fakebroker *f, int ms, bool (*done)(struct fakebroker *))
{
	int64_t end = now_ms() + ms;
	uint64_t id;
	int kind;

	while (!done(f)) {
		int64_t left = end - now_ms();

		if (left <= 0 || !read_frame(f, (int)left, &kind, &id))
			return done(f);
		if (kind == PUSH)
			on_push(f, f->reply);
	}
	return true;
}

static bool is_unfenced(struct fakebroker *f)
{
	return !f->is_fenced;
}

bool fake_join(struct fakebroker *f)
{
	int32_t code = KERR_NOT_CONTROLLER;

	if (!fake_connect(f))
		return false;
	/* Asked while it is being elected, it says so when it is. */
	for (int i = 0; i < 20 && code == KERR_NOT_CONTROLLER; i++)
		code = fake_register(f, f->image != NULL ? f->image->offset : 0);
	return code == 0 && fake_wait(f, 5000, is_unfenced);
}

int32_t fake_create(struct fakebroker *f, const char *topic, int32_t partitions, int32_t rf)
{
	Weir__Request q = WEIR__REQUEST__INIT;
	Weir__CreateTopics m = WEIR__CREATE_TOPICS__INIT;
	Weir__CreateTopic t = WEIR__CREATE_TOPIC__INIT, *topics[] = { &t };
	const Weir__Response *r;

	t.name = (char *)(uintptr_t)topic;
	t.has_partitions = t.has_replication_factor = true;
	t.partitions = partitions;
	t.replication_factor = rf;
	m.topics = topics;
	m.n_topics = 1;
	m.has_timeout_ms = true;
	m.timeout_ms = APPLY_MS;
	q.body_case = WEIR__REQUEST__BODY_CREATE_TOPICS;
	q.create_topics = &m;
	r = fake_call(f, &q);
	return r != NULL && r->body_case == WEIR__RESPONSE__BODY_TOPICS ? r->topics->topics[0]->code
									: -1;
}

int32_t fake_set(struct fakebroker *f, const char *topic, const char *name, const char *value)
{
	Weir__Request q = WEIR__REQUEST__INIT;
	Weir__AlterConfigs m = WEIR__ALTER_CONFIGS__INIT;
	Weir__AlterConfigsResource one = WEIR__ALTER_CONFIGS_RESOURCE__INIT, *all[] = { &one };
	Weir__AlterConfig c = WEIR__ALTER_CONFIG__INIT, *configs[] = { &c };
	const Weir__Response *r;

	c.op = WEIR__CONFIG_OP__CONFIG_SET;
	c.name = (char *)(uintptr_t)name;
	c.value = (char *)(uintptr_t)value;
	one.type = IMAGE_TOPIC;
	one.name = (char *)(uintptr_t)topic;
	one.configs = configs;
	one.n_configs = 1;
	m.resources = all;
	m.n_resources = 1;
	q.body_case = WEIR__REQUEST__BODY_ALTER_CONFIGS;
	q.alter_configs = &m;
	r = fake_call(f, &q);
	return r != NULL && r->body_case == WEIR__RESPONSE__BODY_CONFIGS
		       ? r->configs->resources[0]->code
		       : -1;
}

const struct image_partition *fake_partition(const struct fakebroker *f, const char *topic,
					     int32_t p)
{
	const struct image_topic *t =
		f->image != NULL ? image_topic_named(f->image, str_of(topic)) : NULL;

	return t != NULL ? image_partition(t, p) : NULL;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* size, kind, id, message: see rpc.h */
static bool send_frame(struct fakebroker *f, int kind, uint64_t id, const Weir__Request *q)
{
	size_t n = weir__request__get_packed_size(q);
	uint8_t *at = mem_alloc(HEAD + n);
	bool ok;

	store_be32(at, (uint32_t)(HEAD - 4 + n));
	at[4] = (uint8_t)kind;
	store_be64(at + 5, id);
	(void)weir__request__pack(q, at + HEAD);
	ok = f->fd >= 0 && send(f->fd, at, HEAD + n, MSG_NOSIGNAL) == (ssize_t)(HEAD + n);
	mem_free(at);
	return ok;
}

static bool read_frame(struct fakebroker *f, int timeout_ms, int *kind, uint64_t *id)
{
	uint8_t head[HEAD], *at;
	size_t n;

	if (f->fd < 0 || !read_all(f->fd, head, HEAD, timeout_ms))
		return false;
	n = load_be32(head) - (HEAD - 4);
	*kind = head[4];
	*id = load_be64(head + 5);
	at = mem_alloc(n + 1);
	if (f->reply != NULL)
		weir__response__free_unpacked(f->reply, NULL);
	f->reply = read_all(f->fd, at, n, CALL_MS) ? weir__response__unpack(NULL, n, at) : NULL;
	mem_free(at);
	return EXPECT(f->reply != NULL);
}

static bool read_all(int fd, uint8_t *to, size_t n, int timeout_ms)
{
	while (n > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, timeout_ms) <= 0 || (got = recv(fd, to, n, 0)) <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

static void on_push(struct fakebroker *f, const Weir__Response *r)
{
	if (r->body_case == WEIR__RESPONSE__BODY_METADATA)
		on_metadata(f, r->metadata);
	if (r->body_case != WEIR__RESPONSE__BODY_HEARTBEAT)
		return;
	f->is_fenced = r->heartbeat->is_fenced;
	f->should_shut_down = r->heartbeat->should_shut_down;
	f->refused = r->heartbeat->has_code ? r->heartbeat->code : 0;
}

static void on_metadata(struct fakebroker *f, const Weir__MetadataBatch *b)
{
	if (b->is_snapshot && (f->image == NULL || f->image->offset >= 0)) {
		image_put(f->image);
		f->image = image_new();
		f->image->offset = -1; /* until it is whole */
		f->snapshots++;
	}
	if (!EXPECT(f->image != NULL))
		return;
	if (!b->is_snapshot)
		EXPECT_EQ(b->base_offset, f->image->offset);
	for (size_t i = 0; i < b->n_records; i++)
		EXPECT_OK(image_apply(f->image, b->records[i]));
	if (b->more)
		return;
	f->image->offset = b->end_offset;
	image_check(f->image);
	if (!f->is_lazy)
		fake_heartbeat(f);
}
