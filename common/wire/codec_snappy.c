/* Snappy in xerial's framing: magic 82 'SNAPPY' 00, version and least compatible version as
 * big-endian int32 (both 1), then blocks of int32 size and a raw snappy block of it.  Some clients
 * send one raw block without the framing.
 *
 * Blocks are written by libsnappy and read here: version 1.1.9 of it, which Debian ships, reads
 * far outside of damaged blocks.  A block is its plain size as a varint, then elements:
 *
 *   low bits of the tag   length                          offset
 *   00 literal            tag >> 2 + 1, or in 1-4 bytes   the bytes follow
 *   01 copy               4 + (tag >> 2 & 7)              tag >> 5 << 8 + 1 byte
 *   10 copy               tag >> 2 + 1                    2 bytes
 *   11 copy               tag >> 2 + 1                    4 bytes
 */
#include "common/wire/codec_impl.h"

#include <snappy-c.h>

#include "common/base/endian.h"
#include "common/base/varint.h"

#define MAGIC_BYTES 8
#define HEADER_BYTES 16
#define BLOCK_BYTES 32768
#define DENSEST 22 /* 64 bytes for 3 is the most that an element yields */

static const uint8_t magic[MAGIC_BYTES] = { 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0 };

struct block {
	const uint8_t *in, *in_end;
	uint8_t *out, *out_start, *out_end;
};
static enum err unpack_block(const uint8_t *at, size_t n, struct codec_buf *);
static bool unpack_element(struct block *);
static bool take_literal(struct block *, uint8_t tag);
static bool put_copy(struct block *, size_t n, size_t back);
static bool take_le(struct block *, int n, uint32_t *out);

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
	const uint8_t *at = (const uint8_t *)in.at, *end = at + in.n;
	enum err e = ERR_OK;

	(void)ctx;
	(void)level;
	if (in.n < HEADER_BYTES || memcmp(in.at, magic, MAGIC_BYTES) != 0)
		return in.n == 0 ? ERR_CORRUPT : unpack_block(at, in.n, out);
	at += HEADER_BYTES;
	while (e == ERR_OK && at < end) {
		size_t left = (size_t)(end - at), n;

		if (left < 4 || (n = load_be32(at)) > left - 4)
			return ERR_CORRUPT;
		e = unpack_block(at + 4, n, out);
		at += 4 + n;
	}
	return e;
}

/* The size in front is a claim: bounded by what the densest encoding could yield from n bytes. */
static enum err unpack_block(const uint8_t *at, size_t n, struct codec_buf *out)
{
	struct block b = { .in = at, .in_end = at + n };
	uint32_t size;
	size_t head = uvarint_get(at, n, &size);

	if (head == 0 || size / DENSEST > n)
		return ERR_CORRUPT;
	if (size == 0)
		return n == head ? ERR_OK : ERR_CORRUPT;
	if (!codec_buf_room(out, size))
		return ERR_LIMIT;
	b.in += head;
	b.out = b.out_start = out->at + out->n;
	b.out_end = b.out + size;
	while (b.in < b.in_end)
		if (!unpack_element(&b))
			return ERR_CORRUPT;
	out->n += size;
	return b.out == b.out_end ? ERR_OK : ERR_CORRUPT;
}

static bool unpack_element(struct block *b)
{
	uint8_t tag = *b->in++;
	uint32_t low;

	switch (tag & 3) {
	case 0: return take_literal(b, tag);
	case 1:
		return take_le(b, 1, &low) &&
		       put_copy(b, 4u + (tag >> 2 & 7), (uint32_t)tag >> 5 << 8 | low);
	case 2: return take_le(b, 2, &low) && put_copy(b, (tag >> 2) + 1u, low);
	default: return take_le(b, 4, &low) && put_copy(b, (tag >> 2) + 1u, low);
	}
}

/* Lengths up to 60 are in the tag, longer ones in 1 to 4 bytes behind it. */
static bool take_literal(struct block *b, uint8_t tag)
{
	uint32_t more = 0;
	size_t n = (tag >> 2) + (size_t)1;

	if (n > 60) {
		if (!take_le(b, (int)n - 60, &more))
			return false;
		n = (size_t)more + 1;
	}
	if (n > (size_t)(b->in_end - b->in) || n > (size_t)(b->out_end - b->out))
		return false;
	memcpy(b->out, b->in, n);
	b->in += n;
	b->out += n;
	return true;
}

/* A copy may reach into what it writes: that repeats a short pattern. */
static bool put_copy(struct block *b, size_t n, size_t back)
{
	if (back == 0 || back > (size_t)(b->out - b->out_start) ||
	    n > (size_t)(b->out_end - b->out))
		return false;
	if (back >= n)
		memcpy(b->out, b->out - back, n);
	else
		for (size_t i = 0; i < n; i++)
			b->out[i] = b->out[(ptrdiff_t)i - (ptrdiff_t)back];
	b->out += n;
	return true;
}

static bool take_le(struct block *b, int n, uint32_t *out)
{
	if (n > b->in_end - b->in)
		return false;
	*out = 0;
	for (int i = 0; i < n; i++)
		*out |= (uint32_t)b->in[i] << 8 * i;
	b->in += n;
	return true;
}
