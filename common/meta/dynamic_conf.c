/* dynamic_conf.c - the rows, and which level wins. */
#include "common/meta/dynamic_conf.h"

#include "common/base/text.h"

#define NONE "9223372036854775807"
#define AT(field) offsetof(struct dynamic_conf, field)
/* Versions of clang-format disagree about braces in macros. */
/* clang-format off */
#define I64(name, field, lo, hi, def, ...)                                                         \
	{                                                                                          \
		name, NULL, CONF_I64, AT(field), lo, hi, def, NULL, true, .doc = __VA_ARGS__       \
	}
/* clang-format on */

const struct conf_row dynamic_conf_rows[] = {
	I64("leader.replication.throttled.rate", leader_throttle, 1, INT64_MAX, NONE,
	    "bytes a second that this broker sends to throttled replicas that are not in sync"),
	I64("follower.replication.throttled.rate", follower_throttle, 1, INT64_MAX, NONE,
	    "bytes a second that this broker fetches for throttled replicas that are not in sync"),
	I64("replica.alter.log.dirs.io.max.bytes.per.second", dirs_throttle, 1, INT64_MAX, NONE,
	    "bytes a second that move between this broker's log directories"),
	I64("producer.id.expiration.ms", producer_expiration_ms, 1, INT64_MAX / 4, "86400000",
	    "an idle producer is forgotten after this"),
	I64("log.dir.free.bytes.min", free_bytes_min, 0, INT64_MAX / 4, "67108864",
	    "free bytes of a log directory below which produces to it are refused"),
};
const int dynamic_conf_n_rows = (int)ARRAY_LEN(dynamic_conf_rows);

static void take(struct dynamic_conf *, const struct image_config *, int32_t n);

const struct conf_row *dynamic_conf_row(struct str name)
{
	return conf_find(dynamic_conf_rows, dynamic_conf_n_rows, name);
}

int dynamic_conf_broker_rows(struct conf_row *out, size_t at)
{
	for (int i = 0; i < dynamic_conf_n_rows; i++) {
		out[i] = dynamic_conf_rows[i];
		out[i].at += at;
	}
	return dynamic_conf_n_rows;
}

/* From the weakest level to the strongest. */
void dynamic_conf_of(const struct dynamic_conf *file, const struct image *im, int32_t self,
		     struct dynamic_conf *out)
{
	const struct image_broker *me = image_broker(im, self);

	*out = *file;
	take(out, im->broker_configs, im->n_broker_configs);
	if (me != NULL)
		take(out, me->configs, me->n_configs);
}

/* Checked when it was stored; what this version cannot read leaves the field alone. */
static void take(struct dynamic_conf *c, const struct image_config *v, int32_t n)
{
	char why[256];

	for (int32_t i = 0; i < n; i++) {
		const struct conf_row *row = dynamic_conf_row(v[i].name);
		int64_t value;

		if (row == NULL || conf_check(row, v[i].value, why, sizeof(why)) != ERR_OK ||
		    parse_i64(str_trim(v[i].value), &value) != ERR_OK)
			continue;
		memcpy((char *)c + row->at, &value, sizeof(value));
	}
}
