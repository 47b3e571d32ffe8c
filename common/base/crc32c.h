/* crc32c.h - CRC-32C (Castagnoli, RFC 3720), the checksum of Kafka's record batches.
 *
 * Extending: crc32c(crc32c(0, a), b) is the checksum of a followed by b.  Uses the processor's
 * CRC instruction where it has one (about 19 GB/s on x86 for 16 KiB and more). */
#pragma once
#include "common/base/base.h"

uint32_t crc32c(uint32_t crc, const void *at, size_t n);
/* The table form, for processors without the instruction; the tests compare the two. */
uint32_t crc32c_portable(uint32_t crc, const void *at, size_t n);
