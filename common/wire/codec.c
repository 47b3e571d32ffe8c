#include "common/wire/codec_impl.h"

static enum err copy(void **ctx, int32_t level, struct str in, struct codec_buf *out);

static const struct {
	const char *name;
	codec_fn pack, unpack;
	void (*pack_free)(void *);
	void (*unpack_free)(void *);
} codecs[CODECS] = {
	[CODEC_NONE] = { "none", copy, copy, NULL, NULL },
	[CODEC_GZIP] = { "gzip", gzip_pack, gzip_unpack, gzip_pack_free, gzip_unpack_free },
	[CODEC_SNAPPY] = { "snappy", snappy_pack, snappy_unpack, NULL, NULL },
	[CODEC_LZ4] = { "lz4", lz4_pack, lz4_unpack, lz4_pack_free, lz4_unpack_free },
	[CODEC_ZSTD] = { "zstd", zstd_pack, zstd_unpack, zstd_pack_free, zstd_unpack_free },
};

struct codec_state {
	void *pack[CODECS], *unpack[CODECS];
};

void codec_buf_init(struct codec_buf *b, size_t max)
{
	*b = (struct codec_buf){ .max = max };
}

void codec_buf_fini(struct codec_buf *b)
{
	mem_free(b->at);
	*b = (struct codec_buf){ 0 };
}

void codec_buf_trim(struct codec_buf *b, size_t keep)
{
	size_t max = b->max;

	if (b->cap <= keep)
		return;
	codec_buf_fini(b);
	codec_buf_init(b, max);
}

bool codec_buf_room(struct codec_buf *b, size_t more)
{
	size_t want;

	ASSERT(b->n <= b->max);
	if (more > b->max - b->n)
		return false;
	if (more <= b->cap - b->n)
		return true;
	want = size_max(b->n + more, size_max(4096, 2 * b->cap));
	b->cap = size_min(want, b->max);
	b->at = mem_grow(b->at, b->cap);
	return true;
}

struct codec_state *codec_state_new(void)
{
	return mem_alloc(sizeof(struct codec_state));
}

void codec_state_free(struct codec_state *s)
{
	for (int i = 0; s != NULL && i < CODECS; i++) {
		if (s->pack[i] != NULL)
			codecs[i].pack_free(s->pack[i]);
		if (s->unpack[i] != NULL)
			codecs[i].unpack_free(s->unpack[i]);
	}
	mem_free(s);
}

enum err codec_decompress(struct codec_state *s, int codec, struct str in, struct codec_buf *out)
{
	out->n = 0;
	if (codec < 0 || codec >= CODECS)
		return ERR_UNSUPPORTED;
	return codecs[codec].unpack(&s->unpack[codec], 0, in, out);
}

enum err codec_compress(struct codec_state *s, int codec, int32_t level, struct str in,
			struct codec_buf *out)
{
	out->n = 0;
	if (codec < 0 || codec >= CODECS)
		return ERR_UNSUPPORTED;
	return codecs[codec].pack(&s->pack[codec], level, in, out);
}

const char *codec_name(int codec)
{
	return codec < 0 || codec >= CODECS ? "unknown" : codecs[codec].name;
}

bool codec_parse(struct str name, int *codec)
{
	if (str_eq(name, STR("uncompressed")))
		name = STR("none");
	for (int i = 0; i < CODECS; i++)
		if (str_eq(name, str_of(codecs[i].name))) {
			*codec = i;
			return true;
		}
	return false;
}

static enum err copy(void **ctx, int32_t level, struct str in, struct codec_buf *out)
{
	(void)ctx;
	(void)level;
	if (!codec_buf_room(out, in.n))
		return ERR_LIMIT;
	if (in.n > 0)
		memcpy(out->at, in.at, in.n);
	out->n = in.n;
	return ERR_OK;
}
