/* brokers_say.h - the cluster as any broker tells it in Kafka's protocol, for the time when no
 * controller answers.  Works with Apache Kafka's brokers, too. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "controller/cli/cli.h"
#include "controller/cli/sock.h"

/* The state that broker knows as records: brokers, topics, partitions, topic configs.  What only
 * the metadata log has (broker and partition epochs, racks' history) is not in it. */
must_check enum err brokers_say_snapshot(struct cli *, struct addr broker, Weir__Snapshot **,
					 Weir__ControllerState **);
