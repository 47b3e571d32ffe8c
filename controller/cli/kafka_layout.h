/* kafka_layout.h - topics and partitions as kafka-topics --describe prints them. */
#pragma once
#include "common/meta/image.h"
#include "controller/cli/cli.h"

void kafka_layout_topic(const struct image_topic *);
void kafka_layout_partition(struct cli *, const struct image_topic *, int32_t partition);
