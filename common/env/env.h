/* env.h - the seam between Weir's code and the world: clock, timers, files, jobs, peers, mail.
 *
 * Everything above this header runs unchanged in production (common/net: libevent and POSIX) and
 * in the simulator (tests/sim: one thread, a priority queue).  A struct env is one actor: a shard
 * of a broker, or a controller.  All calls are made from the actor's own thread unless said
 * otherwise, and all callbacks arrive on it, never from inside the call that caused them
 * (exception: none).  An actor never blocks but in file calls.
 */
#pragma once
#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/heap.h"
#include "common/base/list.h"
#include "common/base/prng.h"

struct env;

/* ---- time ------------------------------------------------------------------------------ */

/* A timer is embedded in its owner; setting a set timer moves it.  fn runs once. */
struct timer {
	struct heap_node node;
	int64_t at_us; /* monotonic; meaningful while set */
	bool set;
	void (*fn)(void *arg);
	void *arg;
};

/* ---- mail between actors of one process --------------------------------------------------- */

/* Intrusive message; the sender fills fn and gives the message away.  fn runs on the receiver's
 * thread and decides what becomes of the memory.  Mail from one sender to one receiver arrives
 * in the order sent.  env_post may be called on any thread.  Mail an actor posts to itself runs at
 * the end of the turn, after everything that had arrived when the turn began and before the turn's
 * output leaves: the place for work that is done once for many events. */
struct mail {
	struct mail *next;
	void (*fn)(struct mail *);
};

/* ---- jobs: work that may block ------------------------------------------------------------- */

/* work() runs on some thread of the io pool (in the simulator: later) and may make file calls;
 * done() then runs on the submitting actor's thread.  The job is the submitter's memory. */
struct job {
	struct mail mail; /* used by the pool for the way back */
	struct job *next;
	struct env *home;
	void (*work)(struct job *);
	void (*done)(struct job *);
};

/* ---- files ----------------------------------------------------------------------------------- */

/* An open file, refcounted (atomic): a fetch in flight pins the segment it sends.  Closed by the
 * last file_put. */
struct file {
	const struct files_ops *ops;
	_Atomic uint32_t refs;
	int fd; /* production only; -1 in the simulator */
};
struct file_iov {
	const void *at;
	size_t n;
};
enum file_flags {
	FILE_READ = 1,
	FILE_WRITE = 2,
	FILE_CREATE = 4,
	FILE_EXCLUSIVE = 8,
	FILE_TRUNCATE = 16
};
struct file_name { /* what files->list hands out */
	const char *name;
	bool is_dir;
	int64_t size_bytes;
};

/* Every call may block; each reports ERR_IO or ERR_NOSPACE after logging path and errno; those
 * without a struct file also ERR_NOFILES, which is nobody's device failing.  Writes
 * are whole or failed: a short write is retried inside, and after a failure the caller must
 * treat the bytes past its last known end as unknown. */
struct files_ops {
	enum err (*open)(struct env *, const char *path, unsigned flags, struct file **out);
	void (*close)(struct file *); /* by the last file_put only */
	enum err (*writev)(struct file *, const struct file_iov *, int n, int64_t at);
	/* *got < n means the end of the file. */
	enum err (*read)(struct file *, void *to, size_t n, int64_t at, size_t *got);
	enum err (*size)(struct file *, int64_t *bytes);
	enum err (*truncate)(struct file *, int64_t bytes);
	enum err (*sync)(struct file *); /* fdatasync; never retried after a failure */
	enum err (*lock)(struct file *); /* ERR_LOCKED when another process holds it */
	enum err (*sync_dir)(struct env *, const char *path);
	enum err (*rename)(struct env *, const char *from, const char *to);
	enum err (*unlink)(struct env *, const char *path); /* ERR_NOT_FOUND is not logged */
	enum err (*mkdir)(struct env *, const char *path);  /* and its parents; existing is fine */
	enum err (*rmdir)(struct env *, const char *path);  /* with everything below it */
	enum err (*list)(struct env *, const char *path,
			 void (*each)(void *arg, const struct file_name *), void *arg);
	enum err (*space)(struct env *, const char *path, int64_t *free_bytes,
			  int64_t *total_bytes);
	/* Hint that [at, at+n) will be read soon; called from a job. */
	void (*warm)(struct file *, int64_t at, int64_t n);
	/* May the range be read without waiting for the device?  A guess, and cheap: on the actor's
	 * thread.  NULL: always. */
	bool (*is_warm)(struct file *, int64_t at, int64_t n);
	/* Which run of the kernel this is: what was written is there until the next, synced or not.
	 * Zero, or NULL: unknown. */
	void (*boot_id)(struct env *, struct uuid *);
	/* Which file it is and since when: a copy of it is another one.  NULL, or zero: unknown. */
	void (*file_id)(struct env *, const char *path, struct uuid *);
};
struct file *file_get(struct file *);
void file_put(struct file *); /* any thread; NULL is fine */

/* ---- peers: ordered streams of length-prefixed frames --------------------------------------- */

/* Both protocols that Weir speaks (Kafka's and its own protobuf) frame a message as a big-endian
 * int32 size and that many bytes, so the seam deals in frames.  A conn belongs to one actor. */
struct conn;

/* After down has returned the conn is gone: drop every pointer to it.  Inside these callbacks all
 * operations on the conn are allowed, close among them. */
struct conn_events {
	/* A dialled conn is established; never for accepted ones. */
	void (*up)(void *arg, struct conn *);
	/* One frame without its size; moves the reference. */
	void (*frame)(void *arg, struct conn *, struct buf *);
	/* Last event: closed by the peer, failed, or over frame_max. */
	void (*down)(void *arg, struct conn *, enum err why);
	/* Output ran empty after a conn_send; may be NULL. */
	void (*drained)(void *arg, struct conn *);
};

/* A piece of output: a reference to memory or to a part of a file, moved to the conn. */
struct span {
	struct buf *buf; /* exactly one of buf and file is set */
	struct file *file;
	int64_t at; /* offset into it */
	int64_t n;
};

#define CONN_FRAME_MAX (100u << 20)

struct listener;
struct peer_addr {
	char host[256]; /* name or address */
	int32_t port;
};

struct peers_ops {
	/* accept(arg, env, conn) runs on whichever of the process's actors got the connection and
	 * must call bind (or close) before it returns.  port 0 chooses one; *port says which.
	 * Unlisten on the actor that listened; an accept already on its way to another actor may
	 * still arrive.  ERR_REFUSED: in use, ERR_NOT_FOUND: no address of this machine,
	 * ERR_DENIED: not for this user; listen_text says so. */
	enum err (*listen)(struct env *, const struct peer_addr *,
			   void (*accept)(void *arg, struct env *, struct conn *), void *arg,
			   struct listener **out, int32_t *port);
	void (*unlisten)(struct listener *);
	/* No clients come here: it may have some of the last descriptors, which are kept from
	 * clients.  On the actor that listened, right after listen; NULL: there is no limit. */
	void (*listen_for_peers)(struct listener *);
	/* Never fails at once: a refusal arrives as down (ERR_REFUSED, ERR_TIMEOUT, ERR_NOT_FOUND
	 * for a name that has no address).  Frames sent before up are kept until then. */
	struct conn *(*dial)(struct env *, const struct peer_addr *, const struct conn_events *,
			     void *arg);
	/* Who hears of the conn from now on, and its largest frame (a dialled conn:
	 * CONN_FRAME_MAX). */
	void (*bind)(struct conn *, const struct conn_events *, void *arg, uint32_t frame_max);
	/* One frame made of n spans, moved; the seam puts its size in front.  Leaves at the end of
	 * the turn together with whatever else was sent in it. */
	void (*send)(struct conn *, const struct span *, int n);
	void (*pause)(struct conn *, bool); /* true: no frame event until false */
	/* Move a conn to another actor of this process, unread frames and unsent output included:
	 * moved(arg, conn) then runs there; until then nobody may touch the conn. */
	void (*move)(struct conn *, struct env *to, void (*moved)(void *arg, struct conn *));
	/* Give it away: close when the output has left; no event follows. */
	void (*finish)(struct conn *);
	void (*close)(struct conn *);            /* now; no event follows */
	int64_t (*pending)(const struct conn *); /* output bytes not yet handed to the kernel */
	void (*name)(const struct conn *, char *out, size_t cap); /* "127.0.0.1:40312", for logs */
	/* The address the peer dialled. */
	void (*local_addr)(const struct conn *, struct peer_addr *);
};

/* ---- the actor ------------------------------------------------------------------------------- */

struct env_ops {
	int64_t (*mono_us)(struct env *);
	int64_t (*wall_ms)(struct env *);
	void (*timer_set)(struct env *, struct timer *, int64_t at_us);
	void (*timer_clear)(struct env *, struct timer *);
	void (*post)(struct env *to, struct mail *);
	void (*submit)(struct env *, struct job *);
	void (*stop)(struct env *); /* leave the actor's loop after this turn */
	void (*work_all)(struct env *, struct job *first); /* env_work_all; NULL: one by one */
};

struct env {
	const struct env_ops *ops;
	const struct files_ops *files;
	const struct peers_ops *peers;
	struct bufpool *bufs; /* this actor's */
	struct prng prng;     /* the only source of randomness */
	int id;               /* number of the actor in its process, from 0 */
};

static inline int64_t env_mono_us(struct env *e)
{
	return e->ops->mono_us(e);
}
static inline int64_t env_mono_ms(struct env *e)
{
	return e->ops->mono_us(e) / 1000;
}
static inline int64_t env_wall_ms(struct env *e)
{
	return e->ops->wall_ms(e);
}
static inline void env_post(struct env *to, struct mail *m)
{
	to->ops->post(to, m);
}
static inline void env_submit(struct env *e, struct job *j)
{
	e->ops->submit(e, j);
}
const char *listen_text(enum err); /* why peers->listen failed, for people */
/* At the end of a process, when the loops have: work() of all jobs (a list by `next`), on as many
 * threads as there are; returns when all are over, and calls no done(). */
void env_work_all(struct env *, struct job *first);
void timer_init(struct timer *, void (*fn)(void *arg), void *arg);
void timer_after_ms(struct env *, struct timer *, int64_t ms);
void timer_clear(struct env *, struct timer *); /* clearing an unset timer is fine */
