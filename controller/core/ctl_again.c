/* ctl_again.c - a request is carried out once, however often a broker asks (Ongaro's thesis, 6.3).
 *
 * A broker that loses the controller asks the next one again; what was decided may be in the log
 * already, and deciding it once more would refuse what it did itself: the topic exists.  So the
 * answer goes into the log in the batch of what it answers for, and is looked for before anything
 * is decided.  The broker's numbers tell requests apart, its epoch tells its processes apart.
 *
 * What changed nothing is not written down: decided again, it is decided for the first time. */
#include "common/base/arena_pb.h"
#include "controller/core/decide.h"

#define ANSWER_BYTES_MAX (64 << 10) /* some hundred topics; a larger one may be refused twice */

bool answer_again(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	ProtobufCAllocator from = arena_pb(r->arena);
	struct str packed;
	Weir__Response *m;

	if (cmd->asker.number <= 0)
		return false;
	packed =
		image_answer(r->ctl->image, cmd->asker.broker, cmd->asker.epoch, cmd->asker.number);
	if (str_null(packed))
		return false;
	m = weir__response__unpack(&from, packed.n, (const uint8_t *)packed.at);
	ASSERT(m != NULL); /* we packed it ourselves */
	r->status = *m->status;
	r->reply = *m;
	r->reply.status = &r->status;
	r->is_again = true;
	return true;
}

/* Who has this very broker forgotten has no row to remember it in. */
static bool forgets_asker(const struct ctl_cmd *cmd)
{
	return cmd->kind == CTL_UNREGISTER && cmd->unregister->id == cmd->asker.broker;
}

bool ctl_has_done(const struct ctl *c, const struct ctl_asker *by)
{
	return by->number > 0 &&
	       !str_null(image_answer(c->image, by->broker, by->epoch, by->number));
}

void remember_answer(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const struct image_broker *b = image_broker(r->ctl->image, cmd->asker.broker);
	Weir__AnswerRecord *m;
	size_t n;

	if (cmd->asker.number <= 0 || r->n_records == 0 || b == NULL ||
	    b->epoch != cmd->asker.epoch || forgets_asker(cmd))
		return;
	n = weir__response__get_packed_size(&r->reply);
	if (n > ANSWER_BYTES_MAX)
		return;
	m = arena_must(r->arena, sizeof(*m));
	*m = (Weir__AnswerRecord)WEIR__ANSWER_RECORD__INIT;
	m->broker = cmd->asker.broker;
	m->broker_epoch = cmd->asker.epoch;
	m->number = cmd->asker.number;
	m->answered_below = cmd->asker.answered_below;
	m->response.data = arena_must(r->arena, n);
	m->response.len = weir__response__pack(&r->reply, m->response.data);
	emit(r, WEIR__METADATA_RECORD__BODY_ANSWER)->answer = m;
}
