/* raft_impl.h - what the files of raft share, and nobody else needs.  Each takes the effects of the
 * step that is under way.
 *
 *   raft.c            events, hard state, what is on disk, roles, time
 *   raft_vote.c       3.4, 3.6, 4.2.3, 9.6: pre-vote, vote, stickiness
 *   raft_append.c     3.5, 3.6.2: the follower's log; commit
 *   raft_leader.c     3.5: the leader's view of its peers, what it sends them
 *   raft_snapshot.c   5: chunks out and in
 *   raft_voters.c     3.10, 4: voter sets, peers, observers, transfer */
#pragma once
#include "controller/core/raft.h"

/* raft.c */
struct raft_msg *raft_send(struct raft *, struct raft_effects *, enum raft_msg_kind,
			   struct raft_voter to);
void raft_send_after(struct raft_effects *, int64_t seq);       /* the message just made */
void raft_set_term(struct raft *, struct raft_effects *, int64_t term, struct raft_voter voted);
/* The log was changed by this step; it ends where raft.log says. */
void raft_log_changed(struct raft *, struct raft_effects *);
int64_t raft_seq_of(const struct raft *, int64_t end);  /* what must be on disk for it; 0: it is */
/* Follower of `leader` (-1: of nobody yet) in this or a later term. */
void raft_follow(struct raft *, struct raft_effects *, int64_t term, int32_t leader);
int64_t raft_random(struct raft *, int64_t min, int64_t max);
void raft_be_patient(struct raft *);
void raft_advance_commit(struct raft *, int64_t known);
static inline bool raft_voter_none(struct raft_voter v) { return v.id < 0; }

/* raft_vote.c */
bool raft_may_campaign(const struct raft *);
void raft_pre_campaign(struct raft *, struct raft_effects *);
void raft_campaign(struct raft *, struct raft_effects *);
void raft_count_votes(struct raft *, struct raft_effects *);
void raft_on_pre_vote(struct raft *, const struct raft_msg *, struct raft_effects *);
void raft_on_vote(struct raft *, const struct raft_msg *, struct raft_effects *);
void raft_on_vote_reply(struct raft *, const struct raft_msg *, struct raft_effects *);

/* raft_append.c */
void raft_hear_leader(struct raft *, const struct raft_msg *, struct raft_effects *);
void raft_on_append(struct raft *, const struct raft_event *, struct raft_effects *);
void raft_refuse(struct raft *, const struct raft_msg *, struct raft_effects *);

/* raft_leader.c */
void raft_lead(struct raft *, struct raft_effects *);
void raft_on_appended(struct raft *, const struct raft_event *, struct raft_effects *);
void raft_on_append_reply(struct raft *, const struct raft_msg *, struct raft_effects *);
void raft_leader_tick(struct raft *, struct raft_effects *);
void raft_leader_commit(struct raft *, struct raft_effects *);
void raft_feed(struct raft *, struct raft_peer *, struct raft_effects *);
void raft_peer_probe(struct raft_peer *, int64_t next);
void raft_peer_matched(struct raft *, struct raft_peer *, int64_t match);

/* raft_snapshot.c */
void raft_send_chunk(struct raft *, struct raft_peer *, struct raft_effects *);
void raft_on_snapshot(struct raft *, const struct raft_msg *, struct raft_effects *);
void raft_on_snapshot_reply(struct raft *, const struct raft_msg *, struct raft_effects *);
void raft_on_saved(struct raft *, const struct raft_event *);
void raft_on_stored(struct raft *, const struct raft_event *, struct raft_effects *);
void raft_on_installed(struct raft *, const struct raft_event *, struct raft_effects *);

/* raft_voters.c */
int32_t raft_majority(const struct raft *);
struct raft_peer *raft_peer_of(struct raft *, struct raft_voter);       /* NULL */
/* The sets in batches that end in (from, to] came into the log. */
void raft_take_sets(struct raft *, const struct raft_voters_at *, int32_t n, int64_t from,
		    int64_t to);
void raft_use_set(struct raft *, const struct raft_voters_at *,
		  const struct raft_voters_at *before);
void raft_roll_back_sets(struct raft *, int64_t cut);
void raft_forget_observers(struct raft *, bool all);
void raft_on_hello(struct raft *, const struct raft_msg *, struct raft_effects *);
void raft_say_hello(struct raft *, struct raft_effects *);
void raft_on_change(struct raft *, const struct raft_event *, struct raft_effects *);
void raft_write_directories(struct raft *, struct raft_effects *);
void raft_on_transfer(struct raft *, int32_t to, struct raft_effects *);
void raft_try_transfer(struct raft *, struct raft_effects *);
void raft_hand_over(struct raft *, struct raft_effects *);
