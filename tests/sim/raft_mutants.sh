#!/bin/sh
# raft_mutants.sh [NAME...]: puts known mistakes into copies of raft's files, one at a time; the random
# walks, the exploration and the stories must notice each.  SEEDS: how many walks each may take
# (10000).  --list: only the names.  The last line is `N passed, N failed`.
cd "$(dirname "$0")/../.." || exit 1
dir=build/raft_mutants
seeds=${SEEDS:-10000}
only=$*
cc="${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O1 -g -I. -w"
passed=0 failed=0

prepare() {
	rm -rf $dir && mkdir -p $dir/obj || exit 1

	objects=
	for f in controller/core/raft*.c common/base/base.c common/base/prng.c common/base/text.c \
		common/base/log.c tests/lib/test.c tests/lib/tale.c tests/story/raft*.c \
		tests/unit/controller/raft*_test.c; do
		[ -e "$f" ] || continue
		o=$dir/obj/$(basename "$f" .c).o
		$cc -c -o "$o" "$f" || exit 1
		objects="$objects $o"
	done
	$cc -o $dir/tests $objects || exit 1
	if ! RAFT_STATES=20000 RAFT_SEEDS=100 $dir/tests >$dir/out 2>&1; then
		cat $dir/out
		echo "FAIL raft_mutants: the tests fail without any mistake"
		exit 1
	fi
}
[ "$only" = --list ] || prepare

# mutant NAME FILE PERL [FILE PERL]: each perl expression must change its file.
mutant() {
	name=$1
	[ "$only" = --list ] && { echo "$name"; return; }
	case " ${only:-$name} " in *" $name "*) ;; *) return ;; esac
	shift
	left=$objects
	while [ $# -gt 0 ]; do
		m=$dir/$1
		perl -0pe "$2" "controller/core/$1" >"$m"
		if cmp -s "controller/core/$1" "$m"; then
			echo "FAIL mutant/$name its line is not in $1 any more"
			failed=$((failed + 1))
			return
		fi
		$cc -c -o "${m%.c}.o" "$m" || exit 1
		left=$(echo "$left" | sed "s,$dir/obj/${1%.c}.o,${m%.c}.o,")
		shift 2
	done
	$cc -o $dir/mutant $left || exit 1
	if RAFT_STATES=50000 RAFT_SEEDS=$seeds timeout 300 $dir/mutant >$dir/out 2>&1; then
		echo "FAIL mutant/$name survived $seeds walks"
		failed=$((failed + 1))
	else
		echo "PASS mutant/$name $(grep -aE '^ASSERT|seed [0-9]+ at|tells another|_test.c:' $dir/out |
			head -n 1 | sed 's,.*/\([a-z_]*_test.c\),\1,' | cut -c 1-110)"
		passed=$((passed + 1))
	fi
}

# ---- what counts as committed
mutant counts_records_of_old_terms raft_leader.c 's/match > r->term_start/match > 0/'
mutant match_is_the_last_index raft_append.c 's/acknowledge\(r, m, end > prev.*?\), out/acknowledge(r, m, r->log.end, out/s'
mutant commit_without_max raft.c 's/i64_max\(r->known_commit, known\)/known/'
mutant commit_by_own_last_index raft_append.c \
	's/i64_min\(m->append.commit, end\)/i64_min(m->append.commit, r->log.end)/'
mutant applied_before_commit raft.c 's/(known_commit = i64_max\()r->known_commit, known/$1r->known_commit, r->durable/'
mutant counts_itself_before_its_disk raft_leader.c 's/v\[n\+\+\] = r->durable/v[n++] = r->log.end/'
mutant no_first_record raft_leader.c 's/\tout->activate = true;\n//'
# ---- promises
mutant votes_before_it_is_on_disk raft.c \
	's/\t\tout->sent\[i\].after = i64_max\(.*?;\n/\t\t;\n/'
mutant vote_forgotten_in_a_restart raft.c 's/\.voted = f->voted/.voted.id = -1/'
mutant log_not_on_disk_as_credential raft_vote.c 's/\t\traft_send_after\(out, r->seq\);\n//' \
	raft.c 's/(i < out->n; i\+\+\)\n)/$1\t\tif (out->sent[i].msg.kind != RAFT_VOTE)\n/'
mutant acknowledges_before_its_disk raft_append.c 's/\traft_send_after\(out, .*?;\n//'
mutant counts_its_own_vote_at_once raft_vote.c 's/r->persisted >= r->hard_seq/true/'
# ---- votes
mutant votes_twice raft_vote.c 's/raft_voter_none\(r->voted\) \|\| raft_voter_eq\(r->voted, m->from\)/true/' \
	raft.c 's/ \|\| \(term == r->term && raft_voter_none\(r->voted\)\)/ || term == r->term/'
mutant votes_for_anybody raft_vote.c 's/return m->vote.end_term > own \|\|/return true ||/'
mutant longer_log_wins raft_vote.c 's/return m->vote.end_term > own \|\|.*?;/return m->vote.end >= r->log.end;/s'
mutant half_is_a_majority raft_voters.c 's/set\.n \/ 2 \+ 1/set.n \/ 2 + (r->voters.set.n % 2)/'
mutant counts_late_votes raft_vote.c 's/m->voted\.for_term != .*? \|\| p == NULL/p == NULL/s'
mutant pre_votes_against_a_live_leader raft_vote.c \
	's/\(m->vote.is_transfer \|\| !is_sticky\(r\)\) && m->term > r->term/m->term > r->term/'
mutant leads_without_a_majority raft_leader.c 's/return n >= raft_majority\(r\);/return true;/'
mutant wiped_voter_keeps_its_vote \
	raft_msg.c 's/raft_voter_eq\(set->v\[i\], v\) \|\|/set->v[i].id == v.id ||/' \
	raft_voters.c 's/\(uuid_eq\(a.directory, b.directory\).*?;/true;/s'
# ---- logs
mutant cuts_without_a_conflict raft_append.c 's/int64_t at = conflict\(r, m\),/int64_t at = m->append.prev,/'
mutant never_cuts raft_append.c 's/!= m->append.runs\[i\].term\)\n/< 0)\n/'
mutant prev_is_not_compared raft_append.c 's/return own == m->append.prev_term;/return own >= 0;/'
mutant listens_to_old_leaders raft.c 's/return m->term == r->term \|\|/return is_request || m->term == r->term ||/'
mutant hint_is_believed_blindly raft_leader.c 's/raft_log_back\(.*?\);/m->appended.hint;/'
# ---- snapshots
mutant takes_old_snapshots raft_snapshot.c 's/return end <= r->known_commit \|\|/return false \&\&/'
mutant snapshot_over_promised_records raft_snapshot.c 's/ \|\| raft_log_term\(&r->log, end\) == end_term//'
mutant chunks_in_any_order raft_snapshot.c 's/m->snapshot.offset != r->chunk_offset/false/'
mutant slow_leader_holds_all_up raft_leader.c 's/r->stalled_ms != RAFT_NEVER \&\& r->now_ms/r->stalled_ms == RAFT_NEVER - 1 \&\& r->now_ms/'
# ---- voters
mutant two_changes_at_once raft_voters.c 's/\(r->voters.end > r->commit \|\| r->transfer_to >= 0\)\n\t\treturn RAFT_BUSY;\n\tif \(op/(r->transfer_to >= 0)\n\t\treturn RAFT_BUSY;\n\tif (op/'
mutant changes_before_its_first_commit raft_voters.c 's/r->commit <= r->term_start/false/'
mutant set_is_not_rolled_back raft_voters.c 's/\tif \(r->voters.end <= cut\)\n/\tif (true)\n/'
mutant removed_leader_stays raft_leader.c 's/if \(!raft_is_voter\(r\)\) \{/if (false) {/'
mutant adds_who_is_behind raft_voters.c 's/p->match >= r->commit && //'
[ "$only" = --list ] && exit
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
