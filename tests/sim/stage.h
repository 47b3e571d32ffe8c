/* stage.h - the stage of a scene; for scene*.c only. */
#pragma once
#include "tests/sim/scene.h"

#define SECOND 1000000
#define BOUND_US (30 * SECOND)
#define STEP_US 1000
#define HOLDS_MAX 8
#define READ_MAX 64

struct sending { /* a record on its way; the memory stays as long as the world */
	struct sending *next;
	const char *record;
	int acks, broker;
	int32_t sequence; /* -1: of no idempotent producer */
	bool is_answered;
	enum err err;
	int16_t code;
	int64_t offset;
};
struct holding {
	enum held what;
	int from, to; /* machines */
	int64_t n;    /* held so far */
};
struct stage {
	const char *name;
	struct cluster *cluster;
	struct sim_topic *topic;
	struct client prompt;  /* sends and waits */
	struct client patient; /* sends and goes on: its answers may take long */
	struct client reader;
	struct sending *sent; /* the newest first */
	int32_t next_sequence; /* -1: what is sent next is of no idempotent producer */
	struct holding holding[HOLDS_MAX];
	int n_holding;
	/* what is asked in the client's turn, and its answer */
	int64_t asked;
	const char *names;
	bool is_done;
	int16_t code;
	/* scene_read.c */
	int read_from;
	int64_t read_offset, n_rounds;
	uint64_t seen[READ_MAX];
	int n_seen;
	struct timer read_timer;
};

int stage_leader(const struct stage *); /* by the controller's word; below 0: none */
struct machine *stage_machine(const struct stage *, int who);
char stage_letter(int who);
int stage_who(char letter);
uint64_t stage_value(const char *record);
void stage_wait(struct stage *, bool (*is_so)(const struct stage *, const char *), const char *arg,
		const char *what);
void stage_read_init(struct stage *);
