/* ctllink.h - the broker's link to the active controller; lives on shard 0.
 *
 * Registers with this process's incarnation, sends heartbeats (at the interval, after every
 * applied metadata push, and when something changes), folds the metadata stream into images and
 * publishes each to every shard, sends AlterPartition, forwards what clients ask of the
 * controller.
 *
 * Rule: an image reaches the shards only when it holds this incarnation's registration.  So after
 * a restart nothing is led on the word of an earlier life. */
#pragma once
#include "broker/shard/call.h"
#include "broker/shard/isr.h"
#include "cluster/rpc.pb-c.h"
#include "common/base/arena.h"
#include "common/base/buf.h"

struct ctllink;
struct ctllink *ctllink_new(struct shard *zero);
void ctllink_free(struct ctllink *);
void ctllink_start(struct ctllink *);
/* Ends the connection; every question that waits fails now, later ones at once. */
void ctllink_stop(struct ctllink *);
/* Some shard's `applied` moved: heartbeats carry the lowest. */
void ctllink_applied(struct ctllink *);
void ctllink_alter(struct ctllink *, struct isr_item *);
/* Controlled shutdown: asks to move leaders away; done(arg) runs when that is so, or when
 * controlled.shutdown.timeout.ms is over. */
void ctllink_shutdown(struct ctllink *, void (*done)(void *arg), void *arg);
int64_t ctllink_broker_epoch(const struct ctllink *);

/* A question to the controller from any shard.  The asker sets request, timeout and arena; its
 * memory is the link's until `done` runs on the asker's shard.  While the link is down the question
 * waits, within its timeout, for the next active controller; one that was on its way when the link
 * broke is asked again there, with the number it had: what was carried out is not done twice, and
 * the answer is the one of the first time. */
struct ctl_call {
	struct call call;
	Weir__Request *request;
	int64_t timeout_ms;
	bool is_look;             /* changes nothing: without a link it is soon refused */
	struct arena *arena;      /* where the response is unpacked */
	int32_t code;             /* enum kerr, of the response's status or of the link */
	struct str message;       /* in the arena; null: none */
	Weir__Response *response; /* NULL: none came */
	struct buf *reply;        /* the packed response, until done returns */
	void (*done)(struct ctl_call *);
	void *arg;
	struct list node; /* the link's */
	struct timer deadline;
	int64_t until_us;
	char why[256];            /* no controller was active, in a standby's words; empty */
	struct ctllink *link;
};
void ctllink_ask(struct shard *from, struct ctl_call *);
/* A protobuf-c message out of packed bytes, all of it in the arena; NULL: malformed. */
void *ctl_unpack(const ProtobufCMessageDescriptor *, struct arena *, const uint8_t *, size_t n);
