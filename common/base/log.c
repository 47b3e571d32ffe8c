/* log.c - see log.h.
 *
 * A line is built on the stack and leaves with one write.  The ring takes lines of every level;
 * a slot is claimed with a flag, and a line that finds its slot busy is not kept. */
#include "common/base/log.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "common/base/text.h"

/* Bytes of a line on stderr, of a line in the ring (which is 60 KiB in all), of the node's name.
 * Longer lines are cut, never split. */
#define LINE_MAX 1024
#define RING_LINES 256
#define RING_LINE_MAX 240
#define NAME_MAX_BYTES 32

struct ring_line {
	atomic_flag busy;
	uint32_t n;
	char at[RING_LINE_MAX];
};

/* The sink: the one mutable global of the tree. */
static struct {
	_Atomic int level;
	char name[NAME_MAX_BYTES];
	void (*sink)(void *arg, const char *line, size_t n);
	void *arg;
	_Atomic uint32_t next;
	struct ring_line ring[RING_LINES];
} out = { .level = LOG_INFO };

static void put_time(struct text *);
static void put_field(struct text *, const struct log_field *);
static void keep(const struct text *);
static void emit(const char *line, size_t n);

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&out.level, (int)level, memory_order_relaxed);
}

void log_set_name(const char *node)
{
	struct text t;

	text_init(&t, out.name, sizeof(out.name));
	text_str(&t, str_of(node));
}

void log_set_sink(void (*sink)(void *arg, const char *line, size_t n), void *arg)
{
	out.sink = sink;
	out.arg = arg;
}

void log_write(enum log_level level, const char *sub, const char *msg, const struct log_field *f,
	       int n)
{
	static const char *const names[] = { "ERROR", "WARN", "INFO", "DEBUG" };
	char line[LINE_MAX];
	struct text t;

	text_init(&t, line, sizeof(line) - 1); /* one byte is kept for the end of line */
	if (!out.sink)
		put_time(&t);
	text_printf(&t, "%-5s ", names[level]);
	if (out.name[0])
		text_printf(&t, "%s ", out.name);
	text_printf(&t, "%s %s", sub, msg);
	for (int i = 0; i < n; i++)
		put_field(&t, &f[i]);
	keep(&t);
	line[t.n++] = '\n';
	if ((int)level <= atomic_load_explicit(&out.level, memory_order_relaxed))
		emit(line, t.n);
}

/* Called while the process dies, perhaps inside log_write on this very thread: it waits for nobody,
 * a line that is being written is left out. */
void log_dump_ring(void)
{
	uint32_t end = atomic_load_explicit(&out.next, memory_order_acquire);

	for (uint32_t i = end > RING_LINES ? end - RING_LINES : 0; i != end; i++) {
		struct ring_line *l = &out.ring[i % RING_LINES];

		if (atomic_flag_test_and_set_explicit(&l->busy, memory_order_acquire))
			continue;
		if (write(STDERR_FILENO, l->at, l->n) < 0)
			return;
		atomic_flag_clear_explicit(&l->busy, memory_order_release);
	}
}

/* Days to date after Howard Hinnant: gmtime_r without the time zone files behind it. */
static void put_time(struct text *t)
{
	struct timespec now;
	int64_t days, era, doe, yoe, doy, mp, sec;

	clock_gettime(CLOCK_REALTIME, &now);
	days = now.tv_sec / 86400 + 719468;
	sec = now.tv_sec % 86400;
	era = days / 146097;
	doe = days % 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	text_printf(t, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", (int)(yoe + era * 400 + (mp >= 10)),
		    (int)(mp < 10 ? mp + 3 : mp - 9), (int)(doy - (153 * mp + 2) / 5 + 1),
		    (int)(sec / 3600), (int)(sec / 60 % 60), (int)(sec % 60),
		    (int)(now.tv_nsec / 1000000));
}

/* A value is quoted when a reader that splits at blanks and at the first '=' would misread it. */
static bool needs_quotes(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.at[i] <= ' ' || s.at[i] == '"' || s.at[i] == '\\' ||
		    s.at[i] == '=')
			return true;
	return s.n == 0;
}

static void put_field(struct text *t, const struct log_field *f)
{
	char uuid[UUID_TEXT];

	if (!f->key)
		return;
	text_printf(t, " %s=", f->key);
	switch (f->kind) {
	case FIELD_I64: text_printf(t, "%lld", (long long)f->i64); return;
	case FIELD_STR:
		if (str_null(f->str) || needs_quotes(f->str))
			text_json(t, f->str);
		else
			text_str(t, f->str);
		return;
	case FIELD_UUID:
		uuid_text(f->uuid, uuid);
		text_printf(t, "%s", uuid);
		return;
	}
	UNREACHABLE();
}

/* Slots are claimed round robin by a counter; losing one line under contention is better than a
 * lock in every caller. */
static void keep(const struct text *t)
{
	uint32_t at = atomic_fetch_add_explicit(&out.next, 1, memory_order_relaxed);
	struct ring_line *l = &out.ring[at % RING_LINES];

	if (atomic_flag_test_and_set_explicit(&l->busy, memory_order_acquire))
		return;
	l->n = (uint32_t)size_min(t->n, RING_LINE_MAX - 1);
	memcpy(l->at, t->at, l->n);
	l->at[l->n++] = '\n';
	atomic_flag_clear_explicit(&l->busy, memory_order_release);
}

static void emit(const char *line, size_t n)
{
	if (out.sink)
		out.sink(out.arg, line, n);
	else if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody is left to tell */
}
