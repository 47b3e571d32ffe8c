#!/bin/sh
# mutants.sh [NAME...]: puts known replication bugs into a copy of the tree, one at a time, and lets
# the simulator look for each: seeds first, then a storm of what disks do, then scenes.  A simulator
# that cannot find them is decoration.  Names end with the id of the report or proposal that the bug
# is from.  SEEDS: how many each may take (2000).  --list: only the names.
# The last line is `N passed, N failed`.
cd "$(dirname "$0")/../.." || exit 1
copy=build/mutants
seeds=${SEEDS:-2000}
only=$*
storm='--sync-rate 1/s --power-rate 1/s'
passed=0 failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

if [ "$1" != --list ]; then
	mkdir -p $copy
	cp -a Makefile broker common controller proto tests $copy || exit 1
fi

build() { make -C $copy -j2 WARN= build/release/weir-sim >"$out" 2>&1 || { cat "$out"; exit 1; }; }

is_wanted() {
	[ -z "$only" ] && return 0
	for name in $only; do [ "$name" = "$1" ] && return 0; done
	return 1
}

look() {
	if ! $copy/build/release/weir-sim 1 --seeds "$seeds" --stop >"$out" 2>&1; then
		echo "PASS mutant/$1 in $(($(grep -ac '^seed ' "$out") + 1)) seeds: $(grep -aE \
			'^(VIOLATION|STUCK|CRASH)|^ASSERT' "$out" | head -n 1 | cut -c 1-110)"
		return 0
	fi
	if ! $copy/build/release/weir-sim 1 --seeds 60 --stop $storm >"$out" 2>&1; then
		echo "PASS mutant/$1 with $storm: $(grep -aE '^(VIOLATION|STUCK|CRASH)' "$out" |
			head -n 1 | cut -c 1-110)"
		return 0
	fi
	$copy/build/release/weir-sim --scenes >"$out" 2>&1 && return 1
	echo "PASS mutant/$1 by $(grep -a '^FAIL' "$out" | cut -c 6- | tr '\n' ' ')"
}

# mutant NAME FILE PERL [FILE PERL]...: each perl expression must change its file.
mutant() {
	name=$1
	shift
	[ "$only" = --list ] && { echo "$name"; return; }
	is_wanted "$name" || return
	files=
	while [ $# -gt 0 ]; do
		perl -0pi -e "$2" "$copy/$1"
		cmp -s "$1" "$copy/$1" && { echo "its line is not in $1 any more"; files=; break; }
		files="$files $1"
		shift 2
	done
	if [ -n "$files" ] && build && look "$name"; then
		passed=$((passed + 1))
	else
		echo "FAIL mutant/$name survived $seeds seeds and every scene"
		failed=$((failed + 1))
	fi
	for file in $files; do cp "$file" "$copy/$file"; done
}

# ---- what the leader counts, and shows
mutant hw_without_maximal_isr_KAFKA_8836 broker/core/replica.c \
	's/return \(replica_maximal_isr\(r\) & bit\(at\)\) != 0 \|\|\n.*?;/return (r->isr & bit(at)) != 0 && is_caught_up(r, p, now_ms);/s'
mutant hw_below_min_isr_KAFKA_15583 broker/core/replica.c \
	's/if \(!replica_has_enough\(r\)\) \{/if (false) {/'
mutant hw_counts_earlier_epochs_KIP_320 broker/core/replica.c \
	's/(p->broker_epoch = )p->log_end = (p->log_start = )/$1$2/'
mutant fetch_of_another_epoch_counts_KAFKA_7395 broker/shard/read.c \
	's/op->leader_epoch < p->replica.leader_epoch\)/op->leader_epoch < 0)/; s/ && op->leader_epoch == r->leader_epoch\)/)/; s/op->leader_epoch > p->replica.leader_epoch\)/op->leader_epoch < 0)/'
mutant diverging_fetch_counts_KAFKA_13141 broker/shard/read.c \
	's/(diverges\(op, p\)\) \{\n)/$1\t\tpartition_step(p, &(struct replica_event){ .kind = REPLICA_EV_FETCHED_BY, .now_ms = env_mono_ms(c->call.to->env), .fetched = { c->replica, c->replica_epoch, op->offset, op->log_start_of_follower } });\n/'
mutant joins_at_stale_hw_KAFKA_7128 broker/core/replica.c \
	's/i64_max\(r->high_watermark, r->epoch_start\)/0/'
mutant ineligible_holds_back_KAFKA_15021 broker/core/replica.c \
	's/\(is_eligible\(p\) && is_caught_up/(is_caught_up/'
mutant retry_is_forgotten_KAFKA_14144 broker/core/replica.c \
	's/(case ISR_RETRY:.*?)\t\tpropose\(r, r->isr_pending, out\);\n/$1/s'
mutant an_old_life_counts_KAFKA_14617 broker/core/replica.c \
	's/\(broker_epoch < p->alive_epoch \|\| broker_epoch < p->broker_epoch\)/false/; s/ && \(p->broker_epoch == -1 \|\| p->broker_epoch == p->alive_epoch\)//; s/\t\tif \(r->peers\[at\]\.broker_epoch >= 0 &&\n.*?-1;\n//s' \
	controller/core/ctl_partition.c 's/member->broker_epoch != b->epoch\)/false)/'
mutant acks_all_is_acks_1 broker/shard/append.c 's/if \(c->acks != -1 \|\|/if (c->acks != -2 ||/'
mutant readers_see_the_uncommitted broker/shard/read.c \
	's/c->replica >= 0 \? r->log_end : r->high_watermark;/r->log_end;/'
mutant sessions_know_no_epoch_KAFKA_9338 broker/api/fetch.c \
	's/\.leader_epoch = s->ask\.current_leader_epoch,/.leader_epoch = -1,/'
mutant duplicates_are_appended broker/core/producer.c \
	's/return PRODUCER_DUPLICATE;/return PRODUCER_OK;/'
mutant gaps_are_appended broker/core/producer.c \
	's/return PRODUCER_OUT_OF_ORDER;/return PRODUCER_OK;/'
# ---- what the follower does
mutant truncates_to_its_hw_KIP_101 broker/shard/follow_apply.c \
	's/epoch_cache_truncation_point\(&p->epochs, leader_end, p->replica\.high_watermark,\s*end\);/i64_min(p->replica.high_watermark, end);/'
mutant follower_never_truncates broker/shard/follow_apply.c \
	's/\te = partition_truncate\(p, to\);/\te = ERR_OK;/'
mutant follower_is_never_told_to_truncate broker/shard/read.c \
	's/\t\top->diverging = end;/\t\t;/'
mutant last_fetched_epoch_is_forgotten_KAFKA_15510 broker/shard/follow.c \
	's/epoch_cache_latest\(&p->epochs\);/EPOCH_NONE;/'
mutant hw_before_truncation_KAFKA_14704 broker/shard/follow_apply.c \
	's/(\te = partition_truncate\(p, to\);)/\tpartition_step(p, &(struct replica_event){ .kind = REPLICA_EV_APPENDED, .now_ms = env_mono_ms(p->shard->env), .appended = { log_end(p->log), INT64_MAX \/ 2, 0 } });\n$1/'
mutant fast_failover_KAFKA_6361 broker/core/epoch_cache.c \
	's/(KIP_279\);\n\t\treturn i64_min\()ours\.start_offset/$1leader_end.start_offset/'
mutant empty_epochs_stay_KAFKA_10706 broker/core/epoch_cache.c \
	's/(truncate_end.*?)start_offset >= offset\)/$1start_offset > offset)/s'
mutant epoch_of_no_records_KAFKA_7415 broker/shard/partition.c \
	's/\tepoch_cache_assign\(&p->epochs, p->replica\.leader_epoch, p->replica\.log_end\);\n//'
mutant marks_lost_with_a_divergence broker/api/fetch.c \
	's/ \|\|\s+op->diverging\.epoch != EPOCH_NONE/, .must_tell = op->diverging.epoch != EPOCH_NONE/'
# ---- what the controller decides, and who believes it
mutant leader_from_outside_the_isr controller/core/election.c \
	's/return image_ids_has\(to->isr\.n > 0 \? &to->isr : &to->elr, broker\) &&/return/'
mutant elr_is_ignored_KIP_966 controller/core/election.c \
	's/\tif \(is_enough\(e, to\)\)\n\t\treturn;\n/\treturn;\n/'
mutant lossy_restart_stays_eligible_KIP_966 controller/core/ctl_broker.c \
	's/e\.lossy = l->is_lossy \? l->broker->id : -1;/e.lossy = -1;/'
mutant lossy_restart_unnoticed_KAFKA_18635 controller/core/ctl_broker.c \
	's/return m->previous_epoch >= 0 &&/return true ||/'
mutant fenced_joins_KAFKA_13916 controller/core/ctl_partition.c \
	's/!image_broker_active\(im, member->id\)/b == NULL/'
mutant stale_proposals_KAFKA_12367 controller/core/ctl_partition.c \
	's/item->partition_epoch < p->partition_epoch\)/false)/'
mutant any_boot_will_do_KIP_966 broker/log/run_marker.c 's/uuid_eq\(boot, was\)/true/'
mutant damage_is_kept_quiet broker/shard/partition_open.c \
	's/return is_whole \|\| r->corrupt_offset < j->options\.recovery_point;/return false;/'
mutant leader_epoch_stays_KAFKA_18106 controller/core/election.c \
	's/out->leader_changed = to->leader != was->leader \|\|/out->leader_changed = (to->leader >= 0 \&\& to->leader != was->leader) ||/; s/\tif \(out->leader_changed\)\n\t\tto->leader_epoch\+\+;/\tif (out->leader_changed \&\& was->leader >= 0)\n\t\tto->leader_epoch++;/'
mutant metadata_is_not_synced controller/server/mlog.c \
	's/(\t\te = )r->file->ops->sync\(r->file\);/$1ERR_OK;/'
# ---- what is on the device
mutant epochs_of_the_scan_are_forgotten broker/shard/partition_open.c \
	's/p->epochs_saved = j->epochs_loaded;/p->epochs_saved = p->epochs.version;/'
mutant clean_mark_over_torn_logs broker/shard/dirs.c \
	's/\(d->v\[i\]\.was_clean \|\| is_recovered\(d, i\)\)/is_recovered(d, i) + 1 > 0/'
mutant clean_mark_before_the_sync broker/log/log.c \
	's/\t\t\te = log_sync_segment\(&l->v\[i\]\);/\t\t\te = ERR_OK;/'
mutant names_are_not_synced broker/log/flush.c \
	's/if \(f->dir && !f->err\)/if (false)/'
mutant home_is_not_synced_KAFKA_3968 broker/log/flush.c \
	's/if \(f->unnamed && !f->err\)/if (false)/'
mutant failed_sync_is_ignored broker/log/flush.c \
	's/if \(f->err != ERR_OK\)/if (false)/'
mutant durable_is_what_is_written broker/log/flush.c \
	's/i64_max\(l->recovery_point, f->upto\)/l->end/'
mutant rolled_in_a_flush_is_clean broker/log/flush.c \
	's/s->base == f->active_base && i < l->n - 1/false/'
mutant segment_outgrows_its_index_KAFKA_5413 broker/log/log.c \
	's/\tif \(in->last_offset - s->base > INT32_MAX\)\n\t\treturn true;\n//'
mutant retention_past_hw_KAFKA_5634 broker/shard/retention.c \
	's/log_retain\(p->log, p->replica\.high_watermark,/log_retain(p->log, log_end(p->log),/'
mutant retention_forgets_producers broker/shard/retention.c \
	's/producers_count\(&p->producers\) > 0 &&/false \&\&/'
[ "$only" = --list ] && exit
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
