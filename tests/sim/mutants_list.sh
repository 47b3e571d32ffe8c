# mutants_list.sh: the bugs that mutants.sh puts back; it reads this file and defines `mutant`.
#
#   mutant NAME FILE PERL [FILE PERL]...    each perl expression must change its file
#   by WHAT                                 before it: what is tried first, for hundreds of seeds do
#                                           not find it: scenes, storm, a test program's path
#
# Names end with the id of the report or proposal that the bug is from.

# ---- what the leader counts, and shows
mutant hw_without_maximal_isr_KAFKA_8836 broker/core/replica.c \
	's/return \(replica_maximal_isr\(r\) & bit\(at\)\) != 0 \|\|\n.*?;/return (r->isr & bit(at)) != 0 && is_caught_up(r, p, now_ms);/s'
mutant hw_below_min_isr_KAFKA_15583 broker/core/replica.c \
	's/if \(!replica_has_enough\(r\)\) \{/if (false) {/'
by scenes
mutant min_isr_is_heard_before_the_isr broker/shard/partition.c \
	's/(\n\t)take_conf(\(p, t\);\n\tpartition_step\()/$1partition_refresh_conf$2/'
by scenes
mutant hw_counts_earlier_epochs_KIP_320 broker/core/replica.c \
	's/(p->broker_epoch = )p->log_end = (p->log_start = )/$1$2/'
by scenes
mutant fetch_of_another_epoch_counts_KAFKA_7395 broker/shard/read.c \
	's/op->leader_epoch < p->replica.leader_epoch\)/op->leader_epoch < 0)/; s/ && op->leader_epoch == r->leader_epoch\)/)/; s/op->leader_epoch > p->replica.leader_epoch\)/op->leader_epoch < 0)/'
mutant diverging_fetch_counts_KAFKA_13141 broker/shard/read.c \
	's/(diverges\(op, p\)\) \{\n)/$1\t\tpartition_step(p, &(struct replica_event){ .kind = REPLICA_EV_FETCHED_BY, .now_ms = env_mono_ms(c->call.to->env), .fetched = { c->replica, c->replica_epoch, op->offset, op->log_start_of_follower } });\n/'
mutant joins_at_stale_hw_KAFKA_7128 broker/core/replica.c \
	's/i64_max\(r->high_watermark, r->epoch_start\)/0/'
by scenes
mutant ineligible_holds_back_KAFKA_15021 broker/core/replica.c \
	's/\(is_eligible\(p\) && is_caught_up/(is_caught_up/'
mutant retry_is_forgotten_KAFKA_14144 broker/core/replica.c \
	's/(case ISR_RETRY:.*?)\t\tpropose\(r, r->isr_pending, out\);\n/$1/s'
by scenes
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
by scenes
mutant what_was_long_ago_is_out_of_order broker/core/producer.c \
	's/behind > 0 && behind < /behind > 0 \&\& false \&\& behind < /'
by scenes
mutant producers_age_by_their_records broker/shard/persist.c \
	's/i64_max\(b->max_timestamp_ms, now_ms\)/b->max_timestamp_ms/'
by scenes
mutant a_refused_first_batch_is_overtaken broker/shard/append.c \
	's/e = refusals_before\(.*?op->records\);/e = KERR_NONE;/s'
by scenes
mutant what_follows_a_refused_batch_is_out_of_order broker/shard/append.c \
	's/enum kerr e = refuse_next\(op, p\);/enum kerr e = KERR_NONE;/'
by scenes
mutant what_another_leader_took_stays_refused broker/shard/append.c \
	's/if \(producers_find\(&p->producers, by->id\)\)/if (false)/'
by scenes
mutant the_leader_of_before_is_overtaken broker/shard/append.c \
	's/ \|\| has_led_briefly\(p\)\)/)/'
by scenes
mutant what_is_still_at_the_leader_of_before_is_lost broker/shard/append.c \
	's/else if \(has_led_briefly\(p\)\)/else if (false)/'
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
by scenes
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
by story/controller_test
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
by scenes
mutant producers_stay_behind_a_move broker/shard/move.c \
	's/m->producers != log_end\(m->p->log\)/false/'
by scenes
mutant truncation_needs_its_descriptors broker/shard/partition.c 's/return e == ERR_NOFILES \? ERR_OK : e; \/\* the log is cut/return e; \/*/'
by unit/log/recover_test
mutant cut_needs_its_descriptors broker/log/cut.c 's/ && \(e = log_settle_cut\(l\)\) == ERR_NOFILES\)\n\t\te = ERR_OK;/)\n\t\te = log_settle_cut(l);/'
by scenes
mutant moves_end_without_descriptors broker/shard/move.c 's/e == ERR_NOFILES \|\| \(m->log/(m->log/'
by scenes
mutant copy_keeps_the_name_it_could_not_sync broker/shard/move.c \
	's/e = env->files->rename\(env, to, m->path\);/e = ERR_OK;/'
by scenes
mutant snapshot_of_a_roll_is_lost broker/shard/retention.c 's/p->lacks_producers \|\| //'
by scenes
mutant epochs_of_the_scan_are_forgotten broker/shard/partition_open.c \
	's/p->epochs_saved = j->epochs_loaded;/p->epochs_saved = p->epochs.version;/'
by scenes
mutant clean_mark_over_torn_logs broker/shard/dirs.c \
	's/\(dir->was_clean \|\| is_recovered\(d, i\)\)/(is_recovered(d, i) + 1 > 0)/'
mutant clean_mark_before_the_sync broker/log/log.c \
	's/\t\t\te = log_sync_segment\(&l->v\[i\]\);/\t\t\te = ERR_OK;/'
by unit/log/crash_test
mutant names_are_not_synced broker/log/flush.c \
	's/if \(f->names_changed && !f->err\)/if (false)/'
mutant home_is_not_synced_KAFKA_3968 broker/log/flush.c \
	's/if \(f->is_unnamed && !f->err\)/if (false)/'
mutant failed_sync_is_ignored broker/log/flush.c \
	's/if \(f->err != ERR_OK\)/if (false)/'
by storm
mutant durable_is_what_is_written broker/log/flush.c \
	's/i64_max\(l->recovery_point, f->upto\)/l->end/'
mutant rolled_in_a_flush_is_clean broker/log/flush.c \
	's/s->base == f->active_base && i < l->n - 1/false/'
mutant segment_outgrows_its_index_KAFKA_5413 broker/log/log.c \
	's/\tif \(in->last_offset - s->base > INT32_MAX\)\n\t\treturn true;\n//'
mutant retention_past_hw_KAFKA_5634 broker/shard/retention.c \
	's/log_retain\(p->log, p->replica\.high_watermark,/log_retain(p->log, log_end(p->log),/'
by scenes
mutant retention_forgets_producers broker/shard/retention.c \
	's/producers_count\(&p->producers\) > 0 &&/false \&\&/'
# ---- replicas that move
mutant one_target_in_sync_is_enough_KAFKA_15665 controller/core/election.c \
	's/!contains\(&to->isr, &targets\)\)/image_ids_without(&targets, &to->isr).n == targets.n)/'
mutant old_replicas_go_first controller/core/ctl_reassign.c \
	's/\tfor \(int32_t i = 0; i < x\.removing\.n; i\+\+\)\n.*?;\n/\tx.removing.n = 0;\n/'
mutant cancelled_ones_stay_in_sync_KAFKA_9672 controller/core/election.c \
	's/\tto->isr = image_ids_without\(&to->isr, &gone\);\n/\t(void)gone;\n/'
by story/controller_test
mutant a_held_broker_is_unfenced controller/core/ctl_broker.c \
	's/!b->is_fenced \|\| b->is_held\)/!b->is_fenced)/'
by story/controller_test
mutant a_new_process_is_not_held controller/core/ctl_broker.c \
	's/rec->held = old != NULL && old->is_held/rec->held = false/'
by story/controller_test
mutant cancel_loses_what_only_targets_have controller/core/ctl_reassign.c \
	's/return (isr\.n > 0 \|\| is_any_alive\(im, &elr\))/return true || $1/'
by story/controller_test
mutant cancel_below_min_isr controller/core/ctl_reassign.c \
	's/return (left\.n < i32_min)/return false \&\& $1/'
by story/controller_test
mutant second_move_forgets_where_it_began controller/core/ctl_reassign.c \
	's/original = image_ids_without\(&p->replicas, &p->adding\)/original = p->replicas/'
by story/controller_test
mutant removed_replica_is_not_fenced controller/core/election.c \
	's/ \|\|\n\t\t\t      !contains\(&to->replicas, &was->replicas\)//'
mutant removed_leader_leads_on controller/core/election.c \
	's/if \(to->leader >= 0 && is_valid\(e, to, to->leader\)\)/if (to->leader >= 0 \&\& can_lead(e, to, to->leader))/'
mutant moved_replica_is_kept broker/shard/shard_image.c \
	's/\t\telse if \(\(p = partition_find\(s, t->id, n\)\)\)\n.*?;\n/\t\t(void)p;\n/'
by scenes
mutant start_keeps_what_moved_away broker/shard/shard_image.c \
	's/\tif \(!was\)\n\t\tremove_moved\(s\);\n/\t(void)remove_moved;\n/'
by scenes
mutant throttle_slows_those_in_sync_KIP_73 broker/shard/partition.c \
	's/return is_named && !is_in_sync\(p, follower\);/return is_named;/'
by scenes
mutant leader_minds_no_throttle_KIP_73 broker/shard/read.c \
	's/if \(c->replica < 0 \|\| rate == THROTTLE_NONE \|\|/if (true ||/'
by scenes
mutant follower_minds_no_throttle_KIP_73 broker/shard/follow_apply.c \
	's/if \(rate == THROTTLE_NONE \|\|/if (true ||/'
# ---- a replica that moves between log directories
by scenes
mutant copy_hears_of_no_truncation broker/shard/move.c \
	's/\tif \(p->move\)\n\t\tp->move->cut = i64_min.*?;\n/\t(void)p, (void)offset;\n/'
by scenes
mutant copy_is_not_synced broker/shard/move.c 's/if \(!m->is_flushed && .*?\)\)\)/if (false)/'
by scenes
mutant copy_has_no_epochs broker/shard/move.c \
	's/e = epoch_file_write\(.*?\);/e = ERR_OK;/'
by scenes
mutant copy_lacks_the_last_epoch broker/shard/move.c 's/(epoch_file_write\(.*?, v, )c->n\)/$1c->n - 1)/'
by scenes
mutant leader_change_ends_the_copy_KAFKA_9654 broker/shard/partition.c \
	's/(static void leave_leadership\(struct partition \*p\)\n\{\n)/$1\tmove_end(p);\n/'
by scenes
mutant move_is_forgotten_by_a_start broker/shard/partition.c 's/\tmove_resume\(p\);\n//'
by scenes
mutant copy_of_before_is_believed broker/shard/move.c 's/if \(!is_of_now\(m\)\)/(void)is_of_now; if (false)/'
by scenes
mutant copy_is_not_placed broker/shard/move.c \
	's/\(e = partition_meta_place\(p->shard->env, m->path.*?\)\)\) \|\|/false ||/'
# ---- a broker that stops, or was stopped
by scenes
mutant relay_asks_once broker/api/relay.c \
	's/is_refused\(out\) && env_mono_ms\(env\) < w->until_ms/false \&\& is_refused(out)/'
by scenes
mutant relay_asks_again_without_an_answer broker/api/relay.c \
	's/i64_max\(w->until_ms - env_mono_ms\(env\), 1\)/AGAIN_MS/; s/(static void on_timer.*?)if \(!r->is_asking\)/$1if (head_of(r))/s'
by scenes
mutant overtaken_batch_is_told_as_loss broker/shard/append.c \
	's/if \(may_be_overtaken\(p\)\)\n/if (false)\n/'
by scenes
mutant leads_on_in_shutdown controller/core/ctl_broker.c \
	's/(void decide_begin_shutdown.*?)\tleave_everything\(r,\n.*?\);\n/$1/s'
by story/controller_test
mutant shutting_down_may_lead common/meta/image.c 's/ && !b->in_controlled_shutdown//'
mutant marker_outlives_the_power broker/log/run_marker.c 's/!uuid_is_zero\(boot\) && //; s/ && uuid_eq\(boot, was\)//'
by story/controller_test
mutant damaged_may_be_last_known_KIP_966 controller/core/election.c \
	's/\tif \(e->is_damaged\)\n.*?;\n//'
mutant elr_stays_beside_enough_KIP_966 controller/core/election.c \
	's/\tto->elr\.n = 0;\n\tif \(is_enough\(e, to\)\)\n\t\treturn;/\tto->elr.n = 0;/; s/\tASSERT\(out\.to\.elr\.n == 0.*?;\n//'
mutant elr_forgets_the_others_KIP_966 controller/core/election.c \
	's/(i < eligible\.n && )!out->is_unclean/$1false/'
by story/controller_test
mutant recovering_leader_lets_others_in controller/core/election.c \
	's/to->is_recovering = to->is_recovering \|\| out->is_unclean;/;/'
mutant asked_again_is_decided_again controller/core/ctl_again.c \
	's/if \(str_null\(packed\)\)/if (packed.n < INT32_MAX)/'
mutant vote_asked_again_is_refused controller/server/quorum_admin.c \
	's/if \(is_so\(verdict\) && /if (false && /'
# ---- the controllers' shell around raft
mutant answered_before_commit controller/server/node.c \
	's/\t\tif \(p->end > end\)\n\t\t\treturn;\n//; s/if \(p->end == n->stable->offset && !n->is_kicked\)/if (!n->is_kicked)/'
mutant brokers_hear_before_commit controller/server/link.c \
	's/int64_t committed = n->stable->offset;/int64_t committed = mlog_end(n->log);/; s/while \(l->sent < n->stable->offset && raw/while (l->sent < mlog_end(n->log) \&\& raw/'
mutant vote_is_not_written controller/server/quorum.c \
	's/m\.has_vote = m\.has_vote_directory = q->raft\.voted\.id >= 0;/m.has_vote = m.has_vote_directory = false;/'
mutant term_is_not_read controller/server/quorum.c 's/f\.term = m->term;/f.term = 0;/'
mutant vote_is_not_synced controller/server/quorum_state.c \
	's/e = f->file->ops->sync\(f->file\);/e = ERR_OK;/'
by unit/controller/mlog_test
mutant vote_has_one_slot controller/server/quorum_state.c 's/\(f->writes \+ 1\) % 2/0/'
mutant told_before_it_is_on_disk controller/server/quorum.c \
	's/(static void send_all.*?)o->after <= q->raft\.persisted/$1o->after <= INT64_MAX - 1/s'
by unit/controller/mlog_test
mutant installed_snapshot_is_not_synced controller/server/mlog.c \
	's/enum err e = l->incoming->ops->sync\(l->incoming\);/enum err e = ERR_OK;/'
mutant metadata_file_name_is_not_synced controller/server/mlog.c \
	's/return l->env->files->sync_dir\(l->env, l->options\.dir\);/return ERR_OK;/'
mutant cut_is_not_carried_out controller/server/mlog.c \
	's/e = mlog_cut\(l->env, l->options\.dir, r->work\.cut, /e = mlog_cut(l->env, l->options.dir, r->end, /'
mutant starts_with_who_is_there controller/server/quorum_boot.c \
	's/\t\tif \(!is_complete\)\n\t\t\tbreak;\n/\t\tif (!is_complete) {\n\t\t\tis_complete = true;\n\t\t\tcontinue;\n\t\t}\n/'
mutant a_new_disk_is_the_old_voter controller/server/meta_dir.c \
	's/uuid_text\(prng_uuid\(&env->prng\), out->directory_id\);/uuid_text((struct uuid){ .b = { 1, (uint8_t)node_id } }, out->directory_id);/'
mutant hello_to_one_voter_alone controller/core/raft_voters.c \
	's/\(struct raft_voter\)\{ \.id = -1 \}\);/r->voters.set.v[0]);/'
mutant votes_of_the_living_are_taken controller/core/raft_voters.c \
	's/return n > set->n \/ 2;/return n >= 0;/'
