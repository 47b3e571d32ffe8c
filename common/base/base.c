/* base.c - assertions, error names, text views, ids, the heap.
 *
 * mem_alloc and mem_grow are the only callers of the C library's allocator; running out of memory
 * aborts there, which is fair because everything that grows has a maximum. */
#include "common/base/base.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"

/* The ring holds the last lines of every level, also those that the level keeps from stderr: what
 * happened just before is usually the answer. abort leaves a core where the system wants one. */
void assert_fail(const char *expr, const char *file, int line, const char *func)
{
	log_dump_ring();
	fprintf(stderr, "ASSERT failed: %s at %s:%d in %s\n", expr, file, line, func);
	abort();
}

const char *err_text(enum err e)
{
	switch (e) {
	case ERR_OK: return "ok";
	case ERR_IO: return "input/output error";
	case ERR_NOSPACE: return "no space left";
	case ERR_NOFILES: return "out of file descriptors";
	case ERR_CORRUPT: return "corrupt data";
	case ERR_NOT_FOUND: return "not found";
	case ERR_EXISTS: return "already exists";
	case ERR_TIMEOUT: return "timed out";
	case ERR_CLOSED: return "closed";
	case ERR_REFUSED: return "refused";
	case ERR_DENIED: return "permission denied";
	case ERR_LIMIT: return "over a limit";
	case ERR_INVALID: return "invalid";
	case ERR_UNSUPPORTED: return "unsupported";
	case ERR_LOCKED: return "in use by another process";
	}
	UNREACHABLE();
}

/* Only the codes that a caller treats differently have an error of their own. */
enum err err_of_errno(int errno_value)
{
	switch (errno_value) {
	case 0: return ERR_OK;
	case ENOSPC:
	case EDQUOT: return ERR_NOSPACE;
	case EMFILE:
	case ENFILE: return ERR_NOFILES;
	case ENOENT: return ERR_NOT_FOUND;
	case EEXIST: return ERR_EXISTS;
	case ETIMEDOUT: return ERR_TIMEOUT;
	case EPIPE:
	case ECONNRESET:
	case ECONNABORTED: return ERR_CLOSED;
	case ECONNREFUSED:
	case EADDRINUSE: return ERR_REFUSED;
	case EINVAL: return ERR_INVALID;
	case EOPNOTSUPP: return ERR_UNSUPPORTED;
	default: return ERR_IO;
	}
}

/* Null and empty are different values in the protocol, so they are different here. */
bool str_eq(struct str a, struct str b)
{
	if (str_null(a) || str_null(b))
		return str_null(a) && str_null(b);
	return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = size_min(a.n, b.n);
	int order = n ? memcmp(a.at, b.at, n) : 0;

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool uuid_eq(struct uuid a, struct uuid b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

bool uuid_is_zero(struct uuid u)
{
	return uuid_eq(u, (struct uuid){ 0 });
}

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 128 bits are 21 sextets and two bits, which lead the 22nd character. */
void uuid_text(struct uuid u, char out[UUID_TEXT])
{
	uint32_t bits = 0, have = 0;
	int n = 0;

	for (size_t i = 0; i < sizeof(u.b); i++) {
		bits = bits << 8 | u.b[i];
		for (have += 8; have >= 6; have -= 6)
			out[n++] = base64url[bits >> (have - 6) & 63];
	}
	out[n++] = base64url[bits << (6 - have) & 63];
	out[n++] = '\0';
	ASSERT(n == UUID_TEXT);
}

/* Strict: 22 characters, and the four bits of the last one that carry nothing must be 0, so that
 * every id has exactly one text. */
enum err uuid_parse(struct str s, struct uuid *u)
{
	uint32_t bits = 0, have = 0;
	size_t n = 0;

	if (s.n != UUID_TEXT - 1)
		return ERR_INVALID;
	for (size_t i = 0; i < s.n; i++) {
		const char *c = s.at[i] ? strchr(base64url, s.at[i]) : NULL;

		if (!c)
			return ERR_INVALID;
		bits = bits << 6 | (uint32_t)(c - base64url);
		have += 6;
		if (have >= 8) {
			have -= 8;
			u->b[n++] = (uint8_t)(bits >> have);
		}
	}
	ASSERT(n == sizeof(u->b));
	return (bits & ((1u << have) - 1)) == 0 ? ERR_OK : ERR_INVALID;
}

/* Not state of the program: a counter that only tests and metrics read. */
static _Atomic uint64_t calls;

/* Zeroed: a struct's zero is its initial state all over the tree. */
void *mem_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	ASSERT(p != NULL);
	atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
	return p;
}

/* Counted as one allocation even where realloc could extend in place: the tests that demand a
 * steady state without the heap must not depend on the C library's mood. */
void *mem_grow(void *old, size_t n)
{
	void *p = realloc(old, n ? n : 1);

	ASSERT(p != NULL);
	atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
	return p;
}

void mem_free(void *p)
{
	free(p);
}

uint64_t mem_calls(void)
{
	return atomic_load_explicit(&calls, memory_order_relaxed);
}
