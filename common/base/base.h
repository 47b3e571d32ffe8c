/* base.h - the vocabulary every file shares: sizes, assertions, errors, text views, ids.
 *
 * Four kinds of error, never mixed:
 *   a bug              ASSERT: prints the place and the last trace lines, aborts; always on
 *   an operating error enum err, must_check, handled or passed on, logged once where handled
 *   a protocol error   enum kerr (common/wire/kerr.h): data in a reply
 *   out of memory      mem_alloc aborts: whatever grows has a maximum and is admitted by bytes
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define must_check         __attribute__((warn_unused_result))
#define printf_like(f, a)  __attribute__((format(printf, f, a)))
#define no_return          __attribute__((noreturn))
#define ARRAY_LEN(a)       (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

#define ASSERT(x)                                                                                  \
	do {                                                                                       \
		if (__builtin_expect(!(x), 0))                                                     \
			assert_fail(#x, __FILE__, __LINE__, __func__);                             \
	} while (0)
no_return void assert_fail(const char *expr, const char *file, int line, const char *func);
#define UNREACHABLE() assert_fail("unreachable", __FILE__, __LINE__, __func__)

/* Operating errors.  ERR_OK is 0, so `if (e)` reads as "if it failed". */
enum err {
	ERR_OK = 0,
	ERR_IO,          /* the device or the kernel refused: errno was logged where it happened */
	ERR_NOSPACE,     /* ENOSPC, EDQUOT */
	ERR_NOFILES,     /* EMFILE, ENFILE: nothing was done, and later it may work */
	ERR_CORRUPT,     /* bytes that fail a check */
	ERR_NOT_FOUND,
	ERR_EXISTS,
	ERR_TIMEOUT,
	ERR_CLOSED,      /* the peer or the object is gone */
	ERR_REFUSED,     /* nobody listens there, or the address is in use */
	ERR_DENIED,      /* this process may not */
	ERR_LIMIT,       /* a stated maximum was passed */
	ERR_INVALID,     /* an argument, an option, a file that makes no sense */
	ERR_UNSUPPORTED,
	ERR_LOCKED,      /* another process owns it */
};
const char *err_text(enum err);          /* "no space left", for logs and the CLI */
enum err err_of_errno(int errno_value);  /* ENOSPC -> ERR_NOSPACE, ..., otherwise ERR_IO */

/* A view of text that somebody else owns; not NUL terminated.  at == NULL is "null", distinct
 * from empty. */
struct str {
	const char *at;
	size_t n;
};
#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
static inline struct str str_of(const char *z) { return (struct str){ z, z ? strlen(z) : 0 }; }
static inline bool str_null(struct str s) { return s.at == NULL; }
bool str_eq(struct str, struct str);     /* null equals only null */
int str_cmp(struct str, struct str);     /* bytewise, shorter first */

/* 128-bit ids: topic ids, incarnations, log directories.  All zero is "none". */
struct uuid {
	uint8_t b[16];
};
bool uuid_eq(struct uuid, struct uuid);
bool uuid_is_zero(struct uuid);
#define UUID_TEXT 23                                     /* 22 characters and the NUL */
void uuid_text(struct uuid, char out[UUID_TEXT]);        /* URL-safe base64, Kafka's form */
must_check enum err uuid_parse(struct str, struct uuid *);

/* Heap with the out-of-memory rule; mem_alloc zeroes.  Counted, so that tests can demand none. */
void *mem_alloc(size_t n);
void *mem_grow(void *old, size_t n);                     /* realloc; new bytes are undefined */
void mem_free(void *);
uint64_t mem_calls(void);                                /* allocations of this process so far */

static inline int64_t i64_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t i64_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int32_t i32_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t i32_max(int32_t a, int32_t b) { return a > b ? a : b; }
static inline size_t size_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t size_max(size_t a, size_t b) { return a > b ? a : b; }
