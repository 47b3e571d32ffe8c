/* story.c - see story.h. */
#include "controller/cli/story.h"
#include "controller/cli/log_reader.h"

#include <inttypes.h>
#include <stdio.h>

static void count_back(struct story *);

static void set_ids(struct image_ids *to, const int32_t *from, size_t n)
{
	to->n = 0;
	for (size_t i = 0; i < n && i < IMAGE_REPLICAS_MAX; i++)
		to->v[to->n++] = from[i];
}

static bool is_of(const struct story *s, const ProtobufCBinaryData *id, int32_t partition)
{
	return id->len == sizeof(s->topic->id.b) && partition == s->partition &&
	       memcmp(id->data, s->topic->id.b, id->len) == 0;
}

/* What the record says of the partition, on top of what was; false: it is about something else. */
static bool take(const struct story *s, const Weir__MetadataRecord *r, struct story_event *e)
{
	const Weir__PartitionChangeRecord *c = r->partition_change;
	const Weir__PartitionRecord *p = r->partition;

	if (r->body_case == WEIR__METADATA_RECORD__BODY_PARTITION &&
	    is_of(s, &p->topic_id, p->partition)) {
		e->is_creation = e->sets_leader = e->sets_isr = e->knows_isr = true;
		e->leader = p->leader;
		e->leader_epoch = p->leader_epoch;
		e->reason = "created";
		set_ids(&e->isr, p->isr, p->n_isr);
		return true;
	}
	if (r->body_case != WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE ||
	    !is_of(s, &c->topic_id, c->partition))
		return false;
	e->is_creation = false;
	e->sets_leader = c->has_leader;
	e->sets_isr = c->isr != NULL;
	e->reason = c->reason;
	if (c->has_leader) {
		e->leader = c->leader;
		e->leader_epoch++;
	}
	if (c->isr) {
		set_ids(&e->isr, c->isr->id, c->isr->n_id);
		e->knows_isr = true;
	}
	return true;
}

int story_load(struct cli *cli, struct view *v, struct story *s)
{
	struct story_event now = { .leader = -1, .leader_epoch = -1 };
	struct topic_partition tp;
	Weir__LogEntries *log;
	const char *name;
	int code;

	if (!cli_partition_arg(cli, cli->args[0], &tp))
		return CLI_USAGE;
	if ((code = view_load(cli, v)))
		return code;
	name = cli_z(cli, tp.topic);
	if ((code = view_has_topics(cli, v, &name, 1)))
		return code;
	*s = (struct story){ .topic = image_topic_named(v->image, tp.topic),
			     .partition = tp.partition };
	if (tp.partition >= s->topic->n_partitions)
		return cli_fail(
			cli, CLI_MISSING,
			"topic %s has %d partitions: there is no %s (UNKNOWN_TOPIC_OR_PARTITION)",
			name, s->topic->n_partitions, cli->args[0]);
	if ((code = log_reader_all(cli, v->image->offset, &log)))
		return code;
	s->log_start = log->start;
	s->events = arena_must(&cli->mem, (log->n_entries + 1) * sizeof(*s->events));
	for (size_t i = 0; i < log->n_entries; i++) {
		const Weir__MetadataRecord *r = log->entries[i]->record;

		if (!take(s, r, &now))
			continue;
		now.offset = log->entries[i]->offset;
		now.time_ms = r->has_time_ms ? r->time_ms : -1;
		s->is_whole |= now.is_creation;
		s->events[s->n++] = now;
	}
	count_back(s);
	return CLI_OK;
}

/* Epochs of a story without a beginning: today's is known, and each election raised it by one. */
static void count_back(struct story *s)
{
	const struct image_partition *today = &s->topic->partitions[s->partition];
	int32_t off = s->n ? today->leader_epoch - s->events[s->n - 1].leader_epoch : 0;

	for (int i = 0; !s->is_whole && i < s->n; i++)
		s->events[i].leader_epoch += off;
}

void story_note_beginning(const struct story *s)
{
	if (!s->is_whole)
		fprintf(stderr,
			"note: the metadata log begins at offset %" PRId64
			"; what happened before is not in it\n",
			s->log_start);
}
