/* conf_fuzz.c - any bytes as a properties file: options set, or one sentence. */
#include "common/base/conf.h"
#include "common/base/log.h"

struct options {
	int64_t number;
	struct str text;
	bool yes;
};

static const struct conf_row rows[] = {
	{ .name = "a", .type = CONF_I64, .at = offsetof(struct options, number), .def = "1" },
	{ .name = "b", .type = CONF_STR, .at = offsetof(struct options, text), .def = "" },
	{ .name = "c", .type = CONF_BOOL, .at = offsetof(struct options, yes), .def = "true" },
};

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct options o = { 0 };
	struct conf_store *c = conf_new(rows, ARRAY_LEN(rows), &o);
	char why[128] = "";
	size_t sum = 0;
	enum err e;

	log_set_level(LOG_ERROR);
	e = conf_parse(c, (struct str){ (const char *)at, n }, "f", why, sizeof(why));
	ASSERT(e == ERR_OK || strlen(why) > 5);
	for (size_t i = 0; i < o.text.n; i++)
		sum += (uint8_t)o.text.at[i];
	ASSERT(sum <= 255 * n);
	conf_free(c);
	return 0;
}
