/* test.h - the runner that every C test program links: TEST bodies, checks, a summary.
 *
 * A failed check prints both values, marks its test as failed and goes on.  A test that runs
 * longer than TEST_SECONDS (60) ends the program.  `arena_test reset` runs the tests whose name
 * contains "reset".  The last line is `N passed, N failed`. */
#pragma once
#include "common/base/base.h"

struct test_case {
	const char *name, *file;
	void (*run)(void);
	struct test_case *next;
};
void test_register(struct test_case *);

#define TEST(id)                                                                                   \
	static void test_##id(void);                                                               \
	static struct test_case test_case_##id = { #id, __FILE__, test_##id, NULL };               \
	__attribute__((constructor)) static void test_add_##id(void)                               \
	{                                                                                          \
		test_register(&test_case_##id);                                                    \
	}                                                                                          \
	static void test_##id(void)

/* Checks give true when they hold, so a test may stop early: if (!EXPECT(p)) return; */
bool test_true(bool ok, const char *expr, const char *file, int line);
bool test_i64(int64_t a, int64_t b, const char *exprs, const char *file, int line);
bool test_str(struct str a, struct str b, const char *exprs, const char *file, int line);
bool test_mem(const void *a, const void *b, size_t n, const char *exprs, const char *file,
	      int line);

#define EXPECT(x) test_true(!!(x), #x, __FILE__, __LINE__)
#define EXPECT_EQ(a, b) test_i64((int64_t)(a), (int64_t)(b), #a " == " #b, __FILE__, __LINE__)
#define EXPECT_OK(e) test_i64((int64_t)(e), 0, #e " == ok", __FILE__, __LINE__)
#define EXPECT_STR(s, literal) test_str(s, str_of(literal), #s, __FILE__, __LINE__)
#define EXPECT_Z(z, literal) test_str(str_of(z), str_of(literal), #z, __FILE__, __LINE__)
#define EXPECT_STR_EQ(a, b) test_str(a, b, #a " == " #b, __FILE__, __LINE__)
#define EXPECT_MEM(a, b, n) test_mem(a, b, n, #a " == " #b, __FILE__, __LINE__)
/* Fails with a message of its own, for checks inside loops over seeds. */
bool test_fail(const char *file, int line, const char *fmt, ...) printf_like(3, 4);
#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

/* An empty directory that is removed with all it holds when the test ends. */
const char *test_tmpdir(void);
/* Did this program see a failed check in the running test? */
bool test_failed(void);
