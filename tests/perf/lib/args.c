#include "tests/perf/lib/args.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/text.h"

no_return void args_usage(const char *usage)
{
	fputs(usage, stderr);
	exit(2);
}

static int32_t number(const char *usage, struct str text, int32_t min, int32_t max)
{
	int32_t n;

	if (parse_i32(text, &n) || n < min || n > max)
		args_usage(usage);
	return n;
}

int32_t args_number(const char *usage, const char *text, int32_t min, int32_t max)
{
	return number(usage, str_of(text), min, max);
}

void args_address(const char *usage, struct str text, struct peer_addr *out)
{
	struct str host;

	if (!str_cut(&text, ':', &host) || host.n >= sizeof(out->host))
		args_usage(usage);
	memcpy(out->host, host.at, host.n);
	out->host[host.n] = '\0';
	out->port = number(usage, text, 1, 65535);
}
