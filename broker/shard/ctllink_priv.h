/* ctllink_priv.h - the link's inside, shared by ctllink*.c. */
#pragma once
#include "broker/shard/ctllink.h"
#include "broker/shard/shard.h"
#include "common/rpc/rpc.h"

enum ctl_state { CTL_RESTING, CTL_DIALLING, CTL_REGISTERING, CTL_REGISTERED };

struct ctllink {
	struct shard *zero;
	struct env *env;
	struct broker *broker;
	enum ctl_state state;
	struct rpc *rpc;
	int controller, tries; /* which of the configured ones; attempts in a row */
	int n_refused; /* registrations, since the last that was taken */
	struct peer_addr addr; /* of the attempt that is under way, or the last one */
	struct peer_addr hint; /* where the active one is, as another said; port 0: unknown */
	char refusal[256];     /* why there is none, in its words; empty */
	enum err ended;        /* the last attempt, why; ERR_OK: as `refusal` says */
	int64_t complained_us; /* that there is none */
	int64_t heard_us;      /* anything from it */
	int64_t down_us;       /* when the last registration ended; the start before the first */
	struct rpc *probe;     /* while it is silent: asks another one who is active */
	int probed;            /* which */
	struct timer retry, heartbeat;
	int64_t broker_epoch; /* -1 before the first registration */
	int64_t sent_applied;
	bool is_fenced;
	/* metadata (ctllink_meta.c) */
	struct image *image;    /* the newest; NULL before the first */
	struct image *snapshot; /* one being received */
	bool is_published;
	/* questions and ISR proposals (ctllink_ask.c) */
	struct list asks;  /* waiting for the link */
	struct list asked; /* on their way */
	int64_t n_asked;   /* by this process: the number of the newest */
	bool is_stopped;
	struct list isr_queue, isr_sent; /* one AlterPartition in flight */
	bool is_altering;
	struct timer isr_pause;
	struct arena arena;
	/* controlled shutdown */
	bool want_shutdown;
	struct timer shutdown;
	void (*shutdown_done)(void *arg);
	void *shutdown_arg;
};

/* ctllink_probe.c */
void ctl_watch(struct ctllink *); /* at every heartbeat */
void ctl_probe_end(struct ctllink *);
void ctl_restart(struct ctllink *); /* closes the connection and dials again */
void ctl_meta_push(struct ctllink *, const Weir__MetadataBatch *);
void ctl_meta_free(struct ctllink *);
int64_t ctl_applied(const struct ctllink *); /* the lowest of all shards */
void ctl_link_up(struct ctllink *);   /* registered: send what waits */
void ctl_link_lost(struct ctllink *); /* what was on its way waits again */
void ctl_ask_init(struct ctllink *);
void ctl_ask_stop(struct ctllink *);
char *arena_str_z(struct arena *, struct str); /* a copy with its NUL */
