/* ctlworld.h - the controller's core without network or disk: the stage for stories and random
 * walks.
 *
 * A command is decided, its records are packed into a log and replayed one by one, with the
 * invariants of the metadata checked after each.  With a tale, records and answers are told in
 * words.  Topic ids come from the seed, so stories repeat. */
#pragma once
#include "common/base/text.h"
#include "controller/core/ctl.h"

#define CTLWORLD_BROKERS 8

struct ctlworld {
	struct ctl ctl;
	struct ctl_options options;
	struct arena arena;
	uint64_t seed;
	uint8_t incarnation[CTLWORLD_BROKERS + 1]; /* of each broker's newest process */
	int32_t asker;  /* the broker that asks and may ask again, its number; 0: nobody does */
	int64_t number, answered_below;
	int64_t previous_epoch; /* that registrations come with; -1: records may be gone */
	struct packed {
		size_t n;
		uint8_t *at;
	} *log;
	int64_t n_log, cap_log;
	int32_t n_unclean;
	struct text *tale; /* NULL: silent */
};

void ctlworld_init(struct ctlworld *);
void ctlworld_fini(struct ctlworld *);
/* The command's answer, valid until the next command; NULL: refused, as told. */
const Weir__Response *ctlworld_do(struct ctlworld *, const struct ctl_cmd *);
/* Does the log, replayed from nothing, give the same state?  And the state's own records? */
bool ctlworld_replays(struct ctlworld *);

void ctlworld_register(struct ctlworld *, int32_t id, const char *rack, bool is_new,
		       bool is_old_alive);
void ctlworld_broker(struct ctlworld *, enum ctl_kind, int32_t id, const char *reason);
const struct image_partition *ctlworld_partition(struct ctlworld *, struct str topic,
						 int32_t partition);
int64_t ctlworld_epoch(struct ctlworld *, int32_t broker);
void ctlworld_show(struct ctlworld *);
