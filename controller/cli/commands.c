/* commands.c - every command of `weir` in one table: parsing, help and completion read it.
 *
 * The first row of a noun is what the noun alone means. */
#include "controller/cli/commands.h"

#define SOME CLI_ARGS_MAX
/* Versions of clang-format disagree about braces in macros. */
/* clang-format off */
#define YES                                                                                        \
	{                                                                                          \
		"yes", 'y', NULL, "do not ask"                                                     \
	}
#define DRY_RUN                                                                                    \
	{                                                                                          \
		"dry-run", 0, NULL, "check, change nothing"                                        \
	}
#define DIR                                                                                        \
	{                                                                                          \
		"dir", 0, "DIR",                                                                   \
			"directory of the cluster (default: the state directory of this user)"     \
	}
#define NAME                                                                                       \
	{                                                                                          \
		"name", 0, "NAME", "name of the cluster (default: dev)"                            \
	}
#define AT                                                                                         \
	{                                                                                          \
		"at", 0, "OFFSET", "the state after the record with this offset"                   \
	}
#define MOVES                                                                                      \
	{ "throttle", 0, "RATE", "at most so much between brokers, as 50MB/s" },                   \
		{ "dry-run", 0, NULL, "show what would move, move nothing" },                      \
		{ "wait", 0, "TIME", "wait so long for the end (default: 1h)" },                   \
	{                                                                                          \
		"no-wait", 0, NULL, "ask for it and go"                                            \
	}
/* clang-format on */

/* Shapes that several commands share. */
#define TOPIC_CHANGES                                                                              \
	"TopicChangeList[topic:str result:str partitions:int? replication_factor:int? error:str?]"
#define PARTITIONS                                                                                 \
	"[topic:str partition:int leader:int leader_epoch:int replicas:[int] isr:[int] "           \
	"out_of_sync:[int] elr:[int] partition_epoch:int preferred:bool min_insync_replicas:int]"
#define COMPARISONS                                                                                \
	"ComparisonList[partition:str replicas:int from:int to:int hw:int batches:int "            \
	"bytes:int verdict:str]"
#define OFFSETS                                                                                    \
	"topic:str partition:int broker:int role:str start:int? lso:int? hw:int? leo:int? "        \
	"lag:int?"
#define LEADS " leaders:int preferred:int not_preferred:int"
#define CONFIG_CHANGES "ConfigChangeList[resource:str key:str old:str? new:str? dry_run:bool]"
#define QUORUM_MEMBERS                                                                             \
	"QuorumMemberList[id:int role:str state:str? address:str? log_end:int? lag:int? "          \
	"last_heard_ms:int? caught_up_ms:int? directory_id:str leader:int epoch:int "              \
	"high_watermark:int]"
#define FEATURE_CHANGES "FeatureChangeList[feature:str old:int new:int result:str error:str?]"
#define BROKER_STATES "BrokerStateChangeList[id:int old:str new:str leaders:int result:str]"
#define ELECTIONS                                                                                  \
	"ElectionList[topic:str partition:int result:str error:str? old_leader:int "               \
	"old_leader_epoch:int leader:int leader_epoch:int]"
#define REASSIGNMENTS "ReassignmentList[partition:str old:[int] new:[int] result:str error:str?]"
#define RECORDS "[offset:int epoch:int? time:str? type:str record:any]"
#define LOCAL_NODES                                                                                \
	"LocalNodeList[id:int role:str state:str pid:int? rss_bytes:int? uptime_ms:int? port:int " \
	"address:str dir:str log:str]"
#define LOCAL_CHANGES "LocalChangeList[id:int role:str done:str pid:int? took_ms:int?]"

const struct flag global_flags[] = {
	{ "bootstrap", 'b', "HOST:PORT,...",
	  "brokers to ask (default: WEIR_BOOTSTRAP, the local cluster, localhost:9092)" },
	{ "controller", 0, "HOST:PORT,...",
	  "ask a controller directly (default: WEIR_CONTROLLER)" },
	{ "saved", 0, "FILE", "look at metadata that weir metadata snapshot save has written" },
	{ "output", 'o', "FORMAT",
	  "table, wide, json, jsonl, csv, name; kafka for topics list and describe" },
	{ "columns", 0, "NAME,...", "only these columns of a list, in this order" },
	{ "sort-by", 0, "[-]NAME", "order of a list's rows; -NAME: the largest first" },
	{ "no-headers", 0, NULL, "tables without their first line" },
	{ "raw-units", 0, NULL, "bytes and times as plain numbers in tables, too" },
	{ "watch", 'w', "=EVERY",
	  "again and again, every 2s; on a terminal redrawn, in a pipe one line per change" },
	{ "timeout", 0, "SECONDS", "how long to wait for the cluster (default: 30)" },
	{ "wait", 0, "TIME",
	  "how long a change may take to reach every broker (default: --timeout)" },
	{ "no-wait", 0, NULL, "answer when a change is decided, before every broker has it" },
	{ "explain", 0, NULL,
	  "on stderr, every request to a broker and its answer, with their sizes" },
	{ "color", 0, "WHEN", "auto, always or never (NO_COLOR is heeded)" },
	{ "help", 'h', NULL, "what a command does, its flags and examples" },
};
const int n_global_flags = ARRAY_LEN(global_flags);

const struct cmd commands[] = {
	{ "cluster health", "", 0, 0, "is anything wrong, and what is at risk",
	  "Exit code 0 when all is well, 1 when not: fit for scripts and monitors.",
	  "weir cluster health\nweir cluster health --until-healthy 60s",
	  .json = "ClusterHealth{verdict:str healthy:bool cluster_id:str "
		  "controller:int controllers:int silent_controllers:[int] "
		  "replaced_controllers:[int] controller_epoch:int "
		  "metadata_log_end:int "
		  "brokers:int brokers_up:int fenced:[int] partitions:int "
		  "offline:int under_min_isr:int at_min_isr:int "
		  "under_replicated:int not_preferred:int recovering:int "
		  "unclean_elections:int}",
	  .can_watch = true, .run = cmd_cluster_health,
	  .flags = { { "until-healthy", 0, "?TIME",
		       "wait until all is well, at most so long (default: --timeout)" },
		     { "wait", 0, "?TIME", "the same" } } },

	{ "cluster check", "", 0, 0, "everything that can be wrong, each with a verdict",
	  "Exit code 1 when a verdict is not ok. --nagios prints one line with performance data "
	  "and has the\n"
	  "exit codes of Nagios' plugins: 0 ok, 1 warning, 2 critical, 3 unknown.",
	  "weir cluster check\nweir cluster check --nagios",
	  .json = "CheckList[check:str result:str detail:str]", .can_watch = true,
	  .run = cmd_cluster_check,
	  .flags = { { "nagios", 0, NULL, "one line and exit codes for Nagios and its kin" } } },

	{ "cluster can-restart", "NODE", 1, 1, "would anything stop working while a node is down",
	  "Exit code 0 when it may be stopped, 6 with the partitions that would refuse acks=all "
	  "writes or\nhave no leader.",
	  "weir cluster can-restart 2",
	  .json = "CanRestart{node:int role:str safe:bool below_min_isr:int offline:int "
		  "partitions:[{topic:str partition:int harm:str isr:[int] "
		  "min_insync_replicas:int}]}",
	  .complete = COMPLETE_BROKERS, .can_watch = true, .run = cmd_cluster_can_restart,
	  .flags = { { "all", 0, NULL, "name every partition" },
		     { "ignore-single", 0, NULL,
		       "partitions with one replica may be without a leader meanwhile" } } },

	{ "cluster info", "", 0, 0, "the cluster in four lines", NULL, "weir cluster info",
	  .json = "ClusterInfo{cluster_id:str controller:int controller_epoch:int "
		  "metadata_log_end:int brokers:int brokers_up:int topics:int partitions:int "
		  "replicas:int}",
	  .can_watch = true, .run = cmd_cluster_info },
	{ "cluster id", "", 0, 0, "the cluster's id", NULL, "weir cluster id",
	  .json = "ClusterId{cluster_id:str}", .run = cmd_cluster_id },
	{ "cluster top", "", 0, 0, "who does how much: brokers, and the busiest partitions",
	  "Measured over --interval. On a terminal it goes on until it is interrupted; elsewhere, "
	  "and "
	  "with\n-o json, it answers once.",
	  "weir cluster top\nweir cluster top --interval 5s -o json",
	  .json = "ClusterTop{verdict:str interval_ms:int brokers:[{id:int state:str leaders:int "
		  "replicas:int out_of_sync:int records_per_s:int bytes_per_s:int bytes:int}] "
		  "partitions:[{topic:str partition:int leader:int records_per_s:int leo:int "
		  "behind:int}]}",
	  .can_watch = true, .run = cmd_cluster_top,
	  .flags = { { "interval", 0, "TIME", "how long to measure (default: 1s)" },
		     { "partitions", 0, "N", "how many partitions to show (default: 10)" } } },
	{ "cluster describe-errors", "[NAME|CODE]", 0, 1, "Kafka's error codes and what they mean",
	  NULL, "weir cluster describe-errors 19",
	  .json = "ErrorList[code:int name:str retriable:bool meaning:str]",
	  .run = cmd_cluster_describe_errors },
	{ "cluster features", "", 0, 0, "finalised feature levels", NULL, "weir cluster features",
	  .json = "FeatureList[feature:str level:int]", .run = cmd_cluster_features },

	{ "cluster features upgrade", "FEATURE[=LEVEL]...", 1, SOME,
	  "let every node use what is new", "Without a level the highest that this weir knows.",
	  "weir cluster features upgrade metadata.version --dry-run", .json = FEATURE_CHANGES,
	  .run = cmd_cluster_features_upgrade,
	  .flags = { { "dry-run", 0, NULL, "check, change nothing" } } },
	{ "cluster features downgrade", "FEATURE=LEVEL...", 1, SOME, "back to an older level", NULL,
	  "weir cluster features downgrade metadata.version=1 --dry-run", .json = FEATURE_CHANGES,
	  .run = cmd_cluster_features_downgrade,
	  .flags = { { "dry-run", 0, NULL, "check, change nothing" },
		     { "unsafe", 0, NULL, "even where metadata is lost by it" },
		     YES } },

	{ "brokers list", "", 0, 0, "every broker, its state and what it carries", NULL,
	  "weir brokers list -o wide",
	  .json = "BrokerList[id:int state:str leaders:int replicas:int "
		  "out_of_sync:int rack:str? address:str epoch:int "
		  "last_contact_ms:int? metadata_lag:int?]",
	  .can_watch = true, .run = cmd_brokers_list },

	{ "brokers describe", "ID", 1, 1, "one broker: listeners, directories, shares of the load",
	  NULL, "weir brokers describe 2",
	  .json = "BrokerDescription{id:int state:str rack:str? epoch:int incarnation:str "
		  "connected:bool last_contact_ms:int leaders:int preferred:int replicas:int "
		  "out_of_sync:int endpoints:[{name:str host:str port:int protocol:str}] "
		  "log_dirs:[{dir:str used_bytes:int usable_bytes:int total_bytes:int}]}",
	  .complete = COMPLETE_BROKERS, .can_watch = true, .run = cmd_brokers_describe },
	{ "brokers logdirs", "[ID]", 0, 1, "directories of the brokers and what is free in them",
	  NULL, "weir brokers logdirs 2",
	  .json = "LogDirList[broker:int dir:str partitions:int used_bytes:int "
		  "usable_bytes:int? total_bytes:int? error:str?]",
	  .complete = COMPLETE_BROKERS, .can_watch = true, .run = cmd_brokers_logdirs },
	{ "brokers api-versions", "ID", 1, 1, "Kafka APIs and versions that a broker announces",
	  NULL, "weir brokers api-versions 1",
	  .json = "ApiVersionList[key:int name:str min:int max:int]", .complete = COMPLETE_BROKERS,
	  .run = cmd_brokers_api_versions },
	{ "brokers drain", "ID", 1, 1, "move every replica off a broker, before it goes for good",
	  "The same as weir replicas reassign --drain ID.", "weir brokers drain 3 --dry-run",
	  .json = REASSIGNMENTS, .complete = COMPLETE_BROKERS, .run = cmd_brokers_drain,
	  .flags = { MOVES } },
	{ "brokers undrain", "ID", 1, 1, "give a broker its share of replicas and leaders again",
	  "Replicas move from the brokers that have most, until it has as many as they.",
	  "weir brokers undrain 3 --dry-run", .json = REASSIGNMENTS, .complete = COMPLETE_BROKERS,
	  .run = cmd_brokers_undrain, .flags = { MOVES } },
	{ "brokers fence", "ID", 1, 1, "take a broker out of service while it runs",
	  "It leads nothing and is in no ISR, goes on fetching, and stays so even when it "
	  "restarts, "
	  "until\nweir brokers unfence. Refused where a partition would lose its last replica in "
	  "sync or\nmin.insync.replicas.",
	  "weir brokers fence 3 --dry-run\nweir brokers fence 3", .json = BROKER_STATES,
	  .complete = COMPLETE_BROKERS, .run = cmd_brokers_fence,
	  .flags = { { "dry-run", 0, NULL, "check, change nothing" },
		     { "allow-unavailable", 0, NULL,
		       "even where partitions become unavailable" } } },
	{ "brokers unfence", "ID", 1, 1, "let a broker in again that was fenced by hand",
	  "Waits until it is in service; catching up comes after that: weir isr watch.",
	  "weir brokers unfence 3", .json = BROKER_STATES, .complete = COMPLETE_BROKERS,
	  .run = cmd_brokers_unfence, .flags = { { "dry-run", 0, NULL, "change nothing" } } },
	{ "brokers unregister", "ID", 1, 1, "forget a broker that will not come back",
	  "Refused while it is up, and while it holds replicas unless --keep-replicas says so.",
	  "weir brokers unregister 3 --yes", .json = "BrokerChange{id:int result:str}",
	  .complete = COMPLETE_BROKERS, .run = cmd_brokers_unregister,
	  .flags = { YES,
		     DRY_RUN,
		     { "keep-replicas", 0, NULL, "even though replicas are assigned to it" } } },

	{ "topics list", "[TOPIC...]", 0, SOME, "topics with their size in partitions", NULL,
	  "weir topics list -o name",
	  .json = "TopicList[topic:str partitions:int replication_factor:int "
		  "min_insync_replicas:int under_replicated:int offline:int "
		  "configs:int id:str]",
	  .complete = COMPLETE_TOPICS, .can_watch = true, .has_kafka = true,
	  .run = cmd_topics_list },
	{ "topics describe", "[TOPIC...]", 0, SOME,
	  "partitions, replicas, lag and offsets of topics",
	  "Offsets come from the replicas themselves; `-` stands where a replica did not answer.",
	  "weir topics describe orders\nweir topics describe -o kafka",
	  .json = "TopicDescriptions[topic:str id:str replication_factor:int "
		  "min_insync_replicas:int configs:<str> "
		  "partitions:[{partition:int leader:int leader_epoch:int "
		  "partition_epoch:int replicas:[int] isr:[int] elr:[int] last_known_elr:[int] "
		  "start:int hw:int leo:int ends:[{broker:int end:int}]}]]",
	  .complete = COMPLETE_TOPICS, .can_watch = true, .has_kafka = true,
	  .run = cmd_topics_describe },
	{ "topics create", "TOPIC...", 1, SOME, "create topics", NULL,
	  "weir topics create orders -p 12 -r 3 -c min.insync.replicas=2\nweir topics create t "
	  "--replicas 1,2,3 --replicas 2,3,1",
	  .json = TOPIC_CHANGES, .run = cmd_topics_create,
	  .flags = { { "partitions", 'p', "N",
		       "number of partitions (default: the cluster's num.partitions)" },
		     { "replication-factor", 'r', "N",
		       "replicas of each partition (default: the cluster's)" },
		     { "config", 'c', "KEY=VALUE", "a topic config; may be repeated" },
		     { "replicas", 0, "ID,ID,...",
		       "replicas of partition 0, 1, ... in this order; may be repeated" },
		     { "if-not-exists", 0, NULL, "a topic that exists already is fine" },
		     { "dry-run", 0, NULL, "check everything, create nothing" } } },
	{ "topics delete", "TOPIC...", 1, SOME, "delete topics and their records",
	  "Asks for the topic's name on a terminal; elsewhere --yes is needed.",
	  "weir topics delete orders --yes", .json = TOPIC_CHANGES, .complete = COMPLETE_TOPICS,
	  .run = cmd_topics_delete,
	  .flags = { YES,
		     { "if-exists", 0, NULL, "a topic that is not there is fine" },
		     DRY_RUN } },
	{ "topics alter", "TOPIC", 1, 1, "add partitions to a topic",
	  "Existing records stay where they are.", "weir topics alter orders -p 24",
	  .json = TOPIC_CHANGES, .complete = COMPLETE_TOPICS, .run = cmd_topics_alter,
	  .flags = { { "partitions", 'p', "N", "the new number of partitions" },
		     { "dry-run", 0, NULL, "check, change nothing" } } },

	{ "topics clone", "TOPIC NEW", 2, 2, "create a topic with the shape and configs of another",
	  "Partitions, replication factor and configs; no records.",
	  "weir topics clone orders test", .json = TOPIC_CHANGES, .complete = COMPLETE_TOPICS,
	  .run = cmd_topics_clone,
	  .flags = { { "dry-run", 0, NULL, "check everything, create nothing" } } },
	{ "topics trim", "TOPIC|TOPIC-PARTITION", 1, 1,
	  "delete the records before an offset or time",
	  "Asks for the name on a terminal; elsewhere --yes is needed. Never goes above the high "
	  "watermark.",
	  "weir topics trim orders --before 2026-03-01T00:00:00Z --dry-run\nweir topics trim "
	  "orders-2 --before 120000 --yes",
	  .json = "TrimList[partition:str old_start:int start:int deleted:int result:str "
		  "error:str?]",
	  .complete = COMPLETE_TOPICS, .run = cmd_topics_trim,
	  .flags = { { "before", 0, "OFFSET|TIME", "the first offset, or time in UTC, to keep" },
		     { "dry-run", 0, NULL, "count what would go" },
		     YES } },
	{ "topics find", "[TOPIC...]", 0, SOME, "partitions with something to worry about",
	  "With flags only those of which one of the named things is true, else all.",
	  "weir topics find\nweir topics find --under-min-isr --offline -o name",
	  .json = "FindingList[partition:str leader:int replicas:[int] isr:[int] "
		  "min_insync_replicas:int found:[str]]",
	  .complete = COMPLETE_TOPICS, .can_watch = true, .run = cmd_topics_find,
	  .flags = { { "offline", 0, NULL, "without leader" },
		     { "under-min-isr", 0, NULL, "acks=all writes are refused" },
		     { "at-min-isr", 0, NULL, "one failure away from that" },
		     { "under-replicated", 0, NULL, "replicas out of sync" },
		     { "unclean", 0, NULL, "recovering from an unclean election" },
		     { "not-preferred", 0, NULL, "led by another than the preferred replica" },
		     { "moving", 0, NULL, "being reassigned" } } },

	{ "partitions list", "[TOPIC...]", 0, SOME, "leader, replicas and ISR of every partition",
	  NULL, "weir partitions list orders\nweir partitions list --not-well",
	  .json = "PartitionList" PARTITIONS, .complete = COMPLETE_TOPICS, .can_watch = true,
	  .run = cmd_partitions_list,
	  .flags = { { "not-well", 0, NULL,
		       "only those without leader or with replicas out of sync" } } },
	{ "partitions describe", "TOPIC-PARTITION", 1, 2,
	  "one partition: replicas, epochs, offsets, lag", NULL,
	  "weir partitions describe orders-2",
	  .json = "ReplicaList[broker:int role:str in_sync:bool "
		  "broker_state:str leo:int? lag:int? eligible:bool]",
	  .complete = COMPLETE_PARTITIONS, .can_watch = true, .run = cmd_partitions_describe },
	{ "partitions epochs", "TOPIC-PARTITION", 1, 1,
	  "who led from which offset on, since when and why",
	  "From the metadata log, with the start offsets that the leader knows. GAP is the time "
	  "without\nany leader before the epoch: 0 where the next one was elected in the same "
	  "breath.",
	  "weir partitions epochs orders-2",
	  .json = "EpochList[leader_epoch:int leader:int start_offset:int? since:str? gap_ms:int? "
		  "reason:str? isr:[int]? metadata_offset:int]",
	  .complete = COMPLETE_PARTITIONS, .can_watch = true, .run = cmd_partitions_epochs },
	{ "partitions offsets", "TOPIC|TOPIC-PARTITION...", 1, SOME,
	  "begin, LSO, high watermark and end, replica by replica",
	  "LSO and high watermark are the leader's to know. With --time also the offset of the "
	  "first record\nof that time or later.",
	  "weir partitions offsets orders\nweir partitions offsets orders-2 --time 15m",
	  .json = "PartitionOffsetsList[" OFFSETS "] | PartitionOffsetsAtList[" OFFSETS
		  " at_time:int?]",
	  .complete = COMPLETE_PARTITIONS, .can_watch = true, .run = cmd_partitions_offsets,
	  .flags = { { "time", 0, "TIME", "2026-03-01T12:00:00Z, or 90s, 15m, 2h, 1d ago" } } },
	{ "partitions verify", "[TOPIC|TOPIC-PARTITION...]", 0, SOME,
	  "compare the replicas' logs below the high watermark",
	  "Reads the files of a local cluster and compares them byte by byte up to the high "
	  "watermark that\n"
	  "the leaders report; brokers may run. Exit code 1 when a byte differs or a replica is "
	  "missing.",
	  "weir partitions verify orders", .json = COMPARISONS, .complete = COMPLETE_TOPICS,
	  .run = cmd_partitions_verify, .flags = { DIR, NAME } },

	{ "leaders list", "", 0, 0, "how many partitions each broker leads", NULL,
	  "weir leaders list\nweir leaders list --by rack",
	  .json = "LeaderList[broker:int" LEADS "] | TopicLeaderList[topic:str broker:int" LEADS
		  "] | RackLeaderList[rack:str? brokers:int" LEADS "]",
	  .can_watch = true, .run = cmd_leaders_list,
	  .flags = { { "by", 0, "WHAT", "broker (the default), topic or rack" } } },
	{ "leaders elect", "[TOPIC-PARTITION...]", 0, SOME,
	  "move leadership to the preferred replica, or force one",
	  "--unclean takes a replica that is out of sync when no other is left. Records that only "
	  "the lost\n"
	  "replicas had are gone then: it says first what each candidate would lose, and needs\n"
	  "--allow-data-loss.",
	  "weir leaders elect orders-2\nweir leaders elect --all\nweir leaders elect orders-2 "
	  "--unclean --allow-data-loss",
	  .json = ELECTIONS " | " REASSIGNMENTS, .complete = COMPLETE_PARTITIONS,
	  .run = cmd_leaders_elect,
	  .flags = { { "all", 0, NULL, "every partition of the cluster" },
		     { "preferred", 0, NULL,
		       "the first replica of the list (this is the default)" },
		     { "to", 0, "ID", "this replica, which becomes the preferred one" },
		     { "unclean", 0, NULL, "any live replica, where no replica in sync is left" },
		     { "allow-data-loss", 0, NULL, "needed by --unclean" },
		     { "dry-run", 0, NULL, "show who would be elected, or what would be lost" },
		     DIR,
		     NAME } },

	{ "leaders balance", "", 0, 0, "give every preferred replica in sync its leadership back",
	  NULL, "weir leaders balance --dry-run", .json = ELECTIONS, .run = cmd_leaders_balance,
	  .flags = { { "dry-run", 0, NULL, "show what would change" } } },
	{ "leaders move", "", 0, 0, "move leadership off a broker and keep it off",
	  "Another replica in sync becomes the first of the list, and leader. No data moves.",
	  "weir leaders move --from 3", .json = ELECTIONS " | " REASSIGNMENTS,
	  .run = cmd_leaders_move,
	  .flags = { { "from", 0, "ID", "the broker that shall lead nothing" },
		     { "dry-run", 0, NULL, "show the new order of replicas" } } },

	{ "isr list", "[TOPIC...]", 0, SOME, "who is in sync, and who is not", NULL,
	  "weir isr list --shrunk", .json = "IsrList" PARTITIONS, .complete = COMPLETE_TOPICS,
	  .can_watch = true, .run = cmd_isr_list,
	  .flags = { { "shrunk", 0, NULL, "only partitions with replicas out of sync" } } },

	{ "isr describe", "TOPIC-PARTITION", 1, 1,
	  "each replica of a partition: in or out, since when, why, how far behind", NULL,
	  "weir isr describe orders-2",
	  .json = "IsrDescription[broker:int state:str since:str? reason:str? leo:int? lag:int?]",
	  .complete = COMPLETE_PARTITIONS, .can_watch = true, .run = cmd_isr_describe },
	{ "isr history", "TOPIC-PARTITION", 1, 1,
	  "when a partition's ISR changed, who left or came, and why", NULL,
	  "weir isr history orders-2",
	  .json = "IsrHistory[time:str? from:[int]? to:[int] joined:[int] left:[int] leader:int "
		  "leader_epoch:int reason:str? metadata_offset:int]",
	  .complete = COMPLETE_PARTITIONS, .can_watch = true, .run = cmd_isr_history },
	{ "isr watch", "[TOPIC...]", 0, SOME, "changes of ISRs and leaders as they happen",
	  "Runs until it is interrupted; -o json prints an object per line.",
	  "weir isr watch\nweir isr watch orders -o jsonl", .complete = COMPLETE_TOPICS,
	  .run = cmd_isr_watch, .flags = { { "count", 0, "N", "end after so many changes" } } },

	{ "replicas status", "", 0, 0, "partitions that are being moved, and how far they are",
	  NULL, "weir replicas status -w",
	  .json = "ReassignmentStatusList[partition:str replicas:[int] adding:[int] "
		  "removing:[int] in_sync:[int] behind:int?]",
	  .can_watch = true, .run = cmd_replicas_status },
	{ "replicas reassign", "", 0, 0, "move replicas to other brokers",
	  "Prints old and new replicas, asks for all of it at once and waits until it is done.",
	  "weir replicas reassign --topics orders --to 1,2,4 --throttle 50MB/s\n"
	  "weir replicas reassign --drain 3 --dry-run\nweir replicas reassign --plan plan.json",
	  .json = REASSIGNMENTS, .run = cmd_replicas_reassign,
	  .flags = { { "topics", 0, "TOPIC,...", "what to move, with --to" },
		     { "to", 0, "ID,ID,...", "the brokers that may hold them then" },
		     { "drain", 0, "ID", "everything that this broker holds" },
		     { "plan", 0, "FILE", "a file of kafka-reassign-partitions" },
		     MOVES } },
	{ "replicas cancel", "[TOPIC-PARTITION...]", 0, SOME,
	  "take back moves that are not done yet", "Without arguments all of them.",
	  "weir replicas cancel\nweir replicas cancel orders-2", .json = REASSIGNMENTS,
	  .complete = COMPLETE_PARTITIONS, .run = cmd_replicas_cancel, .flags = { MOVES } },
	{ "replicas rebalance", "", 0, 0, "spread replicas and leaders evenly over the brokers",
	  "Counts replicas, not bytes. Look first with --dry-run.",
	  "weir replicas rebalance --dry-run", .json = REASSIGNMENTS, .run = cmd_replicas_rebalance,
	  .flags = { MOVES } },
	{ "replicas set-factor", "TOPIC N", 2, 2, "change how many replicas a topic has",
	  "Those out of sync go first, new ones come to the least loaded brokers.",
	  "weir replicas set-factor orders 3", .json = REASSIGNMENTS, .complete = COMPLETE_TOPICS,
	  .run = cmd_replicas_set_factor, .flags = { MOVES } },

	{ "configs list", "[topics/NAME|brokers/ID...]", 0, SOME,
	  "everything that somebody has set, and where",
	  "Without arguments of every topic and broker.",
	  "weir configs list\nweir configs list brokers/1 --all\nweir configs list topics/orders "
	  "--diff",
	  .json = "ConfigSettingList[resource:str key:str value:str? source:str default:str?]",
	  .complete = COMPLETE_CONFIGS, .can_watch = true, .run = cmd_configs_list,
	  .flags = { { "all", 0, NULL, "defaults too" },
		     { "diff", 0, NULL, "only what differs from its default" } } },
	{ "configs get", "topics/NAME|brokers/ID [KEY]", 1, 2,
	  "configuration values and where they come from", NULL,
	  "weir configs get topics/orders\nweir configs get topics/orders "
	  "min.insync.replicas\nweir configs get brokers/1 --all",
	  .json = "ConfigList[key:str value:str? source:str dynamic:bool]",
	  .complete = COMPLETE_CONFIGS, .can_watch = true, .run = cmd_configs_get,
	  .flags = { { "all", 0, NULL, "defaults too" } } },
	{ "configs describe", "topics/NAME|brokers/ID [KEY], or KEY", 1, 2,
	  "a config in full: type, default, meaning, what it would be otherwise", NULL,
	  "weir configs describe topics/orders retention.ms\nweir configs describe "
	  "min.insync.replicas",
	  .json = "ConfigDescriptionList[resource:str key:str value:str? source:str type:str "
		  "dynamic:bool sensitive:bool default:str? documentation:str? "
		  "synonyms:[{key:str value:str? source:str}]]",
	  .complete = COMPLETE_CONFIGS, .run = cmd_configs_describe },
	{ "configs set", "topics/NAME|brokers/ID KEY=VALUE...", 2, SOME,
	  "change configuration; takes effect at once",
	  "brokers/ with nothing behind it means every broker.",
	  "weir configs set topics/orders retention.ms=86400000", .json = CONFIG_CHANGES,
	  .complete = COMPLETE_CONFIGS, .run = cmd_configs_set,
	  .flags = { { "dry-run", 0, NULL, "check, change nothing" } } },
	{ "configs unset", "topics/NAME|brokers/ID KEY...", 2, SOME, "back to the default", NULL,
	  "weir configs unset topics/orders retention.ms", .json = CONFIG_CHANGES,
	  .complete = COMPLETE_CONFIGS, .run = cmd_configs_unset,
	  .flags = { { "dry-run", 0, NULL, "check, change nothing" } } },

	{ "quorum describe", "", 0, 0, "the controllers: who leads, who votes, how far they are",
	  "Exit code 1 when nobody leads. Without any leader ask a controller: --controller "
	  "HOST:PORT.",
	  "weir quorum describe -o wide", .json = QUORUM_MEMBERS, .can_watch = true,
	  .run = cmd_quorum_describe },
	{ "quorum status", "", 0, 0, "the quorum in six lines",
	  "Exit code 1 when a voter does not answer.", "weir quorum status",
	  .json = "QuorumStatus{leader:int epoch:int high_watermark:int voters:int voters_up:int "
		  "observers:int max_lag:int}",
	  .can_watch = true, .run = cmd_quorum_status },
	{ "quorum replication", "", 0, 0, "how far each controller is with the metadata",
	  "The same as weir quorum describe.", "weir quorum replication -w", .json = QUORUM_MEMBERS,
	  .can_watch = true, .run = cmd_quorum_describe },
	{ "quorum add-voter", "ID", 1, 1, "give a controller that watches a vote",
	  "It must have caught up; a command that comes earlier waits. A controller whose disk "
	  "was lost\ncomes back as another one: remove the old vote first.",
	  "weir quorum remove-voter 103 --yes\nweir quorum add-voter 103",
	  .json = "QuorumChangeList[controller:str result:str]", .run = cmd_quorum_add_voter,
	  .flags = { { "directory", 0, "ID", "only with this disk" }, DRY_RUN } },
	{ "quorum remove-voter", "ID", 1, 1, "take a controller's vote",
	  "Asks for the id on a terminal; elsewhere --yes is needed.",
	  "weir quorum remove-voter 103 --yes",
	  .json = "QuorumChangeList[controller:str result:str]", .run = cmd_quorum_remove_voter,
	  .flags = { { "directory", 0, "ID", "only with this disk" }, DRY_RUN, YES } },
	{ "quorum transfer-leader", "[ID]", 0, 1, "let another controller lead", NULL,
	  "weir quorum transfer-leader 102", .json = "QuorumChangeList[controller:str result:str]",
	  .run = cmd_quorum_transfer_leader, .flags = { DRY_RUN } },

	{ "metadata log dump", "", 0, 0, "the records that the cluster's state is made of", NULL,
	  "weir metadata log dump --offset 100..200\nweir metadata log dump -o jsonl",
	  .json = "MetadataLog" RECORDS, .run = cmd_metadata_log_dump,
	  .flags = { { "follow", 'f', NULL, "go on with records as they are written" },
		     { "offset", 0, "N..M", "from N up to before M; either may be left out" } } },
	{ "metadata snapshot show", "", 0, 0, "the whole state as records", NULL,
	  "weir metadata snapshot show -o jsonl", .json = "MetadataSnapshot" RECORDS,
	  .run = cmd_metadata_snapshot_show },

	{ "metadata snapshot list", "[DIR...]", 0, 16,
	  "snapshots and log files of the controllers; no server needed",
	  "DIR is a controller's metadata.log.dir; without any the local cluster's controllers are "
	  "meant.",
	  "weir metadata snapshot list /var/lib/weir/controller-101",
	  .json = "MetadataFileList[dir:str file:str kind:str offset:int bytes:int written:str]",
	  .complete = COMPLETE_FILES, .run = cmd_metadata_snapshot_list, .flags = { DIR, NAME } },
	{ "metadata snapshot save", "FILE", 1, 1, "write the state and the log to a file",
	  "Everything that looks at metadata takes the file with --saved FILE, on any machine. "
	  "A file that\nis there already stays as it is.",
	  "weir metadata snapshot save incident.weir\nweir partitions list --saved incident.weir",
	  .json = "SavedMetadata{file:str offset:int log_entries:int bytes:int}",
	  .complete = COMPLETE_FILES, .run = cmd_metadata_snapshot_save },

	{ "metadata ls", "[PATH]", 0, 1, "names below a path of the metadata", NULL,
	  "weir metadata ls /topics", .json = "MetadataNames[name:str]", .complete = COMPLETE_PATHS,
	  .run = cmd_metadata_ls, .flags = { AT } },
	{ "metadata cat", "[PATH]", 0, 1, "values at and below a path of the metadata",
	  "With --at the state as it was after the record with that offset.",
	  "weir metadata cat /topics/orders/2\nweir metadata cat /topics/orders --at 15",
	  .json = "MetadataTree[path:str key:str value:any]", .complete = COMPLETE_PATHS,
	  .run = cmd_metadata_cat, .flags = { AT } },
	{ "metadata diff", "A [B]", 1, 2, "what is different between two states",
	  "A and B are offsets (the state after that record), files of weir metadata snapshot "
	  "save, or\n`now` (B's default). Exit code 1 when they differ.",
	  "weir metadata diff 5 15\nweir metadata diff before.weir",
	  .json = "MetadataDiff[change:str path:str key:str old:any new:any]",
	  .complete = COMPLETE_FILES, .run = cmd_metadata_diff },

	{ "log dump", "SEGMENT|DIR|TOPIC-PARTITION", 1, 1,
	  "batches of a segment, or of a partition, checked; no server needed", NULL,
	  "weir log dump 00000000000000000000.log --records\nweir log dump orders-0 --broker 1",
	  .json = "BatchList[offsets:[int] leader_epoch:int records:int "
		  "bytes:int position:int codec:str producer_id:int? "
		  "producer_epoch:int? base_sequence:int? max_time:str? "
		  "flags:str? crc:str]",
	  .complete = COMPLETE_FILES, .run = cmd_log_dump,
	  .flags = { { "records", 0, NULL, "keys, values and headers too" },
		     { "verify", 0, NULL, "problems only, of its indexes too; exit code 1 if any" },
		     { "broker", 0, "ID", "of the local cluster, to name the partition alone" },
		     DIR,
		     NAME } },
	{ "log segments", "DIR|TOPIC-PARTITION", 1, 1,
	  "a partition's segments: offsets, sizes, times; no server needed", NULL,
	  "weir log segments /var/lib/weir/broker-1/orders-0\nweir log segments orders-0 --broker "
	  "1",
	  .json = "SegmentList[segment:str first_offset:int? last_offset:int? records:int "
		  "batches:int bytes:int oldest:str? newest:str? index_entries:int? "
		  "time_entries:int? state:str]",
	  .complete = COMPLETE_FILES, .run = cmd_log_segments,
	  .flags = { { "broker", 0, "ID", "of the local cluster, to name the partition alone" },
		     DIR,
		     NAME } },
	{ "log index", "FILE", 1, 1, "entries of an .index or .timeindex; no server needed", NULL,
	  "weir log index 00000000000000000000.index",
	  .json = "OffsetIndex[offset:int position:int] | TimeIndex[offset:int time:str]",
	  .complete = COMPLETE_FILES, .run = cmd_log_index },
	{ "log compare", "LOGDIR LOGDIR [LOGDIR...]", 2, 16,
	  "compare replicas' files byte by byte; no server needed",
	  "Each LOGDIR is a broker's log directory. Compared is what lies below the high "
	  "watermark, taken\n"
	  "from replication-offset-checkpoint, or below --below. Exit code 1 when a byte differs "
	  "or "
	  "a LOGDIR\n"
	  "lacks a partition that another one has.",
	  "weir log compare b1/data b2/data b3/data --partition orders-0 --below 1200",
	  .json = COMPARISONS, .complete = COMPLETE_FILES, .run = cmd_log_compare,
	  .flags = { { "partition", 0, "TOPIC-PARTITION", "only this one; may be repeated" },
		     { "below", 0, "OFFSET", "the bound, instead of the checkpoint's" } } },

	{ "local status", "", 0, 0, "processes of the local cluster",
	  "Exit code 1 when one of them does not run.", "weir local status -o wide",
	  .json = LOCAL_NODES, .can_watch = true, .run = cmd_local_status, .flags = { DIR, NAME } },
	{ "local up", "", 0, 0, "start a cluster on this machine, or what of it is down",
	  "No root, no containers. Data, logs and pid files lie in one directory and survive "
	  "`down`.",
	  "weir local up\nweir local up -n 5 --config log.retention.hours=1", .json = LOCAL_NODES,
	  .run = cmd_local_up,
	  .flags = { { "brokers", 'n', "N", "number of brokers (default: 3)" },
		     { "controllers", 0, "N", "number of controllers (default: 1)" },
		     DIR,
		     NAME,
		     { "base-port", 0, "PORT",
		       "of the first broker; the controller has the next (default: 19092, or 20092 "
		       "... where that is taken)" },
		     { "port-step", 0, "N",
		       "from one broker's port to the next one's (default: 100)" },
		     { "config", 'c', "KEY=VALUE", "for every broker's file; may be repeated" },
		     { "controller-config", 0, "KEY=VALUE",
		       "for every controller's file; may be repeated" } } },
	{ "local kill", "NODE|leader-of TOPIC-PARTITION", 1, 2, "SIGKILL a node", NULL,
	  "weir local kill 2\nweir local kill leader-of orders-0", .json = LOCAL_CHANGES,
	  .complete = COMPLETE_NODES, .run = cmd_local_kill, .flags = { DIR, NAME } },
	{ "local pause", "NODE|leader-of TOPIC-PARTITION", 1, 2,
	  "SIGSTOP a node: alive, connected and silent", NULL,
	  "weir local pause 2\nweir local pause leader-of orders-0", .json = LOCAL_CHANGES,
	  .complete = COMPLETE_NODES, .run = cmd_local_pause, .flags = { DIR, NAME } },
	{ "local resume", "NODE", 1, 1, "SIGCONT a paused node", NULL, "weir local resume 2",
	  .json = LOCAL_CHANGES, .complete = COMPLETE_NODES, .run = cmd_local_resume,
	  .flags = { DIR, NAME } },
	{ "local restart", "NODE", 1, 1, "stop a node if it runs, start it, wait until it is ready",
	  NULL, "weir local restart 2\nweir local restart 2 --kill", .json = LOCAL_CHANGES,
	  .complete = COMPLETE_NODES, .run = cmd_local_restart,
	  .flags = { DIR, NAME, { "kill", 0, NULL, "SIGKILL instead of SIGTERM" } } },
	{ "local down", "", 0, 0, "stop the cluster and keep its data", NULL, "weir local down",
	  .json = LOCAL_CHANGES, .run = cmd_local_down,
	  .flags = { DIR, NAME, { "kill", 0, NULL, "SIGKILL instead of SIGTERM" } } },
	{ "local purge", "", 0, 0, "stop the cluster and delete its data",
	  "Asks for the cluster's name on a terminal; elsewhere --yes is needed.",
	  "weir local purge --yes", .json = LOCAL_CHANGES, .run = cmd_local_purge,
	  .flags = { DIR, NAME, YES } },
	{ "local env", "", 0, 0, "shell lines that point clients and weir at it", NULL,
	  "eval \"$(weir local env)\"", .json = "LocalEnvList[variable:str value:str]",
	  .run = cmd_local_env, .flags = { DIR, NAME } },

	{ "local logs", "[NODE|leader-of TOPIC-PARTITION]", 0, 2,
	  "the last lines that the processes of the local cluster wrote", NULL,
	  "weir local logs -n 100\nweir local logs 2 -f", .json = "LogLineList[id:int line:str]",
	  .complete = COMPLETE_NODES, .run = cmd_local_logs,
	  .flags = { { "follow", 'f', NULL, "go on with lines as they are written" },
		     { "lines", 'n', "N", "of each node (default: 20)" },
		     DIR,
		     NAME } },

	{ "events", "[TOPIC|SUBJECT...]", 0, SOME, "what the controller decided, and why",
	  "Out of the metadata log: elections, ISR changes, brokers, topics, configs, the quorum.",
	  "weir events\nweir events -f\nweir events orders --since 1h --type leader,isr",
	  .json = "EventList[time:str? type:str subject:str change:str cause:str? "
		  "metadata_offset:int]",
	  .complete = COMPLETE_TOPICS, .can_watch = true, .run = cmd_events,
	  .flags = { { "follow", 'f', NULL, "go on with events as they happen" },
		     { "since", 0, "TIME", "90s, 15m, 2h, 1d ago, or 2026-03-01T12:00:00Z" },
		     { "type", 0, "TYPE,...",
		       "of leader, isr, replicas, partition, broker, topic, config, quorum, "
		       "feature" },
		     { "last", 'n', "N", "at most so many (default: 50; all with --since)" } } },

	{ "debug bundle", "[DIR]", 0, 1, "everything that somebody else needs to see what happened",
	  "The answers of other commands as JSON, each in a file, and the metadata for --saved. "
	  "Values of\nsensitive configs are not in it.",
	  "weir debug bundle\nweir debug bundle /tmp/incident",
	  .json = "BundleList[file:str command:str exit:int bytes:int]", .complete = COMPLETE_FILES,
	  .run = cmd_debug_bundle },
	{ "debug trace", "TOPIC-PARTITION", 1, 1,
	  "one partition watched closely: a line for each change of leader, ISR or offsets", NULL,
	  "weir debug trace orders-2 --for 30s", .complete = COMPLETE_PARTITIONS,
	  .run = cmd_debug_trace,
	  .flags = { { "for", 0, "TIME", "how long (default: 10s)" },
		     { "every", 0, "TIME", "how often to look (default: 100ms)" } } },

	{ "profile show", "", 0, 0, "which cluster is meant without -b", NULL, "weir profile show",
	  .json = "Profile[key:str value:str]", .run = cmd_profile_show },
	{ "profile use", "HOST:PORT,... [CONTROLLER:PORT,...]", 1, 2,
	  "make a cluster the one that is meant without -b",
	  "weir local up does so for the cluster that it starts.",
	  "weir profile use broker-1.example.net:9092", .run = cmd_profile_use },

	{ "doctor", "", 0, 0, "can this machine use the cluster as a client would",
	  "Resolves, dials and asks every address that brokers advertise. Exit code 1 when one is "
	  "broken.",
	  "weir doctor -b broker-1.example.net:9092",
	  .json = "DoctorReport[check:str result:str detail:str]", .run = cmd_doctor },
	{ "cheat", "[SHEET]", 0, 1,
	  "recipes: to restart, to grow, to shrink, to find what is wrong", NULL,
	  "weir cheat restart", .run = cmd_cheat },
	{ "version", "", 0, 0, "the version of this program", NULL, "weir version --deps",
	  .json = "Version{weir:str}", .run = cmd_version,
	  .flags = { { "deps", 0, NULL, "the libraries it is built on, with their licences" } } },
	{ "help", "[COMMAND...]", 0, 4, "this list, or one command in full", NULL,
	  "weir help topics create", .complete = COMPLETE_COMMANDS, .run = cmd_help,
	  .flags = { { "all", 0, NULL, "every command in full" } } },
	{ "completion", "bash|zsh|fish", 1, 1, "the shell's script that completes weir's words",
	  "Words, flags and the names of live topics, partitions and brokers.",
	  "source <(weir completion bash)\nweir completion zsh > ~/.zsh/completions/_weir\nweir "
	  "completion fish > ~/.config/fish/completions/weir.fish",
	  .complete = COMPLETE_SHELLS, .run = cmd_completion },
	{ "man", "[COMMAND...]", 0, 4, "the manual page of weir or of one command, as mdoc", NULL,
	  "weir man | man -l -\nweir man topics create | man -l -", .complete = COMPLETE_COMMANDS,
	  .run = cmd_man },
	{ "reference", "", 0, 0, "every command with its flags as Markdown", NULL,
	  "weir reference > commands.md", .run = cmd_reference },
	{ "__complete", "[WORD...]", 0, SOME, "", NULL, NULL, .run = cmd_complete },
};
const int n_commands = ARRAY_LEN(commands);
