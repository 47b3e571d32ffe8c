/* scene.h - short stories with a known outcome, told on a stage: three brokers X, Y, Z (more where
 * a scene asks), one controller, one topic of one partition whose first replica and leader is X.
 *
 * A scene is prose: each line acts, waits for something with a bound in virtual time, or expects.
 * A record is its name, up to eight letters.  Whatever a scene does, the invariants of check.c are
 * watched after every event.  Every scene is played with several worlds, whose turns, latencies
 * and protocol versions differ; "NAME@7" plays the seventh alone.
 *
 * What is held, stays on its way (TCP keeps the order: all that follows on that connection, too)
 * until let_go or, after 15 s, until its connection is given up. */
#pragma once
#include "common/wire/kerr.h"
#include "tests/sim/client.h"

/* W, V: where a scene asks for more brokers; C, D, E: controllers */
enum { X, Y, Z, W, V, CONTROLLER = 20, C = CONTROLLER, D, E };
#define ALL (-1) /* acks */

struct stage;
struct scene {
	const char *name;
	void (*play)(struct stage *);
};
struct staging { /* 0: the usual */
	int controllers;
	/* all partitions begin on X; scenes speak of 0 */
	int brokers, rf, min_isr, log_dirs, partitions;
	bool is_unclean;
	int64_t lag_ms; /* usual: long, so that a silent follower stays in sync */
	int64_t session_ms, grace_ms;
	int64_t roll_ms, retention_ms; /* usual: one segment, kept for ever */
};
enum held {
	QUESTIONS,       /* of `from` on connections that it made */
	ANSWERS,         /* of `from` on connections that were made to it */
	ALTER_PARTITION, /* proposals to the controller */
	ALTERED,         /* its answers to them */
	METADATA,        /* what it tells brokers */
};

/* scenes/: each table ends with a NULL name. */
extern const struct scene recovery_scenes[], min_isr_scenes[], election_scenes[], eligible_scenes[],
	reassign_scenes[], truncation_scenes[], epoch_scenes[], isr_scenes[], watermark_scenes[],
	storage_scenes[], moves_scenes[], regression_scenes[], shutdown_scenes[], quorum_scenes[];

bool scene_is(const char *name); /* one of them, "@7" or not behind it */
void scene_play(const char *name, bool is_loud);
const struct scene *scene_at(int i); /* NULL: no more */

/* ---- acting --------------------------------------------------------------------------------- */

void open_stage(struct stage *, const struct staging *);
/* Sends once and waits: acknowledged, or refused with that code. */
void acked(struct stage *, const char *record, int acks);
void acked_by(struct stage *, const char *record, int acks, int broker);
/* By the idempotent producer, with that sequence number: acks=all. */
void acked_as(struct stage *, const char *record, int32_t sequence);
void acked_as_by(struct stage *, const char *record, int32_t sequence, int broker);
void refused_as(struct stage *, const char *record, int32_t sequence, enum kerr);
void refused_as_by(struct stage *, const char *record, int32_t sequence, enum kerr, int broker);
void refused(struct stage *, const char *record, int acks, enum kerr);
void refused_by(struct stage *, const char *record, int acks, enum kerr, int broker);
/* Sends to that broker; it is not acknowledged within a second. */
void unanswered(struct stage *, const char *record, int acks, int broker);
/* Sends to the leader and goes on; a client waits for three seconds. */
void send_on(struct stage *, const char *record, int acks);
void send_on_to(struct stage *, const char *record, int acks, int broker);
void send_on_as(struct stage *, const char *record, int32_t sequence);
void not_yet_acked(struct stage *, const char *record);
void then_acked(struct stage *, const char *record);
void then_refused(struct stage *, const char *record, enum kerr);
void elect_preferred(struct stage *); /* X, of partition 0 */
void begin_preferred(struct stage *); /* asks for it, and goes on */
void delete_below(struct stage *, int64_t offset);
void replace_topic(struct stage *); /* by another one of the same name */
void reassign(struct stage *, const char *names); /* the first preferred; NULL: as it was */
void set_min_isr(struct stage *, const char *);
void throttle(struct stage *, const char *side, const char *rate); /* of "leader", "follower" */
/* A consumer reads that replica from its start to its end, again and again: whatever it is given
 * must be committed and stay what it was. */
void read_on(struct stage *, int broker);
void pass_ms(struct stage *, int64_t);

void kill_node(struct stage *, int who);
void power_off_node(struct stage *, int who);
void start_node(struct stage *, int who);
void wait_end(struct stage *, int who);
void stop_node(struct stage *, int who);  /* SIGTERM; waits for the end */
void ask_to_stop(struct stage *, int who); /* SIGTERM; does not wait */
void pause_node(struct stage *, int who);
void resume_node(struct stage *, int who);
void slow_jobs(struct stage *, int64_t ms);      /* every job waits up to so long for a thread */
void fill_disk(struct stage *, int broker);
void break_disk(struct stage *, int broker); /* every write fails */
void break_dir_of(struct stage *, int broker, int partition); /* its log directory */
void starve(struct stage *, int broker, int64_t opens); /* no descriptor after so many more */
void mend_disk(struct stage *, int broker);  /* there is room, too */
void flip_byte(struct stage *, int broker, const char *record); /* of its log, where it lies */
void skew_clock(struct stage *, int who, int64_t ms);

void cut_off(struct stage *, int a, int b); /* both ways */
void isolate(struct stage *, int broker); /* from brokers and controller; clients reach it */
void mend_all(struct stage *);
void hold(struct stage *, enum held, int from, int to);
void wait_held(struct stage *, enum held);
void let_go(struct stage *);
void let_go_of(struct stage *, enum held);
void lose_held(struct stage *); /* the connections break instead */
/* Of several controllers (scene_quorum.c). */
int active(struct stage *);              /* below 0: none */
int standby(struct stage *, int but);    /* one that is neither active nor that one */
int wait_active(struct stage *, int other_than); /* -1: any; it has committed something */
void wait_inactive(struct stage *);
void wait_led_by_other(struct stage *, int old); /* by that one's own word */
bool is_running(struct stage *, int who);
void cut_among_controllers(struct stage *, int who);
void lose_metadata(struct stage *, int who); /* while it is down: another disk at the next start */
bool has_vote(struct stage *, int who);
void take_vote(struct stage *, int who); /* both wait until it is committed */
void give_vote(struct stage *, int who);
bool may_take_vote(struct stage *, int who); /* asked once; it is taken if so */

/* ---- waiting and expecting ------------------------------------------------------------------ */

void wait_isr(struct stage *, const char *names); /* "XYZ", any order */
int wait_new_leader(struct stage *, int old); /* by the controller's word and the broker's own */
void wait_leader(struct stage *, int broker);
void wait_follower(struct stage *, int broker); /* it has heard that it leads no more */
void expect_one_place(struct stage *, int broker); /* among its log directories */
bool is_led_by(struct stage *, int broker, int partition);
void wait_ended(struct stage *, int who); /* its process, by itself */
void wait_whole(struct stage *), wait_no_leader(struct stage *);
void wait_log(struct stage *, int broker, const char *records);
void wait_watermark(struct stage *, int broker, int64_t);
void wait_read(struct stage *, const char *record); /* by read_on's consumer */
void expect_unread(struct stage *, const char *record);
void wait_replicas(struct stage *, const char *names);
void wait_gone(struct stage *, int broker); /* its disk has nothing of partition 0 */
void expect_isr(struct stage *, const char *names);
void expect_elr(struct stage *, const char *names);
void expect_log(struct stage *, int broker, const char *records); /* "M1 M2" */
void expect_everywhere(struct stage *, const char *records);
void expect_no_clean_mark(struct stage *, int broker);
int64_t watermark(struct stage *, int broker);
int32_t known_epoch(struct stage *, int broker); /* the newest in its leader-epoch-checkpoint */
int64_t first_offset(struct stage *, int broker), kept_offset(struct stage *, int broker);
int64_t end_offset(struct stage *, int broker);
int leader(struct stage *); /* by the controller's word; below 0: none */
int32_t leader_epoch(struct stage *), partition_epoch(struct stage *);
void expect(struct stage *, bool, const char *what);
