/* call.h - a question from one shard to another, and its way back.
 *
 * Embedded in memory of the asker (usually its request's arena), which the asked shard owns
 * between call_send and call_return.  When both are the same shard there is no mail: work and
 * done then run inside call_send and call_return, so the asker counts its calls before it sends
 * them.  Calls from one shard to another arrive in the order sent: that is what keeps the batches
 * of one producer in order. */
#pragma once
#include "common/env/env.h"

struct shard;
struct call {
	struct mail mail;
	struct shard *from, *to;
	void (*work)(struct call *); /* on `to`; ends, now or later, with call_return */
	void (*done)(struct call *); /* on `from` */
};

void call_send(struct call *);
void call_return(struct call *);
