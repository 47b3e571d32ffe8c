/* link.h - a broker as the controller meets it: connection, liveness, its place in the stream.
 *
 * Soft state: none of it is in the log, all of it is rebuilt when brokers register again.
 *
 *   connection closed      a short grace for the same process to come back, then fenced
 *   silent                 fenced after the session timeout, and cut off
 *   controlled shutdown    may go when everyone has applied that it leads nothing
 *
 * An unclean election, where a topic allows one, waits until the last in-sync replica has been away
 * for a session timeout: fencing is quick here, and a restart must not cost records.
 *
 * A controller that was itself asleep does not blame the brokers: when a session timer comes very
 * late, everybody starts with a fresh session. */
#pragma once
#include "controller/server/node.h"

struct link {
	struct node *node;
	int32_t id;
	int64_t epoch;
	struct session *session;                 /* NULL: not connected */
	bool is_streaming;                       /* the registration is committed and answered */
	int64_t sent, applied;                   /* offsets: the next record to send, to apply */
	int64_t contact_us;
	bool want_shutdown;
	int64_t shutdown_end;                    /* its farewell's records end here; -1 none */
	struct timer grace, silence, gone;
};

struct link *link_of(struct node *, int32_t broker);     /* NULL: never seen */
/* After a start: every broker that the log calls unfenced has one session timeout to report. */
void links_expect_all(struct node *);
void links_free(struct node *);

bool link_is_alive(const struct link *);         /* connected and heard of lately */
void link_probe(struct link *);                  /* is there still somebody at the other end? */
void link_bind(struct node *, struct session *, int32_t broker, int64_t epoch);  /* it registered */
void link_closed(struct link *);                 /* its connection went */
void link_contact(struct link *);                /* something arrived */
void link_stream(struct link *, int64_t from);   /* start to push committed records */
void link_pump(struct link *);                   /* push what there is room for */
void link_pump_all(struct link *);               /* an answer follows that must not overtake it */
/* Who asks, if it is a broker that will ask again: in the command. */
void link_asks(const struct session *, const Weir__Request *, struct ctl_cmd *);
void link_heartbeat(struct session *, const Weir__Heartbeat *);
/* Every broker that is not fenced has applied the log up to end; but: not asked, -1 none. */
bool links_applied(struct node *, int64_t end, int32_t but);
/* The command, and whom no unclean election may pass over: brokers that came, or went, a moment
 * ago. */
void links_await(struct node *, struct arena *, const struct ctl_cmd *, struct ctl_cmd *out);
void links_check_shutdowns(struct node *);
