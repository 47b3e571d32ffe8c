/* net.h - the conns of the simulated network; for net*.c, dial.c and scene_hold.c only.
 *
 * A conn is one end of a stream.  Frames travel as packets with times of arrival that never pass
 * each other; at most WINDOW bytes are on their way or unread, the rest waits at the sender.  A
 * cut route keeps packets until it heals or GIVE_UP_US is over: then the sender's end fails, and
 * the other one, if nothing comes from it, when its keepalive does. */
#pragma once
#include "tests/sim/world.h"

#define WINDOW (256 << 10)
#define GIVE_UP_US 15000000
#define KEEPALIVE_US 60000000
#define DIAL_US 10000000
#define SYN_US 1000000

struct packet {
	struct list node;
	enum { PACKET_FRAME, PACKET_END, PACKET_RESET } kind;
	uint32_t n;
	uint8_t at[];
};

enum conn_state { CONN_DIALLING, CONN_OPEN, CONN_FINISHING, CONN_MOVING, CONN_CLOSED };

struct conn {
	struct list in_world, in_machine, in_turn;
	struct machine *machine;
	struct actor *actor;
	enum conn_state state;
	bool is_silent; /* closed by a power loss: answers nothing until the power is back */
	bool is_lost;   /* what is sent to it vanishes on the way, and nobody is told */
	bool paused, is_read_due, is_giving_up;
	const struct conn_events *on;
	void *arg;
	uint32_t frame_max;
	struct conn *peer; /* NULL until somebody accepted */
	struct peer_addr local, remote;
	struct list out, in, stalled; /* struct packet: to send, arrived, kept by a cut */
	int64_t out_bytes;            /* in `out` */
	int64_t on_way;               /* sent, not read by the peer */
	int64_t due_us;               /* arrival of the last packet to the peer */
	int64_t dialled_us;
	struct actor *move_to;
	void (*moved)(void *arg, struct conn *);
};

struct listener {
	struct list in_machine;
	struct machine *machine;
	int32_t port;
	bool is_closed;
	void (*accept)(void *arg, struct env *, struct conn *);
	void *arg;
};

/* net.c */
struct conn *conn_new(struct actor *, enum conn_state);
int64_t route_us(struct world *, int from, int to); /* a packet's time on the way */
void conn_fail(void *conn, void *why);              /* happen: down() and gone */
void conn_detach(struct conn *);
void conn_send_packet(struct conn *, struct packet *);
void conn_tell(struct conn *, int kind);            /* the other end of an end */
void conn_read_soon(struct conn *);
struct machine *conn_far(const struct conn *); /* the other end's machine */

/* net_send.c */
void sim_send(struct conn *, const struct span *, int n);
void conn_flush_soon(struct conn *);

/* dial.c */
enum err sim_listen(struct env *, const struct peer_addr *,
		    void (*accept)(void *arg, struct env *, struct conn *), void *arg,
		    struct listener **out, int32_t *port);
void sim_unlisten(struct listener *);
struct conn *sim_dial(struct env *, const struct peer_addr *, const struct conn_events *,
		      void *arg);
