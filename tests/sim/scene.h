/* scene.h - short stories with a known outcome, told on a stage: three brokers X, Y, Z (more where
 * a scene asks), one controller, one topic of one partition whose first replica and leader is X.
 *
 * A scene is prose: each line acts, waits for something with a bound in virtual time, or expects.
 * A record is its name, up to eight letters.  Whatever a scene does, the invariants of check.c are
 * watched after every event. */
#pragma once
#include "common/wire/kerr.h"
#include "tests/sim/client.h"

enum { X, Y, Z };
#define ALL (-1) /* acks */

struct stage;
struct scene {
	const char *name;
	void (*play)(struct stage *);
};
struct staging { /* 0: the usual */
	int brokers, rf, min_isr;
	bool is_unclean;
	int64_t lag_ms; /* usual: long, so that a silent follower stays in sync */
	int64_t session_ms;
};

/* scenes/: each table ends with a NULL name. */
extern const struct scene recovery_scenes[], min_isr_scenes[], election_scenes[],
	regression_scenes[];

/* False: no scene has the name. */
bool scene_play(const char *name, bool is_loud);
const struct scene *scene_at(int i); /* NULL: no more */

/* ---- acting --------------------------------------------------------------------------------- */

void open_stage(struct stage *, const struct staging *);
/* Sends once and waits: acknowledged, or refused with that code. */
void acked(struct stage *, const char *record, int acks);
void refused(struct stage *, const char *record, int acks, enum kerr);
/* Sends to that broker; no answer comes within a second. */
void unanswered(struct stage *, const char *record, int acks, int broker);
void acked_by(struct stage *, const char *record, int acks, int broker);
void kill_node(struct stage *, int broker);
void power_off_node(struct stage *, int broker);
void start_node(struct stage *, int broker);
void cut_off(struct stage *, int a, int b); /* both ways */
void isolate(struct stage *, int broker); /* from brokers and controller; clients reach it */
void mend_all(struct stage *);
void stop_node(struct stage *, int broker);      /* SIGTERM; waits for the end */
void slow_jobs(struct stage *, int64_t ms);      /* every job waits up to so long for a thread */
void pass_ms(struct stage *, int64_t);

/* ---- waiting and expecting ------------------------------------------------------------------ */

void wait_isr(struct stage *, const char *names); /* "XYZ", any order */
int wait_new_leader(struct stage *, int old); /* by the controller's word and the broker's own */
void wait_leader(struct stage *, int broker);
void wait_no_leader(struct stage *);
void wait_whole(struct stage *);
void expect_log(struct stage *, int broker, const char *records); /* "M1 M2" */
void expect_everywhere(struct stage *, const char *records);
void expect_no_clean_mark(struct stage *, int broker);
int32_t leader_epoch(struct stage *);
void expect(struct stage *, bool, const char *what);
