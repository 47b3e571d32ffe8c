/* codec_impl.h - what codec.c and the files of the single codecs share; nobody else includes it.
 *
 * A pack or unpack function appends to `out`, which its caller has emptied. */
#pragma once
#include "common/wire/codec.h"

/* *ctx is the codec's context: NULL at first, made by the function, freed by the _free beside it.
 * level: CODEC_LEVEL_DEFAULT or what the codec's library understands; unpack ignores it. */
typedef enum err (*codec_fn)(void **ctx, int32_t level, struct str in, struct codec_buf *out);

enum err gzip_pack(void **ctx, int32_t level, struct str in, struct codec_buf *out);
enum err gzip_unpack(void **ctx, int32_t level, struct str in, struct codec_buf *out);
void gzip_pack_free(void *ctx);
void gzip_unpack_free(void *ctx);

enum err snappy_pack(void **ctx, int32_t level, struct str in, struct codec_buf *out);
enum err snappy_unpack(void **ctx, int32_t level, struct str in, struct codec_buf *out);

enum err lz4_pack(void **ctx, int32_t level, struct str in, struct codec_buf *out);
enum err lz4_unpack(void **ctx, int32_t level, struct str in, struct codec_buf *out);
void lz4_pack_free(void *ctx);
void lz4_unpack_free(void *ctx);

enum err zstd_pack(void **ctx, int32_t level, struct str in, struct codec_buf *out);
enum err zstd_unpack(void **ctx, int32_t level, struct str in, struct codec_buf *out);
void zstd_pack_free(void *ctx);
void zstd_unpack_free(void *ctx);
