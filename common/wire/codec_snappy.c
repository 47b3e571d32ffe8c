/* Snappy in xerial's framing: magic 82 'SNAPPY' 00, version and least compatible version as
 * big-endian int32 (both 1), then blocks of int32 size and a raw snappy block of it.  Some clients
 * send one raw block without the framing. */
#include "common/wire/codec_impl.h"

#include <snappy-c.h>

#include "common/base/endian.h"

#define MAGIC_BYTES 8
#define HEADER_BYTES 16
#define BLOCK_BYTES 32768

static const uint8_t magic[MAGIC_BYTES] = { 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0 };

static enum err unpack_block(const char *at, size_t n, struct codec_buf *);

enum err snappy_pack(void **ctx, int32_t level, struct str in, struct codec_buf *out)
{
	(void)ctx;
	(void)level;
	if (!codec_buf_room(out, HEADER_BYTES))
		return ERR_LIMIT;
	memcpy(out->at, magic, MAGIC_BYTES);
	store_be32(out->at + 8, 1);
	store_be32(out->at + 12, 1);
	out->n = HEADER_BYTES;
	for (size_t at = 0; at < in.n; at += BLOCK_BYTES) {
		size_t n = size_min(BLOCK_BYTES, in.n - at),
		       packed = snappy_max_compressed_length(n);

		if (!codec_buf_room(out, packed + 4))
			return ERR_LIMIT;
		if (snappy_compress(in.at + at, n, (char *)out->at + out->n + 4, &packed) !=
		    SNAPPY_OK)
			return ERR_INVALID;
		store_be32(out->at + out->n, (uint32_t)packed);
		out->n += packed + 4;
	}
	return ERR_OK;
}

enum err snappy_unpack(void **ctx, int32_t level, struct str in, struct codec_buf *out)
{
	const char *at = in.at, *end = in.at + in.n;
	enum err e = ERR_OK;

	(void)ctx;
	(void)level;
	if (in.n < HEADER_BYTES || memcmp(in.at, magic, MAGIC_BYTES) != 0)
		return in.n == 0 ? ERR_CORRUPT : unpack_block(in.at, in.n, out);
	at += HEADER_BYTES;
	while (e == ERR_OK && at < end) {
		uint32_t n = end - at < 4 ? UINT32_MAX : load_be32(at);

		if (n > (size_t)(end - at) - 4)
			return ERR_CORRUPT;
		e = unpack_block(at + 4, n, out);
		at += 4 + n;
	}
	return e;
}

static enum err unpack_block(const char *at, size_t n, struct codec_buf *out)
{
	size_t size;

	if (snappy_uncompressed_length(at, n, &size) != SNAPPY_OK)
		return ERR_CORRUPT;
	if (!codec_buf_room(out, size))
		return ERR_LIMIT;
	if (size == 0)
		return snappy_validate_compressed_buffer(at, n) == SNAPPY_OK ? ERR_OK : ERR_CORRUPT;
	if (snappy_uncompress(at, n, (char *)out->at + out->n, &size) != SNAPPY_OK)
		return ERR_CORRUPT;
	out->n += size;
	return ERR_OK;
}
