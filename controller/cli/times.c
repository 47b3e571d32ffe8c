/* times.c - see times.h. */
#include "controller/cli/times.h"
#include "common/base/text.h"

#include <time.h>

static bool read_ago(const char *text, int64_t *out_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }
	};
	size_t digits = strspn(text, "0123456789");
	int64_t n, now_ms = time_now_ms();

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + digits, units[i].name) != 0 ||
		    parse_i64((struct str){ text, digits }, &n) || n > now_ms / units[i].ms)
			continue;
		*out_ms = now_ms - n * units[i].ms;
		return true;
	}
	return false;
}

bool time_read(const char *text, int64_t *out_ms)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S",
					     "%Y-%m-%dT%H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);

		if (!end || *end)
			continue;
		*out_ms = (int64_t)timegm(&tm) * 1000;
		return true;
	}
	return read_ago(text, out_ms);
}

int64_t time_now_ms(void)
{
	struct timespec ts;

	ASSERT(clock_gettime(CLOCK_REALTIME, &ts) == 0);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
