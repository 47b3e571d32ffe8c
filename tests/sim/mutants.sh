#!/bin/sh
# mutants.sh [NAME]: puts known replication bugs into a copy of the tree, one at a time, and lets the
# simulator look for each: seeds first, and if none finds it, scenes.  A simulator that cannot find
# them is decoration.  SEEDS: how many each may take (600).  The last line is `N passed, N failed`.
cd "$(dirname "$0")/../.." || exit 1
copy=build/mutants
seeds=${SEEDS:-600}
only=$1
passed=0 failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
rm -rf $copy && mkdir -p $copy && cp -a Makefile broker common controller proto tests $copy || exit 1

build() { make -C $copy -j2 WARN= build/release/weir-sim >"$out" 2>&1 || { cat "$out"; exit 1; }; }

# mutant NAME FILE PERL: the perl expression must change the file.
mutant() {
	[ -z "$only" ] || [ "$only" = "$1" ] || return
	perl -0pi -e "$3" "$copy/$2"
	if cmp -s "$2" "$copy/$2"; then
		echo "FAIL mutant/$1 its line is not in $2 any more"
		failed=$((failed + 1))
		return
	fi
	build
	if ! $copy/build/release/weir-sim 1 --seeds "$seeds" --stop >"$out" 2>&1; then
		echo "PASS mutant/$1 in $(($(grep -ac '^seed ' "$out") + 1)) seeds: $(grep -aE \
			'^(VIOLATION|STUCK|CRASH)|^ASSERT' "$out" | head -n 1 | cut -c 1-110)"
		passed=$((passed + 1))
	elif ! $copy/build/release/weir-sim --scenes >"$out" 2>&1; then
		echo "PASS mutant/$1 by $(grep -a '^FAIL' "$out" | cut -c 6- | tr '\n' ' ')"
		passed=$((passed + 1))
	else
		echo "FAIL mutant/$1 survived $seeds seeds and every scene"
		failed=$((failed + 1))
	fi
	cp "$2" "$copy/$2"
}

build
# ---- what the leader counts
mutant hw_without_maximal_isr broker/core/replica.c \
	's/return \(replica_maximal_isr\(r\) & bit\(at\)\) != 0 \|\|\n.*?;/return (r->isr & bit(at)) != 0 && is_caught_up(r, p, now_ms);/s'
mutant hw_below_min_isr broker/core/replica.c \
	's/\tif \(!replica_has_enough\(r\)\)\n\t\treturn;\n//'
mutant joins_at_stale_hw_KAFKA_7128 broker/core/replica.c \
	's/i64_max\(r->high_watermark, r->epoch_start\)/0/'
mutant acks_all_is_acks_1 broker/shard/append.c 's/if \(c->acks != -1 \|\|/if (c->acks != -2 ||/'
mutant readers_see_the_uncommitted broker/shard/read.c \
	's/c->replica >= 0 \? r->log_end : r->high_watermark;/r->log_end;/'
mutant duplicates_are_appended broker/core/producer.c \
	's/return PRODUCER_DUPLICATE;/return PRODUCER_OK;/'
# ---- what the follower does
mutant follower_never_truncates broker/shard/follow_apply.c \
	's/\te = partition_truncate\(p, to\);/\te = ERR_OK;/'
mutant follower_is_never_told_to_truncate broker/shard/read.c \
	's/\t\top->diverging = end;/\t\t;/'
mutant epochs_of_the_scan_are_forgotten broker/shard/partition_open.c \
	's/p->epochs_saved = j->epochs_loaded;/p->epochs_saved = p->epochs.version;/'
mutant clean_mark_over_torn_logs broker/shard/dirs.c \
	's/\(d->v\[i\]\.was_clean \|\| is_recovered\(d, i\)\)/is_recovered(d, i) + 1 > 0/'
mutant marks_lost_with_a_divergence broker/api/fetch.c \
	's/ \|\|\s+op->diverging\.epoch != EPOCH_NONE/, .must_tell = op->diverging.epoch != EPOCH_NONE/'
# ---- what the controller decides, and who believes it
mutant leader_from_outside_the_isr controller/core/election.c \
	's/return image_ids_has\(isr, broker\) && can_lead/return can_lead/'
mutant lost_log_keeps_its_place controller/core/ctl_broker.c \
	's/(\n\t*)leave_everything\(r, old, ELECT_ONLINE, "came back as a new process"\)/$1(void)0/'
mutant metadata_is_not_synced controller/server/mlog.c \
	's/(\t\tr->result = )r->file->ops->sync\(r->file\);/$1ERR_OK;/'
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
