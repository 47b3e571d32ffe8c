/* schedule.h - the faults of a run as data: drawn from the seed before the run begins, written to a
 * file and read back, so that a failing run can be replayed, reduced and kept as a test.
 *
 * A file has JSON lines: first {"seed":7,"options":"--brokers 3 ..."}, with every option of the
 * run, then one line per fault, in the order of time:
 *	{"at_us":1203004,"fault":"cut","node":"b1","to":"b2","for_us":700000,"n":0}
 * Machines go by name: c100 is the controller, b1 the first broker, p0 the first producer.  Each
 * kind is drawn from a stream of its own: taking one away leaves the others as they were. */
#pragma once
#include "common/base/base.h"

enum fault_kind {
	FAULT_KILL,  /* kill -9; comes back after for_us */
	FAULT_STOP,  /* a controlled shutdown */
	FAULT_POWER, /* what was not synced may be gone */
	FAULT_PAUSE, /* the process stands still */
	FAULT_SLOW,  /* turns wait up to n us */
	FAULT_CUT,   /* node and `to` (none: everybody) lose each other; n = 1: one way only */
	FAULT_CLOG,  /* what node sends to `to` is late */
	FAULT_RESET, /* the connections between node and `to` are reset */
	FAULT_LOSE,  /* they are gone, and neither end is told */
	FAULT_SIP,   /* node reads a frame of each connection every n us */
	FAULT_DEAF,  /* who dials node gets no answer */
	FAULT_CLOCK, /* the wall clock is n ms off */
	FAULT_FULL,  /* n bytes are left on the disk */
	FAULT_WRITE, /* one write in n fails */
	FAULT_SYNC,  /* one sync in n fails; what it was to sync never gets to the device */
	FAULT_EVICT, /* the page cache lets go of what is clean */
	FAULT_ROT,   /* killed; a sector of a log that was not synced is bad: place by n */
	FAULT_MISDIRECT, /* likewise: a sector of that file has another one's bytes */
	FAULT_READ,  /* one read in n fails */
	FAULT_DRAG,  /* syncs and other jobs take up to n us longer */
	FAULT_HANG,  /* none of them ends */
	FAULT_UNREGISTER, /* the operator says that node is gone for good, while it runs */
	FAULT_WIPE,  /* of a controller: it comes back with an empty disk */
	FAULT_VOTER, /* the operator takes a controller's vote, or gives it one */
	FAULT_DIR, /* one log directory of several, by n, cannot be read or written */
	FAULT_KINDS
};

#define MACHINE_NAME_MAX 16
struct fault {
	int64_t at_us; /* from the beginning of the faults on */
	enum fault_kind kind;
	char node[MACHINE_NAME_MAX], to[MACHINE_NAME_MAX];
	int64_t for_us, n;
};
struct schedule {
	struct fault *v;
	int n, cap;
};
struct swarm;

void schedule_draw(struct schedule *, const struct swarm *);
void schedule_add(struct schedule *, const struct fault *);
void schedule_free(struct schedule *);
/* False: the file cannot be written, or `why` says what is wrong in it. */
bool schedule_write(const struct schedule *, const struct swarm *, const char *path);
bool schedule_read(struct schedule *, struct swarm *, const char *path, char *why, size_t cap);
const char *fault_name(enum fault_kind);
/* As a JSON object, without a newline. */
void fault_print(const struct fault *, char *out, size_t cap);
