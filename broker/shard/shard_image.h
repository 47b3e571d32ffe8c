/* shard_image.h - what a new metadata image means for the partitions of one shard. */
#pragma once
#include "broker/shard/shard.h"

/* Makes `im` (moved) the shard's image and brings its partitions in line with it. */
void shard_adopt_image(struct shard *, struct image *im);
