/* env.c - the few helpers of the seam that are the same in every world. */
#include "common/env/env.h"
#include <stdatomic.h>

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
	heap_node_init(&t->node);
	t->at_us = 0;
	t->set = false;
	t->fn = fn;
	t->arg = arg;
}

/* Saturates: Kafka's "never" is INT64_MAX milliseconds. */
void timer_after_ms(struct env *env, struct timer *t, int64_t ms)
{
	ASSERT(ms >= 0);
	int64_t now = env_mono_us(env);
	int64_t at = ms < (INT64_MAX - now) / 1000 ? now + ms * 1000 : INT64_MAX;
	env->ops->timer_set(env, t, at);
}

void timer_clear(struct env *env, struct timer *t)
{
	if (t->set)
		env->ops->timer_clear(env, t);
}

const char *listen_text(enum err e)
{
	if (e == ERR_REFUSED)
		return "the address is in use";
	if (e == ERR_NOT_FOUND)
		return "that is no address of this machine";
	if (e == ERR_DENIED)
		return "permission denied: ports below 1024 need root";
	return err_text(e);
}

void env_work_all(struct env *env, struct job *first)
{
	if (env->ops->work_all) {
		env->ops->work_all(env, first);
		return;
	}
	while (first) {
		struct job *j = first;

		first = j->next;
		j->home = env;
		j->work(j);
	}
}

/* relaxed is enough to add a reference: the caller has one already. */
struct file *file_get(struct file *f)
{
	uint32_t before = atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	ASSERT(before > 0);
	return f;
}

void file_put(struct file *f)
{
	if (!f)
		return;
	uint32_t before = atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel);
	ASSERT(before > 0);
	if (before == 1)
		f->ops->close(f);
}
