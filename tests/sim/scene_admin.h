/* scene_admin.h - the stage's topic, changed by whoever asks a broker and does not wait. */
#pragma once
#include "tests/sim/scene.h"

void begin_create(struct stage *, int broker);
void begin_delete(struct stage *, int broker);
void begin_grow(struct stage *, int broker); /* by one partition */
void then_done(struct stage *); /* the answer came, and is no error */
