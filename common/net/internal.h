/* internal.h - what the files of common/net share and nobody else sees.
 *
 * A conn is used on the thread of its loop only.  It is on up to three lists of that loop: `all`,
 * `again` while it has unread bytes in hand, and `turn` while something is to be done for it at the
 * end of the turn (output, a deferred failure, a move).  A closed conn waits on `dead` for the end
 * of the turn, so that callers up the stack may still look at its state. */
#pragma once
#include "common/net/iopool.h"
#include "common/net/loop.h"
#include "common/net/mailbox.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	READ_AHEAD = 16 << 10, /* bytes received before their frame's size is known */
	TAIL_AHEAD = 4 << 10,  /* the same behind a frame that is larger than READ_AHEAD */
	TRUST_MAX = 1 << 20,   /* a larger frame gets its memory once TRUST_FIRST bytes came */
	TRUST_FIRST = 64 << 10,
	FRAMES_PER_TURN = 16,
	BYTES_PER_TURN = 1 << 20, /* per connection and direction */
	COPY_SPAN_MAX = 64 << 10, /* file spans below this are copied and coalesced */
	STAGE_BYTES = 256 << 10,
	IOV_MAX_OUT = 64,
	LINGER_MS = 10000, /* conn_finish: without progress for so long, give up */
	ADDRS_MAX = 8,
	SIZE_BYTES = 4,
};

struct local_mail {
	struct mail *first, **last;
};

struct loop {
	struct env env; /* first: an env is its loop */
	struct loops *group;
	struct event_base *base;
	_Atomic uintptr_t owner; /* the thread that runs it; 0 before loops_run */
	struct mailbox box;
	struct event wake_event, timer_event, signal_event;
	struct local_mail local;
	struct heap timers;
	int timer_fd;
	int64_t armed_us; /* what timer_fd is set to; 0: not */
	struct list all, again, turn, dead;
	struct list listeners;
	struct buf *scratch; /* READ_AHEAD bytes, lent to a conn that stops in the middle */
	uint8_t *stage;      /* STAGE_BYTES for file spans on their way into a writev */
	struct iovec iov[IOV_MAX_OUT];
	_Atomic int n_conns; /* read by listeners of other loops */
	bool stop;
	struct mail stop_mail;
};

struct loops {
	struct loops_options options;
	int n;
	struct iopool *pool;
	uintptr_t *threads; /* pthread_t of actors 1.. */
	int signal_fd;
	_Atomic bool stopping;
	struct loop **v;
};

enum conn_state { CONN_DIALLING, CONN_OPEN, CONN_FINISHING, CONN_MOVING, CONN_CLOSED };

struct out {
	struct span span;         /* what is left of it */
	uint8_t size[SIZE_BYTES]; /* the frame's size, on its first span */
	uint8_t size_left;
};

struct dial;
struct conn {
	struct loop *loop;
	const struct conn_events *on;
	void *arg;
	uint32_t frame_max;
	int fd;
	enum conn_state state;
	enum err failure; /* found outside of a callback's place; told at the end of the turn */
	bool paused, blocked, reading, writing, shut;
	struct event read_event, write_event;
	struct list in_all, in_again, in_turn;
	/* input: head, then frame; ahead holds bytes received but not yet looked at */
	uint8_t head[SIZE_BYTES];
	uint32_t head_n;
	struct buf *frame;
	uint32_t frame_len;
	struct buf *ahead;
	uint32_t ahead_at;
	struct timer patience; /* an unfinished frame, or conn_finish */
	int64_t progress_us;
	/* output: a ring */
	struct out *ring;
	uint32_t out_at, out_n, out_cap;
	int64_t out_bytes;
	/* dialling and moving */
	struct dial *dial;
	struct mail moving;
	struct loop *move_to;
	void (*moved)(void *arg, struct conn *);
	struct sockaddr_storage peer;
};

static inline struct loop *loop_of(struct env *e)
{
	return (struct loop *)(void *)e;
}
extern const struct peers_ops net_peers;

/* conn.c */
struct conn *conn_new(struct loop *, int fd, enum conn_state);
void conn_want(struct conn *);
void conn_fail(struct conn *, enum err why);       /* only where a down event may be delivered */
void conn_fail_later(struct conn *, enum err why); /* anywhere: at the end of the turn */
void conn_attach(struct conn *, int fd);
void conn_opened(struct conn *);
void conns_end_turn(struct loop *);
void conns_fini(struct loop *);
/* conn_read.c */
void conn_read(struct conn *);
void conn_read_again(struct conn *); /* next turn, if frames are in hand */
void conn_read_fini(struct conn *);
/* conn_write.c */
void conn_push(struct conn *, const struct span *, int n);
enum err conn_flush(struct conn *, bool *more); /* more: the turn's budget is used up */
void conn_write_fini(struct conn *);
/* dial.c, listener.c */
struct conn *dial_conn(struct env *, const struct peer_addr *, const struct conn_events *,
		       void *arg);
void dial_ready(struct conn *); /* the socket of a dialling conn is writable */
void dial_fini(struct conn *);
enum err listener_open(struct env *, const struct peer_addr *,
		       void (*accept)(void *arg, struct env *, struct conn *), void *arg,
		       struct listener **out, int32_t *port);
void listener_for_peers(struct listener *);
void listener_close(struct listener *);
void listeners_fini(struct loop *);
/* addr.c */
enum err sock_err(int errno_value);
void sock_tune(int fd, const struct sockaddr_storage *peer);
bool addr_numeric(const struct peer_addr *, struct sockaddr_storage *, socklen_t *);
/* Blocks (the resolver may ask the network): call it in a job.  Returns how many it found. */
int addr_resolve(const struct peer_addr *, bool passive, struct sockaddr_storage v[ADDRS_MAX],
		 socklen_t len[ADDRS_MAX]);
void addr_of_sock(const struct sockaddr_storage *, struct peer_addr *);
