/* commands.h - the table of all commands, which parsing, help and completion read. */
#pragma once
#include "controller/cli/cli.h"

extern const struct cmd commands[];
extern const int n_commands;
extern const struct flag global_flags[];
extern const int n_global_flags;

/* One of the words of a path may have another name: "ls" is "list", "t" is "topics". */
const char *command_word(const char *word);
/* Puts the word, or what it is another name of, behind the path if commands begin so; *exact is the
 * command that the path now is, NULL when it is only the beginning of some. */
must_check bool command_extend(char *path, size_t cap, const char *word, const struct cmd **exact);
/* The command that a noun alone means: its first row.  NULL: no such noun. */
const struct cmd *command_of_noun(const char *noun);
/* Does the path of the command begin with these words? */
must_check bool command_begins(const struct cmd *, const char *path);
must_check bool command_is_hidden(const struct cmd *);
/* The words in cli->args as the path of a command, or the beginning of one.  An exit code. */
#define COMMAND_PATH_BYTES 128
must_check int command_path_of_args(struct cli *, char *path, size_t cap);
/* What could stand for the flag's value: "30" for SECONDS.  Every kind in the table has one. */
const char *flag_example(const struct flag *);
/* "--name VALUE" */
void flag_text(const struct flag *, char *out, size_t cap);
/* A flag of the command (NULL: of every command alone) by its name or letter; NULL: none. */
const struct flag *command_flag(const struct cmd *, struct str name);
/* Calls for each other name of a word of a path: ("ls", "list"). */
void command_each_alias(void (*each)(const char *alias, const char *word));

int cmd_help(struct cli *);
int cmd_version(struct cli *);
int cmd_profile_show(struct cli *);
int cmd_profile_use(struct cli *);
int cmd_cheat(struct cli *);
int cmd_doctor(struct cli *);
int cmd_completion(struct cli *);
int cmd_man(struct cli *);
int cmd_reference(struct cli *);
int cmd_complete(struct cli *);
int cmd_cluster_health(struct cli *);
int cmd_cluster_can_restart(struct cli *);
int cmd_cluster_info(struct cli *);
int cmd_cluster_features(struct cli *);
int cmd_cluster_check(struct cli *);
int cmd_cluster_top(struct cli *);
int cmd_cluster_id(struct cli *);
int cmd_cluster_describe_errors(struct cli *);
int cmd_cluster_features_upgrade(struct cli *);
int cmd_cluster_features_downgrade(struct cli *);
int cmd_brokers_list(struct cli *);
int cmd_brokers_describe(struct cli *);
int cmd_brokers_logdirs(struct cli *);
int cmd_brokers_api_versions(struct cli *);
int cmd_brokers_unregister(struct cli *);
int cmd_brokers_drain(struct cli *);
int cmd_brokers_undrain(struct cli *);
int cmd_brokers_fence(struct cli *);
int cmd_brokers_unfence(struct cli *);
int cmd_topics_list(struct cli *);
int cmd_topics_describe(struct cli *);
int cmd_topics_create(struct cli *);
int cmd_topics_delete(struct cli *);
int cmd_topics_alter(struct cli *);
int cmd_topics_clone(struct cli *);
int cmd_topics_trim(struct cli *);
int cmd_topics_find(struct cli *);
int cmd_partitions_list(struct cli *);
int cmd_partitions_describe(struct cli *);
int cmd_partitions_epochs(struct cli *);
int cmd_partitions_offsets(struct cli *);
int cmd_partitions_verify(struct cli *);
int cmd_leaders_list(struct cli *);
int cmd_leaders_elect(struct cli *);
int cmd_leaders_balance(struct cli *);
int cmd_leaders_move(struct cli *);
int cmd_isr_list(struct cli *);
int cmd_isr_history(struct cli *);
int cmd_isr_describe(struct cli *);
int cmd_isr_watch(struct cli *);
int cmd_replicas_status(struct cli *);
int cmd_replicas_reassign(struct cli *);
int cmd_replicas_cancel(struct cli *);
int cmd_replicas_rebalance(struct cli *);
int cmd_replicas_set_factor(struct cli *);
int cmd_configs_get(struct cli *);
int cmd_configs_list(struct cli *);
int cmd_configs_describe(struct cli *);
int cmd_configs_set(struct cli *);
int cmd_configs_unset(struct cli *);
int cmd_quorum_describe(struct cli *);
int cmd_quorum_status(struct cli *);
int cmd_quorum_add_voter(struct cli *);
int cmd_quorum_remove_voter(struct cli *);
int cmd_quorum_transfer_leader(struct cli *);
int cmd_metadata_log_dump(struct cli *);
int cmd_metadata_snapshot_show(struct cli *);
int cmd_metadata_snapshot_list(struct cli *);
int cmd_metadata_snapshot_save(struct cli *);
int cmd_metadata_ls(struct cli *);
int cmd_metadata_cat(struct cli *);
int cmd_metadata_diff(struct cli *);
int cmd_log_dump(struct cli *);
int cmd_log_segments(struct cli *);
int cmd_log_index(struct cli *);
int cmd_log_compare(struct cli *);
int cmd_local_up(struct cli *);
int cmd_local_status(struct cli *);
int cmd_local_kill(struct cli *);
int cmd_local_pause(struct cli *);
int cmd_local_resume(struct cli *);
int cmd_local_restart(struct cli *);
int cmd_local_down(struct cli *);
int cmd_local_purge(struct cli *);
int cmd_local_env(struct cli *);
int cmd_local_logs(struct cli *);
int cmd_events(struct cli *);
int cmd_debug_bundle(struct cli *);
int cmd_debug_trace(struct cli *);
