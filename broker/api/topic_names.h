/* topic_names.h - what a topic may be called. */
#pragma once
#include "common/base/base.h"

/* 1 to 249 of [A-Za-z0-9._-], and neither "." nor "..". */
bool topic_name_ok(struct str);
/* Kept by the brokers themselves: clients do not produce to it. */
bool topic_name_internal(struct str);
