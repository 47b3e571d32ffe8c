/* fakebroker.h - a broker as the controller sees one: registers, follows the metadata stream,
 * heartbeats.  Blocking, one thread, no partitions.
 *
 * Speaks the frames of common/rpc/rpc.h over a plain socket, so that a test decides when anything
 * is read.  While it waits it handles what is pushed: metadata is folded into `image` and answered
 * with a heartbeat, as real brokers do (unless is_lazy). */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "common/meta/image.h"

struct fakebroker {
	int fd;                  /* -1: not connected */
	int32_t id, port;
	uint8_t incarnation;     /* a new number is a new process */
	int64_t epoch;
	uint64_t last_call;
	struct image *image;     /* what the stream told */
	int snapshots;           /* pushes that began anew */
	bool is_fenced, should_shut_down, want_shutdown, is_lazy;
	int32_t refused;         /* code of the newest answer to a heartbeat */
	Weir__Response *reply;   /* of the newest call; freed by the next */
};

void fake_init(struct fakebroker *, int32_t id, int32_t port);
void fake_fini(struct fakebroker *);
bool fake_connect(struct fakebroker *);
void fake_cut(struct fakebroker *);      /* the connection closes, as after kill -9 */
/* The reply, or NULL: none within 10 s or the connection went. */
const Weir__Response *fake_call(struct fakebroker *, Weir__Request *);
int32_t fake_register(struct fakebroker *, int64_t metadata_offset);     /* the code */
void fake_heartbeat(struct fakebroker *);
/* Handles what arrives for so long; true as soon as done() holds. */
bool fake_wait(struct fakebroker *, int ms, bool (*done)(struct fakebroker *));
/* Connected, registered, unfenced. */
bool fake_join(struct fakebroker *);

/* Admin calls; the first code of the reply, -1 without one. */
int32_t fake_create(struct fakebroker *, const char *topic, int32_t partitions, int32_t rf);
int32_t fake_set(struct fakebroker *, const char *topic, const char *name, const char *value);
const struct image_partition *fake_partition(const struct fakebroker *, const char *topic, int32_t);
