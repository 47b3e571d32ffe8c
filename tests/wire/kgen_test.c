/* kgen: three messages whose output is kept for reading, and what it says to bad schemas. */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>

#define KGEN "build/gen/kgen"

static char *slurp(const char *path);

/* When kgen changes on purpose: cp build/gen/kafka/NAME tests/wire/kgen/NAME.golden */
TEST(golden_output)
{
	static const char *const names[] = { "heartbeat.h",
					     "heartbeat.c",
					     "api_versions.h",
					     "api_versions.c",
					     "describe_topic_partitions.h",
					     "describe_topic_partitions.c" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[256];
		char *want, *got;

		snprintf(path, sizeof(path), "tests/wire/kgen/%s.golden", names[i]);
		want = slurp(path);
		snprintf(path, sizeof(path), "build/gen/kafka/%s", names[i]);
		got = slurp(path);
		if (!EXPECT(want && got && strcmp(want, got) == 0))
			FAIL("%s is not as in its golden file", path);
		free(want);
		free(got);
	}
}

static void refuses(const char *schema, const char *reason)
{
	const char *dir = test_tmpdir();
	char path[512], command[2048], said[512] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/x.msg", dir);
	f = fopen(path, "w");
	ASSERT(f);
	fputs(schema, f);
	fclose(f);
	snprintf(command, sizeof(command), KGEN " %s %s 2>&1", dir, path);
	f = popen(command, "r");
	ASSERT(f);
	if (!fgets(said, sizeof(said), f))
		said[0] = '\0';
	EXPECT(pclose(f) != 0);
	if (!strstr(said, reason))
		FAIL("wanted `%s`, kgen said `%s`", reason, said);
}

#define API "api 1 X versions 0-3 flexible 2+\n"
#define REQUEST(fields) API "request {\n" fields "}\nresponse {\n}\n"

TEST(bad_schemas_are_refused_with_line_and_reason)
{
	refuses("", ":0: empty file");
	refuses("api 1 X versions 0+\n", ":1: an api needs a last version");
	refuses(API "request {\n\ta i32\n", ":3: the file ends inside `{`");
	refuses(REQUEST("\ta\n"), ":3: expected a type");
	refuses(REQUEST("\ta i33\n"), ":3: `i33` is neither a type nor a struct above");
	refuses(REQUEST("\ta i32 3-1\n"), ":3: `3-1` is no version range");
	refuses(REQUEST("\ta i32\n\ta i32\n"), ":4: `a` is there twice");
	refuses(REQUEST("\ta i32 oops\n"), ":3: unexpected `oops`");
	refuses(REQUEST("\ta i32?\n"), ":3: `a` cannot be nullable");
	refuses(REQUEST("\ta str = null\n"), ":3: `a` defaults to null but is not nullable");
	refuses(REQUEST("\ta i32 = x\n"), ":3: `x` is no default");
	refuses(REQUEST("\ta i32 1+ tag 0\n"), ":3: tagged `a` needs flexible versions");
	refuses(REQUEST("\ta records? 2+ tag 0\n"), ":3: records can neither be tagged");
	refuses(REQUEST("\tas [] {\n\t\tx i8\n\t}\n\tb struct {\n\t\tas [] {\n\t\t}\n\t}\n"),
		":7: a second struct `a`");
	refuses(REQUEST("\ta struct 0-1 {\n\t\tx i8 2+\n\t}\n"), ":4: `x` is in no version");
	refuses(REQUEST("") "more {\n", ": text after the response");
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *at = calloc(1, 1 << 16);

	ASSERT(at);
	if (!f || fread(at, 1, (1 << 16) - 1, f) == 0) {
		free(at);
		at = NULL;
	}
	if (f)
		fclose(f);
	return at;
}
