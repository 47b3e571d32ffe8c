/* isr_cause.h - why a leader wants its ISR changed, in numbers that travel and in words.
 *
 * Pure.  isr_causes looks at the replica as it is when the change is proposed; the words stand in
 * the metadata log for whoever asks later (weir isr history). */
#pragma once
#include "broker/core/replica.h"

/* Told of so many members at most: the others change for the same reasons. */
#define ISR_CAUSES_MAX 2

struct isr_cause {
	int32_t broker;
	bool joins, is_new_process; /* since it left */
	int64_t offset;    /* joins: where it caught up */
	int64_t ms;        /* since its first fetch, or since it was caught up; -1 never */
	int64_t silent_ms; /* since its last fetch; -1: none in this leader epoch */
	int64_t records;   /* behind our end; -1 unknown */
};
struct isr_causes {
	struct isr_cause v[ISR_CAUSES_MAX];
	int32_t n, more; /* more: members beyond v */
};

void isr_causes(const struct replica *, uint32_t isr, int64_t now_ms, struct isr_causes *);
/* "broker 3 caught up at offset 9201114, 4210 ms after its first fetch"; cut at cap. */
void isr_causes_text(const struct isr_causes *, char *out, size_t cap);
