/* lowered.c - a recovery point that a truncation has lowered, kept beside the log.
 *
 * The directory's checkpoint is written now and then, and until the next time it vouches for
 * offsets that were cut off since: after a crash, bytes appended in their place would be trusted
 * though never synced, or their absence taken for damage.  So a truncation below the recovery
 * point first writes the point it leaves into a file of the partition, "0\n<offset>\n", which
 * caps the checkpoint's at the next start.  Zero is also what a log begins with whose name another
 * one had a moment ago (a topic created anew, a replica moved away and back).  A flush removes it
 * once the checkpoint must have followed (a minute of appends later), a clean close at once.  Kafka
 * ignores the file. */
#include "broker/log/small_file.h"
#include "broker/log/state.h"
#include "common/base/mark.h"

#define FILE_NAME "recovery-point-lowered"
/* The checkpoint is written every replica.high.watermark.checkpoint.interval.ms, 5 s by default. */
#define CHECKPOINTED_MS 60000

static enum err write_point(struct env *, const char *dir, int64_t to);
static enum err read_point(struct env *, const char *dir, int64_t *point);

enum err log_lower_point(struct log *l, int64_t to)
{
	enum err e;

	if (to >= l->recovery_point)
		return ERR_OK;
	e = write_point(l->home.env, l->dir, to);
	if (e != ERR_OK)
		return e;
	l->is_lowered = true;
	l->lowered_ms = l->now_ms;
	return ERR_OK;
}

enum err log_cap_point(struct log *l, int64_t *recovery_point)
{
	int64_t point;
	enum err e = read_point(l->home.env, l->dir, &point);

	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e != ERR_OK)
		return e;
	if (point < *recovery_point)
		MARK(recovery_point_from_before_a_truncation);
	*recovery_point = i64_min(*recovery_point, point);
	l->is_lowered = true;
	return ERR_OK;
}

enum err log_void_point(struct env *env, const char *dir)
{
	return write_point(env, dir, 0);
}

bool log_point_is_void(struct env *env, const char *dir)
{
	int64_t point;

	return read_point(env, dir, &point) == ERR_OK && point == 0;
}

static enum err write_point(struct env *env, const char *dir, int64_t to)
{
	char buf[48];
	struct text t;

	text_init(&t, buf, sizeof(buf));
	text_printf(&t, "0\n%lld\n", (long long)to);
	return small_file_write(env, dir, FILE_NAME, t.at, t.n);
}

/* What cannot be read vouches for nothing. */
static enum err read_point(struct env *env, const char *dir, int64_t *point)
{
	struct str rest, version, offset;
	char *text;
	size_t n;
	enum err e = small_file_read(env, dir, FILE_NAME, SMALL_PATH_MAX, &text, &n);

	*point = 0;
	if (e != ERR_OK && e != ERR_LIMIT)
		return e;
	rest = (struct str){ text, e == ERR_OK ? n : 0 };
	if (!small_file_line(&rest, &version) || !str_eq(version, STR("0")) ||
	    !small_file_line(&rest, &offset) || parse_i64(offset, point) != ERR_OK)
		*point = 0;
	*point = i64_max(*point, 0);
	mem_free(text);
	return ERR_OK;
}

enum err log_forget_lowered(struct log *l, bool now)
{
	if (!l->is_lowered || (!now && l->now_ms - l->lowered_ms <= CHECKPOINTED_MS))
		return ERR_OK;
	l->is_lowered = false;
	l->names_changed = true;
	return small_file_remove(l->home.env, l->dir, FILE_NAME);
}
