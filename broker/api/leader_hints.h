/* leader_hints.h - who leads now, told along with NOT_LEADER_OR_FOLLOWER (KIP-951), so that a
 * client goes there without asking for metadata first. */
#pragma once
#include "broker/api/api.h"

struct produce_response;
struct fetch_response;
/* Adds the address of `leader` to the reply, once. */
void produce_hint(struct req *, struct produce_response *, int32_t leader);
void fetch_hint(struct req *, struct fetch_response *, int32_t leader);
