#include "tests/story/raftworld_log.h"

void rw_log_add(const struct rw_batch *b, struct rw_log *l, int32_t batch)
{
	ASSERT(l->n < RW_BATCHES && b[batch].base == l->end);
	l->v[l->n++] = (int16_t)batch;
	l->end = b[batch].end;
}

bool rw_log_cut(const struct rw_batch *b, struct rw_log *l, int64_t end)
{
	while (l->n > 0 && b[l->v[l->n - 1]].base >= end)
		l->n--;
	l->end = l->n > 0 ? b[l->v[l->n - 1]].end : l->start;
	return l->end == end;
}

void rw_log_drop(const struct rw_batch *b, struct rw_log *l, int64_t start)
{
	int32_t gone = 0;

	while (gone < l->n && b[l->v[gone]].end <= start)
		gone++;
	if (gone == 0)
		return;
	l->before = l->v[gone - 1];
	l->start_term = b[l->before].term;
	l->start = b[l->before].end;
	l->n -= gone;
	memmove(l->v, l->v + gone, (size_t)l->n * sizeof(l->v[0]));
}

int32_t rw_log_find(const struct rw_batch *b, const struct rw_log *l, int64_t base)
{
	int32_t low = 0, high = l->n;

	while (low < high) {
		int32_t mid = (low + high) / 2;

		if (b[l->v[mid]].base < base)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void rw_log_copy(struct rw_log *to, const struct rw_log *from)
{
	memcpy(to, from, offsetof(struct rw_log, v) + (size_t)from->n * sizeof(from->v[0]));
}
