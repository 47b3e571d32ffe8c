/* conf.h - configuration as rows: one row per option carries name, type, place, range, default
 * and text; parsing, --print-config, DescribeConfigs, validation and docs all read the rows.
 *
 * Files are Java .properties with Kafka's names.  Order: default < file < --override. */
#pragma once
#include "common/base/base.h"

enum conf_type { CONF_I32, CONF_I64, CONF_BOOL, CONF_STR, CONF_F64, CONF_ENUM };

struct conf_row {
	const char *name;        /* Kafka's */
	const char *alias;       /* an older or wider synonym, or NULL */
	enum conf_type type;
	size_t at;               /* offsetof the field in the options struct */
	int64_t min, max;        /* for numbers */
	const char *def;         /* default as text; NULL: none, the option may be absent */
	const char *values;      /* for enums: "a,b,c" */
	bool dynamic;            /* may change without a restart */
	const char *doc;         /* one sentence */
	const char *fuzz;        /* what the simulator draws: "low..high" or "a|b|c"; or NULL */
};

/* Fields: int32_t, int64_t, bool, double; CONF_ENUM an int32_t, the place in `values`; CONF_STR a
 * `struct str` whose text lives in the conf_store until the option is set again.  A number with
 * min == max == 0 has its type's range.  An option without a default keeps its field untouched. */
struct conf_store;
/* Sets the defaults. */
struct conf_store *conf_new(const struct conf_row *rows, int n_rows, void *options);
void conf_free(struct conf_store *);
/* On failure `why` holds one clear sentence: what, where, why, and the way out. */
must_check enum err conf_set(struct conf_store *, struct str key, struct str value,
			     const char *where, char *why, size_t why_cap);
/* A key without a row is ERR_NOT_FOUND from conf_set; conf_parse logs it as a warning and goes on,
 * so that a file written for Kafka starts. */
must_check enum err conf_parse(struct conf_store *, struct str text, const char *path, char *why,
			       size_t why_cap);
/* Checks one value against a row without storing it (topic configs). */
must_check enum err conf_check(const struct conf_row *, struct str value, char *why,
			       size_t why_cap);
const struct conf_row *conf_find(const struct conf_row *rows, int n_rows, struct str key);
const char *conf_nearest(const struct conf_row *rows, int n_rows, struct str key);     /* or NULL */
/* As text; null when absent. */
struct str conf_value(const struct conf_store *, const struct conf_row *, char *tmp, size_t cap);
bool conf_is_set(const struct conf_store *, const struct conf_row *); /* by file or override */
