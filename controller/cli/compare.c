/* compare.c - one cursor per replica, all at the same offset.
 *
 * Batches are what is compared, not files: replicas roll their segments on their own and may have
 * deleted old ones at different times, so align moves everybody to the first common offset. */
#include "controller/cli/compare.h"
#include "controller/cli/segments.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct replica {
	struct partition_reader reader;
	const char *dir;
	bool at_end; /* nothing more below the bound */
};
struct compare {
	struct replica replicas[COMPARE_REPLICAS_MAX];
	int n;
	int64_t bound;
	struct compare_result *result;
};

static enum err step(struct compare *, struct replica *);
static enum err align(struct compare *);
static bool same_batch(struct compare *, const struct batch *, struct replica *);
static bool differ(struct compare *, const char *fmt, ...) printf_like(2, 3);

enum err compare_replicas(struct cli *cli, const char *const *dirs, int n_dirs, int64_t bound,
			  struct compare_result *result)
{
	struct compare c = { .bound = bound, .result = result };
	enum err e = ERR_OK;

	ASSERT(n_dirs > 0 && n_dirs <= COMPARE_REPLICAS_MAX);
	*result = (struct compare_result){ .same = true, .from = -1 };
	for (; c.n < n_dirs && !e; c.n++) {
		c.replicas[c.n].dir = dirs[c.n];
		e = partition_reader_open(&c.replicas[c.n].reader, cli, dirs[c.n]);
	}
	if (!e)
		e = align(&c);
	while (!e && result->same && !c.replicas[0].at_end) {
		const struct batch *b = partition_reader_batch(&c.replicas[0].reader);

		for (int i = 1; i < c.n && same_batch(&c, b, &c.replicas[i]); i++) {
		}
		if (!result->same)
			break;
		if (result->from < 0)
			result->from = b->base_offset;
		result->to = batch_last_offset(b) + 1;
		result->bytes += b->size;
		result->batches++;
		result->records += b->n_records;
		for (int i = 0; i < c.n && !e; i++)
			e = step(&c, &c.replicas[i]);
	}
	for (int i = 1; !e && result->same && i < c.n; i++)
		if (!c.replicas[i].at_end)
			differ(&c, "%s holds offset %" PRId64 " and %s does not", c.replicas[i].dir,
			       partition_reader_batch(&c.replicas[i].reader)->base_offset,
			       c.replicas[0].dir);
	for (int i = 0; i < c.n; i++)
		partition_reader_close(&c.replicas[i].reader);
	return e;
}

/* To the next batch of one replica that ends below the bound. */
static enum err step(struct compare *c, struct replica *r)
{
	enum err e = partition_reader_next(&r->reader);

	r->at_end = e == ERR_NOT_FOUND ||
		    (!e && batch_last_offset(partition_reader_batch(&r->reader)) >= c->bound);
	/* Torn above the bound is a writer at work; below it, it shows as missing. */
	if (e == ERR_CORRUPT) {
		r->at_end = true;
		return ERR_OK;
	}
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Everybody at the first offset that all of them hold. */
static enum err align(struct compare *c)
{
	int64_t from = 0;

	for (int i = 0; i < c->n; i++) {
		enum err e = step(c, &c->replicas[i]);

		if (e)
			return e;
		if (!c->replicas[i].at_end)
			from = i64_max(from,
				       partition_reader_batch(&c->replicas[i].reader)->base_offset);
	}
	for (int i = 0; i < c->n; i++) {
		struct replica *r = &c->replicas[i];

		while (!r->at_end && partition_reader_batch(&r->reader)->base_offset < from) {
			enum err e = step(c, r);

			if (e)
				return e;
		}
	}
	return ERR_OK;
}

static bool same_batch(struct compare *c, const struct batch *want, struct replica *r)
{
	const struct batch *have = partition_reader_batch(&r->reader);

	if (r->at_end)
		return differ(c, "%s ends before offset %" PRId64 ", which %s holds", r->dir,
			      want->base_offset, c->replicas[0].dir);
	if (have->base_offset != want->base_offset || have->size != want->size)
		return differ(c,
			      "batch at offset %" PRId64 " (%" PRId64
			      " bytes) in %s stands against offset %" PRId64 " (%" PRId64
			      " bytes) in %s",
			      want->base_offset, want->size, c->replicas[0].dir, have->base_offset,
			      have->size, r->dir);
	if (memcmp(want->at, have->at, (size_t)want->size) == 0)
		return true;
	for (int64_t i = 0; i < want->size; i++)
		if (want->at[i] != have->at[i])
			return differ(c,
				      "byte %" PRId64 " of the batch at offset %" PRId64
				      " differs between %s and %s",
				      i, want->base_offset, c->replicas[0].dir, r->dir);
	UNREACHABLE();
}

static bool differ(struct compare *c, const char *fmt, ...)
{
	va_list ap;

	c->result->same = false;
	va_start(ap, fmt);
	vsnprintf(c->result->why, sizeof(c->result->why), fmt, ap);
	va_end(ap);
	return false;
}
