/* event.h - one record of the metadata log as something that happened: to whom, what, and why. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "common/meta/image.h"
#include "controller/cli/cli.h"

struct event {
	int64_t offset, time_ms;    /* time -1: not recorded */
	const char *type;           /* "leader", "isr", "replicas", "broker", "topic", ... */
	const char *subject;        /* "orders-2", "broker 3" */
	const char *change, *cause; /* cause NULL: none was recorded */
	struct str topic;           /* null: about none */
};
/* The types there are, for usage: "leader, isr, ...". */
extern const char event_types[];

/* before: the state up to the record, as far as it is known; now: where names are looked up that it
 * does not have.  False: nothing that an operator would call an event. */
must_check bool event_of(struct cli *, const struct image *before, const struct image *now,
			 const Weir__LogEntry *, struct event *);
