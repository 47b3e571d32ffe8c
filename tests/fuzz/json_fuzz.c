/* json_fuzz.c - arbitrary bytes as JSON: read or refused, never out of bounds, never for ever. */
#include "controller/cli/json_read.h"

#define MEMORY_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct json_value *v;
	struct arena mem;
	size_t at;

	arena_init(&mem, MEMORY_BYTES);
	if (!json_read(&mem, (struct str){ (const char *)bytes, n }, &v, &at))
		(void)json_member(v, "partitions");
	ASSERT(at <= n);
	arena_fini(&mem);
	return 0;
}
