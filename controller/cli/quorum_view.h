/* quorum_view.h - the controllers as their leader sees them. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "controller/cli/cli.h"

/* An exit code; not CLI_OK: a sentence was printed. */
must_check int quorum_load(struct cli *, const Weir__Quorum **);
/* Voters that answered their leader lately. */
must_check bool quorum_is_up(const Weir__Quorum *, const Weir__QuorumMember *);
int32_t quorum_alive(const Weir__Quorum *);
int32_t quorum_voters(const Weir__Quorum *);
/* How many records the voter furthest behind lacks; -1: nobody leads who would know. */
int64_t quorum_lag(const Weir__Quorum *);
