/* log.h - structured log lines on stderr: `time level subsystem message key=value ...`.
 *
 * error: an operator must act.  warn: something was refused or lost, we go on.  info: a state
 * changed.  debug: per-request detail.  The last 256 lines of every level are kept in a ring and
 * printed when an ASSERT fails.  The sink is the one mutable global of the tree; any thread may
 * log.  Text with blanks or quotes is quoted. */
#pragma once
#include "common/base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
	const char *key;
	enum { FIELD_I64, FIELD_STR, FIELD_UUID } kind;
	int64_t i64;
	struct str str;
	struct uuid uuid;
};
#define F_I64(k, v)  ((struct log_field){ .key = (k), .kind = FIELD_I64, .i64 = (int64_t)(v) })
#define F_STR(k, v)  ((struct log_field){ .key = (k), .kind = FIELD_STR, .str = (v) })
#define F_Z(k, v)    ((struct log_field){ .key = (k), .kind = FIELD_STR, .str = str_of(v) })
#define F_UUID(k, v) ((struct log_field){ .key = (k), .kind = FIELD_UUID, .uuid = (v) })

void log_write(enum log_level, const char *sub, const char *msg, const struct log_field *, int n);
#define F_END ((struct log_field){ .key = NULL })
#define LOG_LINE(level, sub, msg, ...)                                                             \
	log_write(level, sub, msg, (const struct log_field[]){ __VA_ARGS__ },                      \
		  (int)(sizeof((const struct log_field[]){ __VA_ARGS__ }) /                        \
			sizeof(struct log_field)) - 1)
/* log_info("sub", "message", F_I64("key", 1), ...); the fields may be left out. */
#define log_error(sub, ...) LOG_LINE(LOG_ERROR, sub, __VA_ARGS__, F_END)
#define log_warn(sub, ...)  LOG_LINE(LOG_WARN, sub, __VA_ARGS__, F_END)
#define log_info(sub, ...)  LOG_LINE(LOG_INFO, sub, __VA_ARGS__, F_END)
#define log_debug(sub, ...) LOG_LINE(LOG_DEBUG, sub, __VA_ARGS__, F_END)

void log_set_level(enum log_level);
void log_set_name(const char *node); /* printed on every line, e.g. "broker-1" */
/* The simulator and tests take the lines instead of stderr, without the time, so that equal runs
 * give equal text; NULL restores stderr. */
void log_set_sink(void (*sink)(void *arg, const char *line, size_t n), void *arg);

/* The ring, oldest line first, to stderr; what ASSERT calls before it aborts. */
void log_dump_ring(void);
