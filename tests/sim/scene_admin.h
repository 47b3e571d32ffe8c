/* scene_admin.h - topics and votes, changed by who asks a broker and does not wait. */
#pragma once
#include "tests/sim/scene.h"

void begin_create(struct stage *, int broker);
void begin_delete(struct stage *, int broker);
void begin_grow(struct stage *, int broker); /* by one partition */
void begin_take_vote(struct stage *, int broker, int who);
void begin_give_vote(struct stage *, int broker, int who);
void then_done(struct stage *); /* the answer came, and is no error */
