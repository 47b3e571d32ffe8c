/* dynamic_conf.h - options of a broker itself that may change while it runs.
 *
 * Besides these, every default of topics may (topic_conf.h); nothing else.  A value is this
 * broker's dynamic config, else the cluster-wide one, else the broker's options file, else the
 * row's default.  The controller checks against the rows, brokers run on the values. */
#pragma once
#include "common/base/conf.h"
#include "common/meta/image.h"

struct dynamic_conf {
	int64_t leader_throttle, follower_throttle, dirs_throttle; /* bytes/s; INT64_MAX: none */
	int64_t producer_expiration_ms;
	int64_t free_bytes_min; /* of a log directory; below it nothing more is produced */
};

extern const struct conf_row dynamic_conf_rows[];
extern const int dynamic_conf_n_rows;

const struct conf_row *dynamic_conf_row(struct str name); /* NULL: it cannot change */
/* The rows for a broker's file, for a struct dynamic_conf at that offset of the options. */
int dynamic_conf_broker_rows(struct conf_row *out, size_t at);
/* The values in force on broker self; file: what its options file says. */
void dynamic_conf_of(const struct dynamic_conf *file, const struct image *, int32_t self,
		     struct dynamic_conf *out);
