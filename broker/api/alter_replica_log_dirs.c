/* AlterReplicaLogDirs(34): replicas of this broker move between its log directories (KIP-113).
 * Answered when the move has begun; DescribeLogDirs shows how far it is. */
#include "broker/api/alter_replica_log_dirs.h"

#include <stdatomic.h>

#include "broker/api/fanout.h"
#include "broker/shard/dirs.h"
#include "broker/shard/move.h"
#include "kafka/alter_replica_log_dirs.h"

static void fill(struct req *, struct fanout *, const struct alter_replica_log_dirs_request_dir *,
		 int *at);
static enum kerr find_dir(const struct dirs *, struct str path, int *dir);
static void answer(struct ask_op *, struct partition *);
static void done(struct req *, struct ask_op *);

enum api_ret handle_alter_replica_log_dirs(struct req *q)
{
	const struct alter_replica_log_dirs_request *in = q->in;
	struct alter_replica_log_dirs_response *out = q->out;
	struct fanout *f = fanout_new(q);
	int at = 0;

	for (int32_t i = 0; i < in->n_dirs; i++)
		out->n_results += i32_max(in->dirs[i].n_topics, 0);
	out->results = schema_new(&alter_replica_log_dirs_response_result_schema, &q->arena,
				  out->n_results);
	for (int32_t i = 0; i < in->n_dirs; i++)
		fill(q, f, &in->dirs[i], &at);
	return fanout_go(f, answer, done);
}

/* One result per directory and topic, in the order of the request. */
static void fill(struct req *q, struct fanout *f,
		 const struct alter_replica_log_dirs_request_dir *in, int *at)
{
	struct alter_replica_log_dirs_response *out = q->out;
	int dir = -1;
	enum kerr e = find_dir(q->shard->broker->dirs, in->path, &dir);

	for (int32_t i = 0; i < in->n_topics; i++) {
		struct alter_replica_log_dirs_response_result *r = &out->results[(*at)++];
		const struct image_topic *t =
			api_topic(q, in->topics[i].name, (struct uuid){ { 0 } });
		r->topic_name = in->topics[i].name;
		r->n_partitions = in->topics[i].n_partitions;
		r->partitions = schema_new(&alter_replica_log_dirs_response_partition_schema,
					   &q->arena, r->n_partitions);
		for (int32_t j = 0; j < r->n_partitions; j++) {
			struct alter_replica_log_dirs_response_partition *p = &r->partitions[j];
			p->partition_index = in->topics[i].partitions[j];
			p->error_code = (int16_t)e;
			if (e == KERR_NONE && !(t && image_partition(t, p->partition_index)))
				p->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
			if (p->error_code == KERR_NONE)
				fanout_add(f, t->id, p->partition_index, p)->in[0] = dir;
		}
	}
}

static enum kerr find_dir(const struct dirs *dirs, struct str path, int *dir)
{
	while (path.n > 1 && path.at[path.n - 1] == '/')
		path.n--;
	for (int i = 0; i < dirs->n; i++)
		if (str_eq(str_of(dirs->v[i].path), path)) {
			*dir = i;
			return atomic_load(&dirs->v[i].offline) ? KERR_KAFKA_STORAGE_ERROR
								: KERR_NONE;
		}
	return KERR_LOG_DIR_NOT_FOUND;
}

/* One that has not come yet, or is being opened, can be asked for again in a moment, as Kafka's
 * tools do. */
static void answer(struct ask_op *op, struct partition *p)
{
	if (!p || p->state == PARTITION_OPENING)
		op->error = KERR_REPLICA_NOT_AVAILABLE;
	else if (p->state == PARTITION_OFFLINE)
		op->error = KERR_KAFKA_STORAGE_ERROR;
	else
		move_request(p, (int)op->in[0]);
}

static void done(struct req *q, struct ask_op *op)
{
	struct alter_replica_log_dirs_response_partition *p = op->slot;

	(void)q;
	p->error_code = (int16_t)op->error;
}
