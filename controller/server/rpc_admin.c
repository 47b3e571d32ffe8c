/* rpc_admin.c - administration, forwarded by brokers or asked by the CLI.
 *
 * Each is answered when it is committed and every broker in service has applied it, or its time is
 * up; so whoever is answered may go to any broker and find the topic there. */
#include "controller/server/link.h"

void rpc_admin_call(struct session *s, uint64_t id, const Weir__Request *q)
{
	struct ctl_cmd cmd = { .seed = prng_u64(&s->node->env->prng) };
	struct asked by = { .rpc = s->rpc, .id = id };

	link_asks(s, q, &cmd);
	switch ((int)q->body_case) {
	case WEIR__REQUEST__BODY_CREATE_TOPICS:
		cmd.kind = CTL_CREATE_TOPICS;
		cmd.create_topics = q->create_topics;
		by.applied_timeout_ms = q->create_topics->timeout_ms;
		break;
	case WEIR__REQUEST__BODY_DELETE_TOPICS:
		cmd.kind = CTL_DELETE_TOPICS;
		cmd.delete_topics = q->delete_topics;
		by.applied_timeout_ms = q->delete_topics->timeout_ms;
		break;
	case WEIR__REQUEST__BODY_CREATE_PARTITIONS:
		cmd.kind = CTL_CREATE_PARTITIONS;
		cmd.create_partitions = q->create_partitions;
		by.applied_timeout_ms = q->create_partitions->timeout_ms;
		break;
	case WEIR__REQUEST__BODY_ALTER_CONFIGS:
		cmd.kind = CTL_ALTER_CONFIGS;
		cmd.alter_configs = q->alter_configs;
		by.applied_timeout_ms = q->alter_configs->timeout_ms;
		break;
	case WEIR__REQUEST__BODY_ELECT_LEADERS:
		cmd.kind = CTL_ELECT_LEADERS;
		cmd.elect_leaders = q->elect_leaders;
		by.applied_timeout_ms = q->elect_leaders->timeout_ms;
		break;
	case WEIR__REQUEST__BODY_REASSIGN_PARTITIONS:
		cmd.kind = CTL_REASSIGN;
		cmd.reassign = q->reassign_partitions;
		by.applied_timeout_ms = q->reassign_partitions->timeout_ms;
		break;
	case WEIR__REQUEST__BODY_UPDATE_FEATURES:
		cmd.kind = CTL_UPDATE_FEATURES;
		cmd.update_features = q->update_features;
		by.applied_timeout_ms = q->update_features->timeout_ms;
		break;
	default: UNREACHABLE();
	}
	(void)node_submit(s->node, &cmd, &by);
}
