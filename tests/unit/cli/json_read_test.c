/* json_read_test.c - what is JSON is read, what is not is refused at the byte where it stops. */
#include "controller/cli/json_read.h"
#include "tests/lib/test.h"

static struct json_value *read_ok(struct arena *mem, const char *text)
{
	struct json_value *v = NULL;
	size_t at;

	EXPECT_OK(json_read(mem, str_of(text), &v, &at));
	EXPECT_EQ(at, strlen(text));
	return v;
}

TEST(values_of_every_kind)
{
	struct arena mem;
	const struct json_value *v, *list;

	arena_init(&mem, 1 << 20);
	v = read_ok(&mem, " { \"a\" : [ 1, -2 , 9223372036854775807 ], \"b\":null,\"c\":true,"
			  "\"d\":false, \"e\": {}, \"f\":[] } ");
	EXPECT_EQ(v->n, 6);
	list = json_member(v, "a");
	EXPECT_EQ(list->n, 3);
	EXPECT_EQ(list->first->number, 1);
	EXPECT_EQ(list->first->next->number, -2);
	EXPECT_EQ(list->first->next->next->number, INT64_MAX);
	EXPECT_EQ(json_member(v, "b")->kind, JSON_NULL);
	EXPECT_EQ(json_member(v, "c")->number, 1);
	EXPECT_EQ(json_member(v, "d")->number, 0);
	EXPECT_EQ(json_member(v, "e")->kind, JSON_OBJECT);
	EXPECT_EQ(json_member(v, "f")->kind, JSON_LIST);
	EXPECT(!json_member(v, "g") && !json_member(list, "a") && !json_member(NULL, "a"));
	arena_fini(&mem);
}

TEST(texts_are_unescaped)
{
	struct arena mem;

	arena_init(&mem, 1 << 20);
	EXPECT_STR(read_ok(&mem, "\"a\\\"b\\\\c\\/d\\n\\t\\u0041\\u00e9\\u20ac\"")->text,
		   "a\"b\\c/d\n\tA\xc3\xa9\xe2\x82\xac");
	EXPECT_STR(read_ok(&mem, "\"\"")->text, "");
	arena_fini(&mem);
}

TEST(what_is_no_json_is_refused)
{
	static const char *const bad[] = {
		"",
		"{",
		"[1,]",
		"{\"a\"}",
		"{\"a\":}",
		"{a:1}",
		"[1 2]",
		"\"open",
		"\"\\x\"",
		"\"\\u12g4\"",
		"1.5",
		"1e3",
		"--1",
		"nul",
		"[1]]",
		"\"a\nb\"",
		"{\"a\":1,}",
		"[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]",
		"99999999999999999999",
	};
	struct json_value *v;
	struct arena mem;
	size_t at;

	arena_init(&mem, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (json_read(&mem, str_of(bad[i]), &v, &at) == ERR_OK)
			FAIL("%s was read", bad[i]);
	arena_fini(&mem);
}

TEST(every_prefix_of_a_text_ends_well)
{
	static const char text[] = "{\"partitions\":[{\"topic\":\"t\\u0041\",\"partition\":0,"
				   "\"replicas\":[1,2,3]}],\"version\":1}";
	struct json_value *v;
	struct arena mem;
	size_t at;

	arena_init(&mem, 1 << 20);
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		EXPECT(json_read(&mem, (struct str){ text, n }, &v, &at) != ERR_OK && at <= n);
	(void)read_ok(&mem, text);
	arena_fini(&mem);
}
