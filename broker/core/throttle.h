/* throttle.h - a rate in bytes a second that many owners share: replication that catches up must
 * leave room for clients (KIP-73).
 *
 * What is taken is booked forward in time: bytes / rate after the bookings before it.  Nothing may
 * be taken while the booked time lies ahead; a rest of up to THROTTLE_BURST_US is kept for later.
 * So a single large piece is let through and waited for afterwards, and the average is the rate.
 *
 * Any thread; no clock of its own.  Zeroed is ready for use. */
#pragma once
#include "common/base/base.h"

#define THROTTLE_BURST_US 100000
#define THROTTLE_NONE INT64_MAX /* a rate without limit */

struct throttle {
	_Atomic int64_t booked_us;
};

/* Microseconds until something may be taken; 0: now. */
int64_t throttle_wait_us(const struct throttle *, int64_t rate, int64_t now_us);
void throttle_take(struct throttle *, int64_t rate, int64_t now_us, int64_t bytes);
/* A new rate: what was booked at the old one is forgotten. */
void throttle_reset(struct throttle *);
/* How much to ask for at once, so that taking stays smooth: a tenth of a second's worth, not below
 * what one batch needs, not above max. */
int32_t throttle_piece(int64_t rate, int32_t max);
