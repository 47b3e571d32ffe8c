/* isr.h - proposals of leaders to change their ISR, on their way to the controller (KIP-497).
 *
 * A partition's proposal travels by mail to shard 0, which puts all that wait into one
 * AlterPartition (one in flight per broker) and mails each answer back.  The item is embedded in
 * the partition; while is_out everything but `partition` and `is_again` is shard 0's. */
#pragma once
#include "broker/core/isr_cause.h"
#include "broker/core/replica.h"
#include "common/base/list.h"
#include "common/env/env.h"

struct partition;
struct shard;

struct isr_item {
	struct mail mail;
	struct shard *home;
	struct partition *partition;
	bool is_out;
	bool is_again; /* metadata settled it while it was out; a new one waits, if it still does */
	struct list node; /* on shard 0's queue */
	struct uuid topic_id;
	int32_t number, leader_epoch, partition_epoch;
	uint32_t proposal;
	int32_t n;
	int32_t id[REPLICAS_MAX];
	int64_t broker_epoch[REPLICAS_MAX];
	struct isr_causes why;
	/* the answer */
	int32_t code;
	int32_t answer_partition_epoch;
	int32_t n_answer;
	int32_t answer_id[REPLICAS_MAX];
};

void isr_propose(struct partition *, uint32_t isr, uint32_t proposal); /* on the owner */
void isr_answer(struct isr_item *); /* on shard 0: send it home */
