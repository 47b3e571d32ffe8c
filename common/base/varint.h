/* varint.h - base-128 integers: unsigned as in flexible Kafka messages, zigzag as in records.
 *
 * put writes 1 to VARINT_MAX bytes (VARLONG_MAX for 64 bits) and returns how many.  get returns
 * the number of bytes read, or 0 when the text is cut, too long, or does not fit the type. */
#pragma once
#include "common/base/base.h"

#define VARINT_MAX 5
#define VARLONG_MAX 10

size_t uvarint_put(uint8_t *to, uint32_t);
size_t uvarint_get(const uint8_t *at, size_t n, uint32_t *out);
size_t uvarint_size(uint32_t);
size_t uvarlong_get(const uint8_t *at, size_t n, uint64_t *out);
size_t uvarlong_size(uint64_t);

static inline uint64_t zigzag(int64_t v) { return (uint64_t)v << 1 ^ (0 - (uint64_t)(v < 0)); }
static inline int64_t unzigzag(uint64_t u) { return (int64_t)(u >> 1 ^ (0 - (u & 1))); }

size_t varint_put(uint8_t *to, int32_t);
size_t varint_get(const uint8_t *at, size_t n, int32_t *out);
size_t varint_size(int32_t);
size_t varlong_put(uint8_t *to, int64_t);
size_t varlong_get(const uint8_t *at, size_t n, int64_t *out);
size_t varlong_size(int64_t);
