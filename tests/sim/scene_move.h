/* scene_move.h - what scenes do with the replica of partition 0 and the log directories of its
 * broker, which are counted from 0. */
#pragma once
#include "tests/sim/scene.h"

void slow_moves(struct stage *, const char *rate);        /* NULL: as fast as they can */
void begin_dir_move(struct stage *, int broker, int dir); /* waits for the broker's yes */
void wait_copied(struct stage *, int broker, int64_t records); /* exactly so many */
void wait_moved(struct stage *, int broker, int dir);
int dir_of(struct stage *, int broker); /* -1: it has no replica, or not yet */
bool has_file(struct stage *, int broker, int dir, const char *name); /* beside its log */
